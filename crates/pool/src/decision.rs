//! Why this key, why not that one.

use std::borrow::Cow;
use std::sync::Arc;

use keygate_domain::{BucketName, Fault, GroupId, KeyId, Metric, Moment, Role, Scope};

use crate::{BreakerSnapshot, BudgetUse, KeyState, PoolRefusal, QueueBounds, Strategy};

/// What the pool would answer an ask, and why, key by key. Nothing changes by asking for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// When it was decided.
    pub at: Moment,
    /// The key that would be leased, or why none would at once. `Ok(None)`: the request brings its
    /// own credential and needs no key.
    pub answer: Result<Option<KeyId>, PoolRefusal>,
    /// How long the request would wait for a key instead of being refused; `None` where it gets one
    /// at once, or may not wait.
    pub wait: Option<Wait>,
    /// The only group that may serve the ask, if a resource it names binds it.
    pub bound_to: Option<GroupId>,
    /// What the request counts in: the model's quota bucket, or the operation where there is no model.
    pub bucket: BucketName,
    /// How one of the usable keys is chosen.
    pub strategy: Strategy,
    /// Who waits already.
    pub queue: QueueFacts,
    /// Breakers in its way, or that were a moment ago.
    pub breakers: Vec<BreakerSnapshot>,
    /// Every key, in the order of the configuration.
    pub keys: Vec<KeyDecision>,
}

/// A wait for a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wait {
    /// When there may be one, if nothing else happens.
    pub free_at: Moment,
    /// When the request is refused if there is none by then.
    pub until: Moment,
}

/// The queue, as somebody sees it who might have to join it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueFacts {
    /// Requests that wait for a key.
    pub waiting: usize,
    /// Of those, how many want the same and come first.
    pub ahead: usize,
    /// Of those that wait, how many are the user's own.
    pub of_user: usize,
    /// How long, and how many, may wait.
    pub bounds: QueueBounds,
}

/// One key's part in a [`Decision`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyDecision {
    /// Its position in the configuration.
    pub index: usize,
    /// The key.
    pub id: KeyId,
    /// What operators call it.
    pub label: Arc<str>,
    /// Its group.
    pub group: GroupId,
    /// Its rank under `primary_backup`.
    pub role: Role,
    /// Its share under `weighted`.
    pub weight: u32,
    /// How well it fares, out of 100.
    pub health: u8,
    /// Whether it can be used at all, as status says it: not only for what was asked.
    pub state: KeyState,
    /// Why it cannot be used, or comes last; `None` when it can.
    pub skip: Option<Skip>,
    /// The same in words, where somebody gave a reason.
    pub reason: Option<Cow<'static, str>>,
    /// Its place in the order of turns, from 1, among the keys that can be used. Where chance
    /// decides only the key drawn has one.
    pub turn: Option<usize>,
    /// Leases outstanding.
    pub in_flight: u64,
    /// The budgets of its group that the request would draw from.
    pub budgets: Arc<[BudgetUse]>,
}

impl KeyDecision {
    /// Whether it can be used, be it last.
    pub fn is_usable(&self) -> bool {
        matches!(self.skip, None | Some(Skip::Failed))
    }
}

/// Why a key was passed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Skip {
    /// It rests, as a whole or for what was asked.
    Resting {
        /// What rests: the key, its group, or a part of either.
        scope: Scope,
        /// The counter that is full, where a bucket rests.
        metric: Metric,
        /// Why.
        fault: Fault,
        /// Until when.
        until: Moment,
    },
    /// A budget of its group has no room for this.
    OverBudget {
        /// Which budget.
        metric: Metric,
        /// When it has.
        until: Moment,
    },
    /// It, or its group, is out until somebody brings it back.
    Disabled {
        /// Why; `None` when an operator took it out.
        fault: Option<Fault>,
    },
    /// It was refused in this request.
    Refused,
    /// It, or its group, failed in this request: others come first.
    Failed,
    /// What the request names belongs to another group.
    NotOwner,
}

impl Skip {
    /// The name in spans: `resting`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Resting { .. } => "resting",
            Self::OverBudget { .. } => "over_budget",
            Self::Disabled { .. } => "disabled",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::NotOwner => "not_owner",
        }
    }

    /// When it ends by itself; `None` if time does not end it.
    pub fn until(&self) -> Option<Moment> {
        match self {
            Self::Resting { until, .. } | Self::OverBudget { until, .. } => Some(*until),
            Self::Disabled { .. } | Self::Refused | Self::Failed | Self::NotOwner => None,
        }
    }
}
