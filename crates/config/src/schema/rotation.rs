//! `providers.<name>.rotation:`.

use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::Setting;

/// When the first key moves to the end of the order, primaries and backups each among themselves.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RotationSection {
    /// How often: a span that divides a day evenly, from `1h` on, or whole days such as `24h` and
    /// `168h` (each Monday); never if `null`.
    pub(crate) every: Setting<Option<Duration>>,
    /// A time of day at which it happens, on the clocks of the time zone; `00:00` if `null`.
    pub(crate) at: Setting<Option<Time>>,
    /// The time zone of `at`, such as `America/New_York`; `UTC` if `null`.
    pub(crate) timezone: Setting<Option<TimeZone>>,
}

impl Default for RotationSection {
    fn default() -> Self {
        Self { every: Setting(None), at: Setting(None), timezone: Setting(None) }
    }
}
