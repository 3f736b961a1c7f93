//! What became of an attempt: the only bridge between providers and the pool.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{BucketName, GroupId, Spend};

/// What became of one use of one key. Every lease ends with exactly one of these.
#[derive(Clone, PartialEq, Debug)]
pub enum Verdict {
    /// The provider served it.
    Served(Spend),
    /// The attempt failed.
    Failed(Failure),
    /// The caller left, or the lease was dropped unsettled: what it cost is unknown.
    Abandoned,
    /// Nothing was ever sent: the reservation goes back whole.
    Unsent,
}

/// A failed attempt, classified by the adapter from the provider's answer.
#[derive(Clone, PartialEq, Debug)]
pub struct Failure {
    /// What is at fault.
    pub fault: Fault,
    /// What the fault takes out of the pool.
    pub scope: Scope,
    /// What the provider said about when and what.
    pub hint: Hint,
    /// Whether and how often the same request may be tried again.
    pub retry: RetryAdvice,
}

impl Failure {
    /// A failure of `fault` with the scope, hints and advice that are usual for it.
    pub fn of(fault: Fault) -> Self {
        Self { fault, scope: fault.usual_scope(), hint: Hint::default(), retry: fault.usual_retry() }
    }

    /// The same with another scope.
    #[must_use]
    pub fn at(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// The same with what the provider said.
    #[must_use]
    pub fn hinting(mut self, hint: Hint) -> Self {
        self.hint = hint;
        self
    }

    /// The same with other advice on trying again.
    #[must_use]
    pub fn retrying(mut self, retry: RetryAdvice) -> Self {
        self.retry = retry;
        self
    }

    /// Whether this takes a key, a group or a bucket out of the pool. Such a refusal does not
    /// count towards `retry.max_attempts`: three bad keys must not fail what a fourth can serve.
    pub fn takes_out(&self) -> bool {
        !matches!(self.scope, Scope::Nothing)
    }
}

/// What is at fault when an attempt fails. The set is closed: product behaviour hangs on each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A short window of the group is full.
    RateLimited,
    /// A day, month or spend allowance of the group is used up.
    QuotaExhausted,
    /// The group itself is barred: billing, suspended project, no plan.
    GroupBlocked,
    /// The key is invalid, expired, leaked or revoked.
    KeyInvalid,
    /// The key lacks a permission or is restricted; other routes may work.
    KeyForbidden,
    /// All of the group's concurrent sessions are taken.
    Busy,
    /// The provider is out of capacity.
    Overloaded,
    /// The provider failed.
    ServerError,
    /// No answer within the time allowed.
    Timeout,
    /// No connection, or it broke.
    Unreachable,
    /// The resource named is not there (any more) for this project.
    AffinityLost,
    /// The caller's mistake.
    Caller,
    /// This request alone is larger than the group's limit.
    Poison,
}

impl Fault {
    /// The name in logs, spans and status: `rate_limited`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::QuotaExhausted => "quota_exhausted",
            Self::GroupBlocked => "group_blocked",
            Self::KeyInvalid => "key_invalid",
            Self::KeyForbidden => "key_forbidden",
            Self::Busy => "busy",
            Self::Overloaded => "overloaded",
            Self::ServerError => "server_error",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::AffinityLost => "affinity_lost",
            Self::Caller => "caller",
            Self::Poison => "poison",
        }
    }

    /// The sentence callers are told when every key failed and this was the last fault.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::RateLimited | Self::Busy | Self::Poison => "Rate limit exceeded",
            Self::QuotaExhausted => "Quota exhausted",
            Self::KeyInvalid => "Invalid API key",
            Self::GroupBlocked | Self::KeyForbidden => "Access denied",
            Self::Timeout => "Provider timed out",
            Self::Overloaded | Self::ServerError | Self::Unreachable | Self::AffinityLost | Self::Caller => {
                "Provider unavailable"
            }
        }
    }

    /// Whether the provider as a whole, and no key, is to blame.
    pub fn is_providers(self) -> bool {
        matches!(self, Self::Overloaded | Self::ServerError | Self::Timeout | Self::Unreachable)
    }

    fn usual_scope(self) -> Scope {
        match self {
            Self::RateLimited | Self::QuotaExhausted => Scope::GroupBucket,
            Self::GroupBlocked => Scope::Group,
            Self::KeyInvalid => Scope::Key,
            Self::KeyForbidden => Scope::KeyRoute,
            Self::Busy => Scope::GroupSessions,
            Self::Overloaded
            | Self::ServerError
            | Self::Timeout
            | Self::Unreachable
            | Self::AffinityLost
            | Self::Caller
            | Self::Poison => Scope::Nothing,
        }
    }

    fn usual_retry(self) -> RetryAdvice {
        match self {
            Self::RateLimited
            | Self::QuotaExhausted
            | Self::GroupBlocked
            | Self::KeyInvalid
            | Self::KeyForbidden
            | Self::Busy
            | Self::Overloaded
            | Self::ServerError
            | Self::Timeout
            | Self::Unreachable
            | Self::Poison => RetryAdvice::Again,
            Self::AffinityLost | Self::Caller => RetryAdvice::Never,
        }
    }
}

