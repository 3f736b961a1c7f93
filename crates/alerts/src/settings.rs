//! What operators want to be told of.

use std::time::Duration;

use crate::Channel;

/// How alerts are configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlertSettings {
    /// A pool with this few keys left, and more in all, is low.
    pub low_keys: u32,
    /// How long a key may be in use; as long as it likes if `None`.
    pub rotate_after: Option<Duration>,
    /// How long before a budget is used up that is told, the longest first.
    pub runs_out: Vec<Duration>,
    /// Who is told.
    pub channels: Vec<Channel>,
}

impl AlertSettings {
    /// How long a key may be in use by default.
    pub const ROTATE_AFTER: Duration = Duration::from_hours(30 * 24);

    /// How long before a budget is used up that is told by default.
    pub const RUNS_OUT: [Duration; 3] =
        [Duration::from_hours(1), Duration::from_mins(30), Duration::from_mins(10)];

    /// A pool with so few keys left is low by default.
    pub const LOW_KEYS: u32 = 1;
}

impl Default for AlertSettings {
    fn default() -> Self {
        Self {
            low_keys: Self::LOW_KEYS,
            rotate_after: Some(Self::ROTATE_AFTER),
            runs_out: Self::RUNS_OUT.to_vec(),
            channels: Vec::new(),
        }
    }
}
