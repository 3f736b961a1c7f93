//! The kinds of alerts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What an alert is about. The names are those of `alerts.channels[].events`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// No key of a pool can be used.
    PoolEmpty,
    /// Few keys of a pool can be used.
    PoolLow,
    /// A key is out until somebody does something.
    KeyDisabled,
    /// A quota group is out until somebody does something.
    GroupDisabled,
    /// A key that is a quota group of its own has used up a day or a month.
    KeyExhausted,
    /// A quota group has used up a day or a month.
    GroupExhausted,
    /// A budget will be used up before it starts over, if it goes on like lately.
    RunsOut,
    /// A key is in use for longer than is wanted.
    KeyOld,
    /// A bot needs a human to log in, or does not answer.
    SessionKeeper,
    /// What must outlive the process is not being written.
    Storage,
    /// A channel for alerts does not take them.
    Channel,
    /// More is wrong than can be kept apart.
    TooMany,
}

/// How soon somebody should look.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Some day.
    Info,
    /// Today.
    Warning,
    /// Now: users notice it.
    Critical,
}

impl Severity {
    /// The name in letters: `critical`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl AlertKind {
    /// All of them, in the order in which they are listed to people.
    pub const ALL: [Self; 12] = [
        Self::PoolEmpty,
        Self::PoolLow,
        Self::KeyDisabled,
        Self::GroupDisabled,
        Self::KeyExhausted,
        Self::GroupExhausted,
        Self::RunsOut,
        Self::KeyOld,
        Self::SessionKeeper,
        Self::Storage,
        Self::Channel,
        Self::TooMany,
    ];

    /// The name in configuration and letters: `pool_empty`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PoolEmpty => "pool_empty",
            Self::PoolLow => "pool_low",
            Self::KeyDisabled => "key_disabled",
            Self::GroupDisabled => "group_disabled",
            Self::KeyExhausted => "key_exhausted",
            Self::GroupExhausted => "group_exhausted",
            Self::RunsOut => "runs_out",
            Self::KeyOld => "key_old",
            Self::SessionKeeper => "session_keeper",
            Self::Storage => "storage",
            Self::Channel => "channel",
            Self::TooMany => "too_many",
        }
    }

    /// How soon somebody should look.
    pub fn severity(self) -> Severity {
        match self {
            Self::PoolEmpty | Self::Storage => Severity::Critical,
            Self::KeyOld => Severity::Info,
            Self::PoolLow
            | Self::KeyDisabled
            | Self::GroupDisabled
            | Self::KeyExhausted
            | Self::GroupExhausted
            | Self::RunsOut
            | Self::SessionKeeper
            | Self::Channel
            | Self::TooMany => Severity::Warning,
        }
    }

    /// Whether its end is told. That a forecast is gone may be because it came true, and an old key was
    /// replaced by whoever would be told.
    pub fn tells_its_end(self) -> bool {
        !matches!(self, Self::RunsOut | Self::KeyOld)
    }

    /// How long it must be gone to be over. A pace goes up and down.
    pub(crate) fn calm(self) -> Duration {
        match self {
            Self::RunsOut => Duration::from_mins(15),
            Self::PoolEmpty
            | Self::PoolLow
            | Self::KeyDisabled
            | Self::GroupDisabled
            | Self::KeyExhausted
            | Self::GroupExhausted
            | Self::KeyOld
            | Self::SessionKeeper
            | Self::Storage
            | Self::Channel
            | Self::TooMany => Duration::ZERO,
        }
    }
}
