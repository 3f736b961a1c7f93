//! The pool as status pages show it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use keygate_domain::{ApiKey, BucketName, Fault, GroupId, KeyId, Metric, Moment, Role, Tier};
use serde::{Deserialize, Serialize};

use crate::{ProbingSnapshot, StatedLimit, Warning};

/// The pool at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PoolSnapshot {
    /// Every key, in the order of the configuration.
    pub keys: Vec<KeySnapshot>,
    /// How many keys are in which state.
    pub counts: KeyCounts,
    /// The key leased last.
    pub current_index: Option<usize>,
    /// How many quota groups the keys make.
    pub groups: usize,
    /// Keys taken out of the configuration whose last leases are still outstanding.
    pub draining: usize,
    /// What became of all leases of this life.
    pub ledger: PoolLedger,
    /// Requests that wait for a key.
    pub waiting: usize,
    /// Resources whose owners are known.
    pub bindings: usize,
    /// The most of them that are remembered.
    pub most_bindings: usize,
    /// Where the provider itself is in trouble, or was a moment ago.
    pub breakers: Vec<BreakerSnapshot>,
    /// Where the configuration and the provider disagree.
    pub warnings: Vec<Warning>,
}

/// A breaker that keeps requests from a provider in trouble.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BreakerSnapshot {
    /// The quota bucket it is in the way of: a model's, or an operation's without a model;
    /// `None` is the whole provider.
    pub bucket: Option<BucketName>,
    /// Where it stands.
    pub state: BreakerState,
    /// The fault that opened it last.
    pub fault: Fault,
    /// The provider's reason, in words.
    pub reason: Cow<'static, str>,
    /// Since when it stands.
    pub since: Moment,
    /// When the next request may pass, if nothing else happens; `None` when one may now.
    pub retry_at: Option<Moment>,
    /// How often it was tried in vain.
    pub reopened: u32,
    /// Requests under way that it let through.
    pub in_flight: usize,
}

/// Where a breaker stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Nobody passes.
    Open,
    /// One request at a time passes, to find out.
    HalfOpen,
    /// The provider serves again; more and more requests pass.
    Recovering,
}

impl BreakerState {
    /// The name in status: `half_open`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::Recovering => "recovering",
        }
    }
}

/// How many keys are in which state; `total` is the sum of the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct KeyCounts {
    /// All of them.
    pub total: usize,
    /// Ready for use.
    pub available: usize,
    /// Resting for a while.
    pub cooling_down: usize,
    /// Resting until an allowance comes back.
    pub exhausted: usize,
    /// Out until somebody brings them back.
    pub disabled: usize,
}

/// Where all attempts went: `attempts = settled + refunded + lost + in_flight` (KP-10).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct PoolLedger {
    /// Leases granted.
    pub attempts: u64,
    /// Ended with an answer of the provider, good or bad.
    pub settled: u64,
    /// Never sent.
    pub refunded: u64,
    /// Abandoned or expired: what they cost is unknown.
    pub lost: u64,
    /// Leases outstanding.
    pub in_flight: u64,
}

/// Whether a key can be used, in one word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Ready for use, for at least one of the models in use.
    Available,
    /// Resting for a while.
    CoolingDown,
    /// Resting until an allowance comes back.
    Exhausted,
    /// Out until somebody brings it back.
    Disabled,
}

impl KeyState {
    /// The name in status: `cooling_down`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::CoolingDown => "cooling_down",
            Self::Exhausted => "exhausted",
            Self::Disabled => "disabled",
        }
    }
}

/// One key at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeySnapshot {
    /// Its position in the configuration.
    pub index: usize,
    /// The key, for its preview; prints `***`.
    pub key: ApiKey,
    /// Its public id.
    pub id: KeyId,
    /// What operators call it.
    pub label: Arc<str>,
    /// Its group.
    pub group: GroupId,
    /// What the provider calls the group, once an answer named it for this key, or for another of it.
    pub reported_group: Option<GroupId>,
    /// What the group pays for, once an answer told.
    pub tier: Option<Tier>,
    /// Limits that the provider stated for the group.
    pub stated_limits: Vec<StatedLimit>,
    /// Its rank under `primary_backup`.
    pub role: Role,
    /// Its share under `weighted`.
    pub weight: u32,
    /// How well it fares: 100 at first, 5 more for a success, 20 less for a failure that blames it,
    /// its group or a timeout, one back every 6 s.
    pub health: u8,
    /// Whether it can be used.
    pub state: KeyState,
    /// Why it cannot; `None` while it can.
    pub reason: Option<KeyReason>,
    /// Since when it cannot.
    pub failed_at: Option<Timestamp>,
    /// How long until it can again; zero while it can, and while no time cures it.
    pub cooldown_remaining: Duration,
    /// How it is asked after while a fault has disabled it.
    pub probing: ProbingSnapshot,
    /// Everything of the key and its group that rests, whole or in part.
    pub resting: Vec<RestingPart>,
    /// What its group used of its budgets, bucket by bucket.
    pub budgets: Arc<[BucketBudgets]>,
    /// Leases outstanding.
    pub in_flight: u64,
    /// Leases granted.
    pub attempts: u64,
    /// Attempts the provider served.
    pub served: u64,
    /// Attempts that failed without the key's fault.
    pub failed: u64,
    /// Attempts that took the key, its group or a bucket out.
    pub refused: u64,
    /// Attempts whose end nobody reported.
    pub lost: u64,
    /// Attempts that were never sent.
    pub unsent: u64,
}

/// Why a key cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct KeyReason {
    /// The fault; `None` when an operator took it out.
    pub fault: Option<Fault>,
    /// The counter that is full; `None` where it is none, or the provider did not say which.
    pub metric: Option<Metric>,
    /// One sentence, without any secret.
    pub text: Cow<'static, str>,
}

/// A key's or group's rest, whole or in part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RestingPart {
    /// Which quota bucket; `None` when it is not one that rests.
    pub bucket: Option<BucketName>,
    /// Which operation; `None` when it is not one that rests.
    pub operation: Option<Cow<'static, str>>,
    /// Whether it is the opening of sessions that rests.
    pub sessions: bool,
    /// Which of the bucket's counters.
    pub metric: Metric,
    /// Why.
    pub fault: Fault,
    /// Until when.
    pub until: Moment,
    /// The provider's reason, in words.
    pub reason: Cow<'static, str>,
}

/// The budgets of one group and quota bucket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BucketBudgets {
    /// Which bucket.
    pub bucket: BucketName,
    /// Its budgets.
    pub uses: Vec<BudgetUse>,
}

/// How much of a budget is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BudgetUse {
    /// What is counted.
    pub metric: Metric,
    /// How much of it counts now, reservations included.
    pub used: u64,
    /// How much may; milliseconds for an interval.
    pub limit: u64,
    /// When nothing of it counts any more, if nothing is added; `None` where only an end tells.
    pub resets_at: Option<Moment>,
    /// When a day's or a month's is used up if it goes on like lately; `None` if it starts over before
    /// that, if it is used up already, and until it was watched for long enough.
    pub runs_out_at: Option<Moment>,
}

impl BudgetUse {
    /// How much is left; `None` for an interval, which is used by time.
    pub fn remaining(&self) -> Option<u64> {
        (self.metric != Metric::MinInterval).then(|| self.limit.saturating_sub(self.used))
    }
}
