//! `limits:`.

use std::num::NonZeroU32;

use keygate_limits::UserPolicy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::or_default;
use crate::setting::{Setting, count};

/// How much one user may have.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LimitsSection {
    /// The limits of each user.
    #[serde(deserialize_with = "or_default")]
    pub(crate) per_user: PerUserSection,
    /// The request header in which a client names its user.
    pub(crate) user_header: Setting<String>,
    /// Users that are remembered at the same time; bounds the memory of the limiter.
    pub(crate) max_users: Setting<NonZeroU32>,
    /// Failed logins a peer may make in a minute before it has to wait.
    pub(crate) failed_logins_per_minute: Setting<NonZeroU32>,
}

impl Default for LimitsSection {
    fn default() -> Self {
        let policy = UserPolicy::default();
        Self {
            per_user: PerUserSection::default(),
            user_header: Setting("X-User-Id".to_owned()),
            max_users: count(u32::try_from(policy.max_users).unwrap_or(u32::MAX)),
            failed_logins_per_minute: count(policy.failed_logins_per_minute),
        }
    }
}

/// The limits of each user.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PerUserSection {
    /// Requests in any 60 seconds. The variable `AI_RATE_LIMIT_PER_MIN` sets it too.
    pub(crate) requests_per_minute: Setting<NonZeroU32>,
    /// Requests at once, before they have to spread over the minute. Without it: as many as
    /// `requests_per_minute`.
    pub(crate) burst: Setting<Option<NonZeroU32>>,
    /// Requests that run at the same time.
    pub(crate) max_concurrent: Setting<NonZeroU32>,
}

impl Default for PerUserSection {
    fn default() -> Self {
        let policy = UserPolicy::default();
        Self {
            requests_per_minute: count(policy.requests_per_minute),
            burst: Setting(None),
            max_concurrent: count(policy.max_concurrent),
        }
    }
}
