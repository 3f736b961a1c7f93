//! How an operator wants the pool to behave.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Budgets, ProbePolicy, Rotation};

/// How keys are chosen and how long they rest.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    /// Which key comes next.
    pub strategy: Strategy,
    /// When the first key moves to the end of the order; never if `None`.
    pub rotation: Option<Rotation>,
    /// How long what fails rests when the provider does not say.
    pub cooldowns: Cooldowns,
    /// What each group may use.
    pub budgets: Budgets,
    /// Who may wait for a key.
    pub queue: QueueBounds,
    /// How disabled keys are asked after.
    pub probe: ProbePolicy,
}

/// How long, and how many, may wait for a key when none is free.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueBounds {
    /// The longest wait of one request; 5 s. Zero: nobody waits.
    pub max_wait: Duration,
    /// Requests that wait at the same time; 1000.
    pub max_waiting: usize,
}

impl Default for QueueBounds {
    fn default() -> Self {
        Self { max_wait: Duration::from_secs(5), max_waiting: 1000 }
    }
}

/// Which of the usable keys comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// One after the other, in the order of the configuration.
    #[default]
    RoundRobin,
    /// In proportion to the keys' weights, evenly spread.
    Weighted,
    /// The first usable primary; without one, the first usable backup.
    PrimaryBackup,
    /// The one whose last lease began longest ago.
    LeastRecentlyUsed,
    /// By chance, in proportion to how well each fares lately.
    Health,
    /// The one whose group has the most of its budget left.
    Headroom,
}

impl Strategy {
    /// The name in YAML and spans: `round_robin`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "round_robin",
            Self::Weighted => "weighted",
            Self::PrimaryBackup => "primary_backup",
            Self::LeastRecentlyUsed => "least_recently_used",
            Self::Health => "health",
            Self::Headroom => "headroom",
        }
    }
}

/// Rests for faults whose answer names no time. A provider's own hint wins over them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cooldowns {
    /// After a rate limit; 60 s.
    pub rate_limited: Duration,
    /// After a used-up allowance whose reset is unknown; 1 h.
    pub quota_exhausted: Duration,
    /// While all sessions of a group are taken; 10 s.
    pub busy: Duration,
    /// After a group was barred; 1 h.
    pub group_blocked: Duration,
    /// A key that lacks a permission, for the operation that needs it; 10 min.
    pub key_forbidden: Duration,
    /// While the provider itself is in trouble; no key rests for it.
    pub overloaded: Overloaded,
}

/// How long nobody is sent to a provider in trouble: doubling from the one to the other each time
/// that it is tried in vain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overloaded {
    /// The first wait; 2 s.
    pub at_least: Duration,
    /// The longest one; 30 s. Only a provider's own word makes it longer.
    pub at_most: Duration,
}

impl Default for Overloaded {
    fn default() -> Self {
        Self { at_least: Duration::from_secs(2), at_most: Duration::from_secs(30) }
    }
}

impl Overloaded {
    /// How long a step of the slow start takes that follows: 500 ms with the usual waits.
    pub(crate) fn step(&self) -> Duration {
        (self.at_least / 4).max(Duration::from_millis(1))
    }
}

impl Default for Cooldowns {
    fn default() -> Self {
        Self {
            rate_limited: Duration::from_mins(1),
            quota_exhausted: Duration::from_hours(1),
            busy: Duration::from_secs(10),
            group_blocked: Duration::from_hours(1),
            key_forbidden: Duration::from_mins(10),
            overloaded: Overloaded::default(),
        }
    }
}
