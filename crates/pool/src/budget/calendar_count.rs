//! What was used in a provider's day or month.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keygate_domain::{Moment, Reset};

use super::pace::{Pace, SavedPace};
use crate::calendar;

/// A count that starts over when the provider's calendar says so.
///
/// The provider's clock is not ours: what is used close to the boundary may count on either side of
/// it. So it counts on both, and the count starts over only once the boundary has passed by a margin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct CalendarCount {
    reset: Reset,
    pub(super) used: u64,
    /// The part of `used` that may belong to the next period.
    pub(super) edge: u64,
    /// When the period at hand began.
    began: Timestamp,
    /// The boundary. By the wall clock: a clock that is put right moves it for us, not for the provider.
    pub(super) ends: Timestamp,
    /// How fast it grows; goes on over boundaries.
    pub(super) pace: Pace,
}

impl CalendarCount {
    /// A fresh count, of the period that is not over before the margin has passed. In a time zone
    /// nobody knows it never ends.
    pub(super) fn new(reset: Reset, now: Moment, margin: Duration) -> Self {
        let before =
            SignedDuration::try_from(margin).ok().and_then(|margin| now.wall.checked_sub(margin).ok());
        let (ends, pace) = (next(reset, before.unwrap_or(now.wall)), Pace::new(reset, now.wall));
        Self { reset, used: 0, edge: 0, began: now.wall, ends, pace }
    }

    /// Starts over if the boundary has passed.
    pub(super) fn advance(&mut self, now: Moment, margin: Duration) {
        // The first comparison nearly always says so, and sums of times are not free.
        if now.wall < self.ends || now.wall < later(self.ends, margin) {
            return;
        }
        let is_next = now.wall < next(self.reset, self.ends);
        self.used = if is_next { self.edge } else { 0 };
        self.edge = 0;
        self.began = now.wall;
        self.ends = next(self.reset, now.wall);
    }

    /// What counts at `now`.
    pub(super) fn used_at(&self, now: Moment, margin: Duration) -> u64 {
        if now.wall < self.ends {
            return self.used;
        }
        let mut count = self.clone();
        count.advance(now, margin);
        count.used
    }

    pub(super) fn add(&mut self, amount: u64, now: Moment, margin: Duration) {
        self.advance(now, margin);
        self.used = self.used.saturating_add(amount);
        self.pace.add(amount, now.wall);
        if self.is_at_the_edge(now, margin) {
            self.edge = self.edge.saturating_add(amount);
        }
    }

    /// What was counted as `was` at `at` turned out to be `is`; of an earlier period nothing changes.
    pub(super) fn correct(&mut self, at: Moment, was: u64, is: u64, margin: Duration) {
        self.pace.correct(was, is);
        if at.wall < self.began {
            return;
        }
        self.used = self.used.saturating_add(is).saturating_sub(was);
        if self.is_at_the_edge(at, margin) {
            self.edge = self.edge.saturating_add(is).saturating_sub(was);
        }
    }

    /// The same count as it was written down.
    pub(super) fn saved(&self, used: u64, edge: u64, ends: Timestamp, pace: Option<SavedPace>) -> Self {
        let pace = pace.map_or_else(|| self.pace.at_rest(), |pace| Pace::resumed(self.reset, pace));
        Self { reset: self.reset, used, edge, began: self.began, ends, pace }
    }

    /// Counts what another count counted. Of two periods the later one is at hand, and what may
    /// belong to it of the earlier one counts there.
    pub(super) fn absorb(&mut self, mut other: Self) {
        let mut pace = self.pace;
        pace.absorb(other.pace);
        if self.used == 0 || other.ends > self.ends {
            std::mem::swap(self, &mut other);
        }
        if other.ends == self.ends {
            self.used = self.used.saturating_add(other.used);
            self.edge = self.edge.saturating_add(other.edge);
            self.began = self.began.min(other.began);
        } else if other.used > 0 && next(other.reset, other.ends) == self.ends {
            self.used = self.used.saturating_add(other.edge);
        }
        self.pace = pace;
    }

    /// From when on `amount` more stays within `limit`; more than the limit fits a fresh period.
    pub(super) fn free_from(&self, amount: u64, limit: u64, now: Moment, margin: Duration) -> Moment {
        let fits = |used: u64| used == 0 || used.saturating_add(amount) <= limit;
        // What fits the period at hand fits a fresh one: nearly always there is no need to know which it is.
        if fits(self.used) {
            return now;
        }
        let mut count = self.clone();
        count.advance(now, margin);
        if fits(count.used) {
            return now;
        }
        let boundary = if fits(count.edge) { count.ends } else { next(count.reset, count.ends) };
        now.at_wall(later(boundary, margin))
    }

