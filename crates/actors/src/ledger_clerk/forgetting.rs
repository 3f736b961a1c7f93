//! When what is old is forgotten: a little at a time, so that what is new never waits for it.

use std::time::Duration;

use jiff::SignedDuration;
use keygate_domain::Moment;

/// How often it is looked for what has become old.
const EVERY: Duration = Duration::from_hours(1);

/// The pause between two steps, in which others write.
const BETWEEN_STEPS: Duration = Duration::from_millis(200);

/// The pause after a step that failed.
const AFTER_TROUBLE: Duration = Duration::from_mins(1);

/// How long rows are kept, and when it is looked for older ones.
#[derive(Debug)]
pub(super) struct Forgetting {
    retention: Option<Duration>,
    due: Moment,
    /// In this round.
    forgotten: u64,
}

impl Forgetting {
    /// Rows are kept for `retention`, without one for ever.
    pub(super) fn new(retention: Option<Duration>, now: Moment) -> Self {
        Self { retention, due: now, forgotten: 0 }
    }

    /// From here on. A shorter time is heeded at once.
    pub(super) fn set(&mut self, retention: Option<Duration>, now: Moment) {
        (self.retention, self.due) = (retention, now);
    }

    /// When the next step is to be taken.
    pub(super) fn due(&self) -> Option<Moment> {
        self.retention.map(|_| self.due)
    }

    /// What is to be forgotten in a step that is due: all before this, in milliseconds since 1970.
    pub(super) fn step(&self, now: Moment) -> Option<i64> {
        let retention = self.retention.filter(|_| self.due.mono <= now.mono)?;
        let retention = SignedDuration::try_from(retention).unwrap_or(SignedDuration::MAX);
        now.wall.checked_sub(retention).ok().map(jiff::Timestamp::as_millisecond)
    }

    /// A step forgot so many rows. Says how many the round did, when it is over.
    pub(super) fn forgot(&mut self, rows: u64, now: Moment) -> Option<u64> {
        self.forgotten += rows;
        if rows > 0 {
            self.due = now.after(BETWEEN_STEPS);
            return None;
        }
        self.due = now.after(EVERY);
        Some(std::mem::take(&mut self.forgotten))
    }

    /// A step failed.
    pub(super) fn failed(&mut self, now: Moment) {
        self.due = now.after(AFTER_TROUBLE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        let start = Moment { mono: Duration::ZERO, wall: "2026-11-21T00:00:00Z".parse().unwrap() };
        start.after(Duration::from_secs(seconds))
    }

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn a_round_is_steps_until_nothing_is_left_and_comes_every_hour() {
        let mut forgetting = Forgetting::new(Some(DAY), at(0));
        let day_before: jiff::Timestamp = "2026-11-20T00:00:00Z".parse().unwrap();
        assert_eq!(forgetting.step(at(0)), Some(day_before.as_millisecond()));
        assert_eq!(forgetting.forgot(5_000, at(0)), None);
        assert_eq!(forgetting.step(at(0)), None, "others write in between");
        assert!(forgetting.step(at(1)).is_some());
        assert_eq!(forgetting.forgot(17, at(1)), None);
        assert_eq!(forgetting.forgot(0, at(2)), Some(5_017));
        assert_eq!(forgetting.due(), Some(at(3_602)));
        assert_eq!(forgetting.forgot(0, at(3_602)), Some(0));
    }

    #[test]
    fn trouble_is_waited_out_and_another_retention_holds_at_once() {
        let mut forgetting = Forgetting::new(None, at(0));
        assert_eq!((forgetting.step(at(9_999_999)), forgetting.due()), (None, None), "for ever");
        forgetting.set(Some(DAY), at(10));
        assert!(forgetting.step(at(10)).is_some());
        forgetting.failed(at(10));
        assert_eq!(forgetting.step(at(69)), None);
        assert!(forgetting.step(at(70)).is_some());
        forgetting.set(Some(Duration::MAX), at(70));
        assert_eq!(forgetting.step(at(70)), None, "longer than there are days");
    }
}
