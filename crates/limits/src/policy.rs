//! What operators set.

use std::time::Duration;

use keygate_domain::UserLimits;

/// Limits of one user, and of one peer that fails to log in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UserPolicy {
    /// Units admitted in any 60 s; at least 1.
    pub requests_per_minute: u32,
    /// Units admitted at once; smoothing is off when this is not below `requests_per_minute`.
    pub burst: u32,
    /// Calls of one user being served at the same time.
    pub max_concurrent: u32,
    /// Users remembered at the same time. A user is forgotten as soon as nothing they did
    /// counts any more, so this bounds the users active within one minute.
    pub max_users: usize,
    /// Failed logins per peer address and minute.
    pub failed_logins_per_minute: u32,
}

impl Default for UserPolicy {
    fn default() -> Self {
        Self {
            requests_per_minute: 20,
            burst: 20,
            max_concurrent: 16,
            max_users: 1_000_000,
            failed_logins_per_minute: 10,
        }
    }
}

impl UserPolicy {
    /// The policy of users whose limits may differ. A rate that differs brings its own burst: as many as
    /// the rate, unless it says otherwise.
    #[must_use]
    pub fn with(self, limits: UserLimits) -> Self {
        let requests_per_minute = limits.requests_per_minute.unwrap_or(self.requests_per_minute).max(1);
        let usual_burst = limits.requests_per_minute.unwrap_or(self.burst);
        Self {
            requests_per_minute,
            burst: limits.burst.unwrap_or(usual_burst),
            max_concurrent: limits.max_concurrent.unwrap_or(self.max_concurrent),
            ..self
        }
    }
}

/// How hard one request is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetryPolicy {
    /// Attempts that may fail by the provider's fault, the first included.
    pub max_attempts: u32,
    /// Attempts that may be refused for a reason that takes a key, group or bucket out.
    pub max_refusals: u32,
    /// The pause of a backoff that has become serious; the first pause is a tenth of it.
    pub backoff_at_least: Duration,
    /// Longest pause.
    pub backoff_at_most: Duration,
    /// Time for the first byte of a whole answer; none means all that is left of the deadline.
    pub attempt_timeout: Option<Duration>,
    /// Time for the first byte of a stream.
    pub stream_attempt_timeout: Option<Duration>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            max_refusals: 16,
            backoff_at_least: Duration::from_secs(2),
            backoff_at_most: Duration::from_secs(30),
            attempt_timeout: None,
            stream_attempt_timeout: Some(Duration::from_secs(30)),
        }
    }
}