    /// When `limit` is used up if it goes on like lately; `None` if it starts over before that, is
    /// used up already, or nobody can say.
    pub(super) fn runs_out_at(&self, limit: u64, now: Moment, margin: Duration) -> Option<Moment> {
        let mut count = self.clone();
        count.advance(now, margin);
        let left = limit.checked_sub(count.used).filter(|left| *left > 0)?;
        let at = now.after(count.pace.lasts(left, now.wall)?);
        (at.wall < count.ends).then_some(at)
    }

    /// When the period is over, for us.
    pub(super) fn over_at(&self, now: Moment, margin: Duration) -> Moment {
        now.at_wall(later(self.ends, margin))
    }

    fn is_at_the_edge(&self, at: Moment, margin: Duration) -> bool {
        let seconds_left = self.ends.as_second().saturating_sub(at.wall.as_second());
        let is_near =
            u64::try_from(seconds_left).is_ok_and(|left| left <= margin.as_secs() + 1) || seconds_left < 0;
        is_near && later(at.wall, margin) >= self.ends
    }
}

fn next(reset: Reset, wall: Timestamp) -> Timestamp {
    let now = Moment { mono: Duration::ZERO, wall };
    calendar::next(reset, now).map_or(Timestamp::MAX, |next| next.wall)
}

fn later(wall: Timestamp, span: Duration) -> Timestamp {
    Moment { mono: Duration::ZERO, wall }.after(span).wall
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Reset = Reset::Midnight("America/Los_Angeles");
    const MARGIN: Duration = Duration::from_millis(500);

    fn at(wall: &str) -> Moment {
        let wall: Timestamp = wall.parse().unwrap();
        let since = wall.duration_since("2026-01-01T00:00:00Z".parse().unwrap());
        Moment { mono: Duration::try_from(since).unwrap(), wall }
    }

    #[test]
    fn a_day_starts_over_at_pacific_midnight_on_days_of_23_and_25_hours_too() {
        // 2026-03-08 has 23 hours, 2026-11-01 has 25.
        for (noon, midnight) in [
            ("2026-07-01T19:00:00Z", "2026-07-02T07:00:00.5Z"),
            ("2026-03-08T19:00:00Z", "2026-03-09T07:00:00.5Z"),
            ("2026-11-01T19:00:00Z", "2026-11-02T08:00:00.5Z"),
        ] {
            let mut count = CalendarCount::new(DAY, at(noon), MARGIN);
            count.add(10, at(noon), MARGIN);
            assert_eq!(count.free_from(1, 10, at(noon), MARGIN).wall, at(midnight).wall);
            count.advance(at(midnight), MARGIN);
            assert_eq!(count.used, 0);
        }
    }

    #[test]
    fn what_is_used_at_the_boundary_counts_on_both_sides_of_it() {
        let mut count = CalendarCount::new(DAY, at("2026-07-02T06:00:00Z"), MARGIN);
        count.add(5, at("2026-07-02T06:59:00Z"), MARGIN);
        count.add(2, at("2026-07-02T06:59:59.8Z"), MARGIN);
        count.add(1, at("2026-07-02T07:00:00.2Z"), MARGIN);
        assert_eq!(count.used, 8, "not over before the margin has passed");
        count.advance(at("2026-07-02T07:00:00.5Z"), MARGIN);
        assert_eq!((count.used, count.edge), (3, 0));
        count.correct(at("2026-07-02T06:59:59.8Z"), 2, 9, MARGIN);
        assert_eq!(count.used, 3, "the day is over");
    }

    #[test]
    fn after_days_of_silence_nothing_is_left_of_the_edge() {
        let mut count = CalendarCount::new(DAY, at("2026-07-02T06:00:00Z"), MARGIN);
        count.add(2, at("2026-07-02T06:59:59.8Z"), MARGIN);
        count.advance(at("2026-07-09T12:00:00Z"), MARGIN);
        assert_eq!(count.used, 0);
    }

    #[test]
    fn months_end_by_the_calendar() {
        let month = Reset::MonthEnd("UTC");
        let mut count = CalendarCount::new(month, at("2026-02-03T00:00:00Z"), MARGIN);
        count.add(7, at("2026-02-28T23:00:00Z"), MARGIN);
        assert_eq!(count.free_from(4, 10, at("2026-02-28T23:00:00Z"), MARGIN), at("2026-03-01T00:00:00.5Z"));
    }
}
