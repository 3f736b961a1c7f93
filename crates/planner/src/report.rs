//! What a rehearsal found. The fields are those of `keygate plan --json`: they keep their names.

use jiff::Timestamp;
use keygate_domain::{GroupId, Metric};
use serde::Serialize;

/// What became of a traffic.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// When it began.
    pub starts: Timestamp,
    /// How long it lasted, in seconds.
    pub span_seconds: u64,
    /// Requests that came: the sum of the next six.
    pub requests: u64,
    /// The provider answered in time.
    pub served: u64,
    /// Refused by the limit of their user, before any key was asked for.
    pub refused_by_user: UserRefusals,
    /// No key was free, nor soon enough.
    pub refused_by_pool: u64,
    /// Given up after refusals of the provider.
    pub refused_by_provider: u64,
    /// The caller hung up while waiting for a key.
    pub hung_up: u64,
    /// The answer did not come before the deadline, or before the caller's patience ended.
    pub timed_out: u64,
    /// The probability that a request which its user may make gets no key: of `refused_by_pool`,
    /// `refused_by_provider` and `hung_up`.
    pub p_refused: f64,
    /// 429s received from the provider.
    pub provider_429s: u64,
    /// How long those waited for a key who did, and got one.
    pub waits: WaitTimes,
    /// The budgets, and how much of each was used as the provider counts.
    pub budgets: Vec<BudgetUse>,
    /// The budget that stood in a request's way first.
    pub binds_first: Option<TimedBinding>,
    /// The budgets that stood in the way of requests, the one that refused most first; at most 16.
    pub binding: Vec<Binding>,
    /// The hours of the day, in the time zone of the traffic.
    pub hours: Vec<Hour>,
}

impl Report {
    /// Requests that their user may make and that got no key.
    pub fn refused(&self) -> u64 {
        self.refused_by_pool + self.refused_by_provider + self.hung_up
    }
}

/// Requests refused by the limit of their user.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct UserRefusals {
    /// All of them.
    pub total: u64,
    /// Their 60 seconds were used up.
    pub per_minute: u64,
    /// Too many at once within the minute.
    pub burst: u64,
    /// Too many of theirs were running.
    pub concurrent: u64,
    /// Too many users were active.
    pub users: u64,
}

/// How long requests waited for a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct WaitTimes {
    /// Requests that waited and got a key.
    pub waited: u64,
    /// Half of them waited no longer.
    pub p50_ms: u64,
    /// 95 of a hundred waited no longer.
    pub p95_ms: u64,
    /// The longest wait.
    pub max_ms: u64,
}

/// How much of a budget was used, over all groups that have it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct BudgetUse {
    /// The model, or the operation where there is none.
    pub bucket: String,
    /// What is counted.
    pub metric: Metric,
    /// Groups that have this budget.
    pub groups: usize,
    /// What they may use together; milliseconds for an interval.
    pub limit: u64,
    /// The used share on the average, from 0 to 1; `None` for an interval.
    pub mean_share: Option<f64>,
    /// The largest share that one group used of one minute, day or month, or at one time.
    pub peak_share: Option<f64>,
}

/// A budget that stood in the way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Binding {
    /// The group whose key would have been free first.
    pub group: GroupId,
    /// The model, or the operation where there is none.
    pub bucket: String,
    /// Which budget.
    pub metric: Metric,
    /// Requests that were refused for it.
    pub refused: u64,
    /// Requests that had to wait for it.
    pub delayed: u64,
}

/// The first budget that stood in the way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TimedBinding {
    /// When.
    pub at: Timestamp,
    /// The group whose key would have been free first.
    pub group: GroupId,
    /// The model, or the operation where there is none.
    pub bucket: String,
    /// Which budget.
    pub metric: Metric,
}

/// An hour of the day, over all days.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Hour {
    /// From 0 to 23.
    pub hour: u8,
    /// Requests that came.
    pub requests: u64,
    /// Refused by the limit of their user.
    pub refused_by_user: u64,
    /// Those of [`Report::p_refused`].
    pub refused: u64,
}
