//! `providers.<name>.probe:`.

use std::num::NonZeroU32;
use std::time::Duration;

use keygate_pool::ProbePolicy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::{Setting, count};

/// How keys that the provider refused for good (invalid, expired, leaked, restricted) are asked after:
/// with a free call that generates nothing, one key at a time. One that works again is used again. Keys
/// disabled by hand, and projects without billing, are never asked after.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ProbeSection {
    /// Whether they are asked after at all.
    pub(crate) enabled: Setting<bool>,
    /// How long a key is out before the first call, at least `1s`. Doubles with each call that the
    /// provider refuses.
    pub(crate) every: Setting<Duration>,
    /// The longest wait between two calls with a key.
    pub(crate) at_most: Setting<Duration>,
    /// Most calls in an hour for all keys of the provider, evenly spread; at most 3600.
    pub(crate) per_hour: Setting<NonZeroU32>,
}

impl Default for ProbeSection {
    fn default() -> Self {
        let probe = ProbePolicy::default();
        Self {
            enabled: Setting(probe.is_enabled),
            every: Setting(probe.every),
            at_most: Setting(probe.at_most),
            per_hour: count(probe.per_hour),
        }
    }
}
