//! The clock of the house: the only place where time is read.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use keygate_domain::Moment;

/// How far before its first reading the clock's origin lies. A runtime whose time was paused
/// before that reading stands a little behind it, and monotonic time must not be cut off at zero.
const HEAD_START: Duration = Duration::from_hours(1);

/// Clocks that are no further apart than this were not moved, only read one after the other.
const BETWEEN_TWO_READINGS: Duration = Duration::from_micros(1);

/// A reading of both clocks.
///
/// Follows tokio's clock, so that a test which pauses time pauses this too. The wall clock is
/// read anew each time, because a machine may be put right while the gateway runs, and is moved
/// along by as much as paused time has been.
pub fn now() -> Moment {
    let (real, wall) = read_clocks();
    let shown = tokio::time::Instant::now().into_std();
    let mono = shown.saturating_duration_since(origin(real));
    let ahead = shown.saturating_duration_since(real);
    let behind = real.saturating_duration_since(shown);
    if ahead.max(behind) < BETWEEN_TWO_READINGS {
        return Moment { mono, wall };
    }
    let skew = SignedDuration::try_from(ahead).unwrap_or_default()
        - SignedDuration::try_from(behind).unwrap_or_default();
    Moment { mono, wall: wall.saturating_add(skew).unwrap_or(wall) }
}

/// How long ago `moment` was, zero if it is still to come. Reads one clock only.
pub fn since(moment: Moment) -> Duration {
    let shown = tokio::time::Instant::now().into_std();
    shown.saturating_duration_since(origin(shown)).saturating_sub(moment.mono)
}

/// How long until `moment`, zero if it has passed. Reads one clock only: what waits on a deadline
/// asks this several times a request.
pub fn left_until(moment: Moment) -> Duration {
    let shown = tokio::time::Instant::now().into_std();
    moment.mono.saturating_sub(shown.saturating_duration_since(origin(shown)))
}

fn origin(first_reading: Instant) -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(|| first_reading.checked_sub(HEAD_START).unwrap_or(first_reading))
}

#[expect(clippy::disallowed_methods, reason = "this is the clock that everyone else asks")]
fn read_clocks() -> (Instant, Timestamp) {
    (Instant::now(), Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn both_clocks_follow_paused_time() {
        let before = now();
        tokio::time::advance(Duration::from_hours(24)).await;
        let after = now();
        assert_eq!(after.mono.checked_sub(before.mono), Some(Duration::from_hours(24)));
        let walked = after.wall.duration_since(before.wall);
        let off = walked - SignedDuration::from_hours(24);
        assert!(off.abs() < SignedDuration::from_secs(60), "the wall clock walked {walked}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_shrinks_with_time() {
        let deadline = now().after(Duration::from_secs(10));
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(left_until(deadline), Duration::from_secs(6));
        tokio::time::advance(Duration::from_secs(7)).await;
        assert_eq!(left_until(deadline), Duration::ZERO);
    }

    #[test]
    fn time_never_runs_backwards() {
        let readings: Vec<Moment> = (0..100).map(|_| now()).collect();
        assert!(readings.is_sorted_by_key(|moment| moment.mono));
    }
}