/// What a fault takes out of the pool.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Nothing: no key is to blame.
    Nothing,
    /// The key.
    Key,
    /// The key, for this operation only.
    KeyRoute,
    /// Every key of the group, every model.
    Group,
    /// The group, for this operation only.
    GroupRoute,
    /// The group, for the model's quota bucket and the metric of the hint.
    GroupBucket,
    /// The group, for operations that open a session.
    GroupSessions,
}

/// Which of a bucket's counters a limit or a cooldown belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The provider did not say.
    #[default]
    Unnamed,
    /// Requests in a minute.
    RequestsPerMinute,
    /// Requests in a day.
    RequestsPerDay,
    /// Input tokens in a minute.
    InputTokensPerMinute,
    /// Tokens in a day.
    TokensPerDay,
    /// Tokens in a calendar month.
    TokensPerMonth,
    /// Money in a rolling window.
    Spend,
    /// The model is not on the group's tier at all (`limit: 0`).
    Tier,
    /// Bytes stored.
    Storage,
    /// Sessions at the same time.
    Concurrent,
    /// Time between the starts of two requests.
    MinInterval,
}

impl Metric {
    /// The name in status, spans and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unnamed => "unnamed",
            Self::RequestsPerMinute => "requests_per_minute",
            Self::RequestsPerDay => "requests_per_day",
            Self::InputTokensPerMinute => "input_tokens_per_minute",
            Self::TokensPerDay => "tokens_per_day",
            Self::TokensPerMonth => "tokens_per_month",
            Self::Spend => "spend",
            Self::Tier => "tier",
            Self::Storage => "storage",
            Self::Concurrent => "concurrent",
            Self::MinInterval => "min_interval",
        }
    }
}

/// What a group pays for, as far as the names of its quotas tell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Nothing.
    Free,
    /// What it uses.
    Paid,
}

impl Tier {
    /// The name in status and logs: `free`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Paid => "paid",
        }
    }
}

/// When an allowance comes back by the provider's calendar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reset {
    /// At the next midnight in this time zone (IANA name).
    Midnight(&'static str),
    /// At the start of the next month in this time zone (IANA name).
    MonthEnd(&'static str),
}

/// What the provider said besides the fault.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Hint {
    /// Rest this long; margins and clamps are the adapter's and already in it.
    pub retry_after: Option<Duration>,
    /// Rest until the calendar says so; wins over `retry_after`.
    pub resets: Option<Reset>,
    /// Grow the rest by doubling from `retry_after` up to this, while the fault repeats.
    pub doubles_up_to: Option<Duration>,
    /// The counter that is full.
    pub metric: Metric,
    /// The limit the provider stated for that counter.
    pub limit: Option<u64>,
    /// The quota bucket the provider counts the model in.
    pub bucket: Option<BucketName>,
    /// The group's name at the provider, as `projects/123`.
    pub group: Option<GroupId>,
    /// The group's tier, where the name of the quota tells.
    pub tier: Option<Tier>,
    /// The answer names no quota and no key: the provider itself may be in trouble rather than the
    /// group that was told so. The pool decides by what other groups meet.
    pub may_be_providers: bool,
    /// Only a human can cure it: take the scope out until it is reset, replaced or re-probed.
    pub needs_human: bool,
    /// One sentence for operators, without any secret.
    pub reason: &'static str,
}

/// Whether the request may be tried again elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RetryAdvice {
    /// As often as the policy allows.
    Again,
    /// Once more at most.
    Once,
    /// The answer is for the caller; or the request may have taken effect.
    Never,
}
