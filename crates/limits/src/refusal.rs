//! The limiter's answers.

use std::time::Duration;

/// What an admitted user has left, for the `RateLimit` headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Admitted {
    /// Units allowed in any 60 s.
    pub limit: u32,
    /// Units left right now.
    pub remaining: u32,
    /// When the oldest units that count now come back; zero if none count.
    pub window_resets_in: Duration,
}

/// How a user stands with the limiter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UserStanding {
    /// Units allowed in any 60 s.
    pub limit: u32,
    /// Units of the last 60 s.
    pub used: u32,
    /// When the oldest units that count now come back; zero if none count.
    pub window_resets_in: Duration,
    /// Calls being served.
    pub in_flight: u32,
    /// Calls that may be served at the same time.
    pub max_concurrent: u32,
    /// Why a call would not be admitted now; `None` if it would.
    pub turned_away: Option<TurnedAway>,
}

impl UserStanding {
    /// Units left right now.
    pub fn remaining(&self) -> u32 {
        self.limit.saturating_sub(self.used)
    }
}

/// Why someone was turned away, and when to come back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("turned away: {why}")]
pub struct TurnedAway {
    /// When the same ask is admitted, if nothing else happens in between. For
    /// [`TurnedAwayWhy::Concurrent`] a guess, because nobody knows when a call ends.
    pub retry_after: Duration,
    /// The limit that was met.
    pub limit: u32,
    /// Which limit it was.
    pub why: TurnedAwayWhy,
}

/// The limits there are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TurnedAwayWhy {
    /// The units of the last 60 s are used up.
    Window,
    /// Too many at once within the window.
    Burst,
    /// Too many calls of this user are being served.
    Concurrent,
    /// Too many failed logins from this address.
    Peer,
    /// Too many users are active at the same time.
    Full,
    /// The ask alone is larger than the window: waiting does not cure it.
    TooLarge,
}

impl TurnedAwayWhy {
    /// The name in spans and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Window => "window",
            Self::Burst => "burst",
            Self::Concurrent => "concurrent",
            Self::Peer => "peer",
            Self::Full => "full",
            Self::TooLarge => "too_large",
        }
    }
}

impl std::fmt::Display for TurnedAwayWhy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
