//! The simulator's time: the machine's clock times `speed`, plus what was advanced by hand.
//!
//! Quotas, expiries and session lengths run on it. Delays of the script do not: they are what a
//! client feels on the wire, and the client's own clock is not scaled.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

/// A clock that can run faster, stand still (`speed` 0) and jump forward. It never goes back.
#[derive(Clone)]
pub(crate) struct SimClock(Rc<Face>);

struct Face {
    speed: f64,
    real_origin: Instant,
    origin: Timestamp,
    advanced: Cell<Duration>,
    jumped: Notify,
}

/// Both clocks of the machine, read once.
struct Reading {
    instant: Instant,
    wall: Timestamp,
}

#[expect(clippy::disallowed_methods, reason = "the one place where the simulator meets real time")]
fn read_machine_clock() -> Reading {
    Reading { instant: Instant::now(), wall: Timestamp::now() }
}

impl SimClock {
    /// A clock that starts at `starts_at`, or at the machine's time.
    pub(crate) fn new(speed: f64, starts_at: Option<Timestamp>) -> Self {
        let reading = read_machine_clock();
        Self(Rc::new(Face {
            speed: if speed.is_finite() { speed.clamp(0.0, 1_000_000.0) } else { 1.0 },
            real_origin: reading.instant,
            origin: starts_at.unwrap_or(reading.wall),
            advanced: Cell::new(Duration::ZERO),
            jumped: Notify::new(),
        }))
    }

    /// The simulated time.
    pub(crate) fn now(&self) -> Timestamp {
        let real = read_machine_clock().instant.saturating_duration_since(self.0.real_origin);
        let elapsed = real.mul_f64(self.0.speed).saturating_add(self.0.advanced.get());
        after(self.0.origin, elapsed)
    }

    /// Jumps forward and wakes everyone who waits for a moment.
    pub(crate) fn advance(&self, by: Duration) {
        self.0.advanced.set(self.0.advanced.get().saturating_add(by));
        self.0.jumped.notify_waiters();
    }

    /// Waits until the simulated time has reached `at`.
    pub(crate) async fn sleep_until(&self, at: Timestamp) {
        loop {
            let jumped = self.0.jumped.notified();
            let left = at.duration_since(self.now());
            if !left.is_positive() {
                return;
            }
            match self.real_time_for(left.unsigned_abs()) {
                Some(real) => tokio::select! { () = jumped => {}, () = tokio::time::sleep(real) => {} },
                None => jumped.await,
            }
        }
    }

    /// How long `simulated` lasts for the machine; `None` when the clock stands still.
    fn real_time_for(&self, simulated: Duration) -> Option<Duration> {
        let seconds = simulated.as_secs_f64() / self.0.speed;
        // A wait of a day is as good as for ever; the loop looks again.
        (self.0.speed > 0.0)
            .then(|| Duration::from_secs_f64(seconds.min(86_400.0)) + Duration::from_millis(1))
    }
}

/// `at` plus `by`, stopping at the end of representable time.
pub(crate) fn after(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_standing_clock_moves_only_when_advanced() {
        let clock = SimClock::new(0.0, Some(Timestamp::UNIX_EPOCH));
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        clock.advance(Duration::from_secs(90));
        assert_eq!(clock.now().as_second(), 90);
    }

    #[tokio::test]
    async fn advancing_wakes_a_sleeper() {
        let clock = SimClock::new(0.0, Some(Timestamp::UNIX_EPOCH));
        let at = after(Timestamp::UNIX_EPOCH, Duration::from_hours(1));
        let local = tokio::task::LocalSet::new();
        let sleeping = clock.clone();
        let sleeper = local.spawn_local(async move { sleeping.sleep_until(at).await });
        local.run_until(tokio::task::yield_now()).await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_hours(1));
        local.run_until(sleeper).await.unwrap();
    }
}
