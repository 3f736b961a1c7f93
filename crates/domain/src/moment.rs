//! One reading of both clocks, handed to every decision.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// A reading of the monotonic and of the wall clock, taken together by a shell.
///
/// Waiting is measured on `mono`, calendars (a provider's day) on `wall`; a decision that is
/// handed both never has to ask which clock may be trusted for what.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Moment {
    /// Time since an origin that is the same for the whole process.
    pub mono: Duration,
    /// The wall clock.
    pub wall: Timestamp,
}

impl Moment {
    /// The moment `span` later, on both clocks.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        let wall_span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
        Self {
            mono: self.mono.saturating_add(span),
            wall: self.wall.saturating_add(wall_span).unwrap_or(Timestamp::MAX),
        }
    }

    /// How long until `later`, zero if it has passed.
    pub fn until(self, later: Self) -> Duration {
        later.mono.saturating_sub(self.mono)
    }

    /// The moment at which the wall clock will show `wall`, if it runs evenly from here.
    #[must_use]
    pub fn at_wall(self, wall: Timestamp) -> Self {
        let ahead = Duration::try_from(wall.duration_since(self.wall)).unwrap_or(Duration::ZERO);
        self.after(ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Moment {
        Moment { mono: Duration::from_secs(5), wall: Timestamp::from_second(1_000).unwrap() }
    }

    #[test]
    fn both_clocks_move_together() {
        let later = start().after(Duration::from_secs(7));
        assert_eq!(later.mono, Duration::from_secs(12));
        assert_eq!(later.wall, Timestamp::from_second(1_007).unwrap());
        assert_eq!(start().until(later), Duration::from_secs(7));
        assert_eq!(later.until(start()), Duration::ZERO);
    }

    #[test]
    fn a_wall_time_in_the_past_is_now() {
        assert_eq!(start().at_wall(Timestamp::from_second(10).unwrap()), start());
        assert_eq!(
            start().at_wall(Timestamp::from_second(1_010).unwrap()),
            start().after(Duration::from_secs(10))
        );
    }

    #[test]
    fn the_far_end_of_time_saturates() {
        assert_eq!(start().after(Duration::MAX).wall, Timestamp::MAX);
    }
}
