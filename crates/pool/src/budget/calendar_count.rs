//! What was used in a provider's day or month.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keygate_domain::{Moment, Reset};

use super::amounts::{Amounts, Of};
use super::pace::{Pace, SavedPace, later};
use crate::calendar;

/// A count of requests and tokens that starts over when the provider's calendar says so: how much the sum
/// of everything counted grew since it did. Whoever keeps the sum hands it in.
///
/// The provider's clock is not ours: what is used close to the boundary may count on either side of
/// it. So it counts on both, and the count starts over only once the boundary has passed by a margin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct CalendarCount {
    /// The sum of what was counted before.
    before: Amounts,
    /// Apart, because nearly no request has to look at it.
    period: Box<Period>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Period {
    reset: Reset,
    /// The part of what was used that may belong to the next period.
    edge: Amounts,
    /// When the period at hand began.
    began: Timestamp,
    /// The boundary. By the wall clock: a clock that is put right moves it for us, not for the provider.
    ends: Timestamp,
    /// How fast it grows; goes on over boundaries.
    pace: Pace,
}

/// A count of one kind as it is written down.
pub(super) struct SavedCount {
    pub(super) used: u64,
    pub(super) edge: u64,
    pub(super) ends: Timestamp,
    pub(super) pace: Option<SavedPace>,
}

/// A period and what was used in it.
#[derive(Clone, Copy)]
struct Reading {
    used: Amounts,
    edge: Amounts,
    began: Timestamp,
    ends: Timestamp,
}

impl CalendarCount {
    /// A fresh count, of the period that is not over before the margin has passed. In a time zone
    /// nobody knows it never ends.
    pub(super) fn new(reset: Reset, sum: Amounts, now: Timestamp, margin: Duration) -> Self {
        let (ends, pace) = (next(reset, earlier(now, margin)), Pace::new(reset, sum, now));
        let period = Period { reset, edge: Amounts::default(), began: now, ends, pace };
        Self { before: sum, period: Box::new(period) }
    }

    /// When the period at hand began, and from when on counting is more than adding to the sum.
    pub(super) fn quiet(&self, margin: Duration) -> (Timestamp, Timestamp) {
        let Period { began, ends, pace, .. } = &*self.period;
        (*began, earlier(*ends, margin).min(pace.due()))
    }

    /// Starts over if the boundary has passed.
    pub(super) fn advance(&mut self, sum: Amounts, now: Timestamp, margin: Duration) {
        self.period.pace.advance(sum, now);
        let as_is = self.as_is(sum);
        let Reading { used, edge, began, ends } = self.used_by(as_is, now, margin);
        if ends != as_is.ends {
            self.before = sum.minus(used);
            (self.period.edge, self.period.began, self.period.ends) = (edge, began, ends);
        }
    }

    /// What was counted may belong to the next period, if it was used then.
    pub(super) fn note_edge(&mut self, amounts: Amounts, at: Timestamp, margin: Duration) {
        if self.is_at_the_edge(at, margin) {
            self.period.edge = self.period.edge.plus(amounts);
        }
    }

    /// What was counted as `was` at `at` turned out to be `is`, and the sum is right by now; of an earlier
    /// period nothing changes.
    pub(super) fn correct(&mut self, at: Timestamp, was: Amounts, is: Amounts, margin: Duration) {
        if at < self.period.began {
            self.before = self.before.plus(is).minus(was);
        } else if self.is_at_the_edge(at, margin) {
            self.period.edge = self.period.edge.plus(is).less(was);
        }
    }

    /// No less than what counts: a look at this is enough where there is room even so.
    pub(super) fn at_most(&self, sum: Amounts) -> Amounts {
        sum.since(self.before)
    }

    /// What counts at `now`.
    pub(super) fn used_at(&self, of: Of, sum: Amounts, now: Timestamp, margin: Duration) -> u64 {
        self.used_by(self.as_is(sum), now, margin).used.get(of)
    }

    /// One kind of it, to be written down.
    pub(super) fn save(&self, of: Of, sum: Amounts) -> SavedCount {
        let Reading { used, edge, ends, .. } = self.as_is(sum);
        let pace = Some(self.period.pace.left(of, sum));
        SavedCount { used: used.get(of), edge: edge.get(of), ends, pace }
    }

    /// The same count as it was written down, and the sum of what it counted.
    pub(super) fn restored(&self, of: Of, saved: &SavedCount) -> (Self, Amounts) {
        // No sum may come to where it would wrap.
        let only = |amount: u64| Amounts::only(of, amount.min(1 << 62));
        let used = only(saved.used);
        let Period { reset, began, pace, .. } = *self.period;
        let pace = match saved.pace {
            Some(pace) => Pace::resumed(reset, of, used, pace),
            None => pace.at_rest(used),
        };
        let period = Period { reset, edge: only(saved.edge), began, ends: saved.ends, pace };
        (Self { before: Amounts::default(), period: Box::new(period) }, used)
    }

    /// Counts what another count counted, of which `others` is the sum. Of two periods the later one is at
    /// hand, and what may belong to it of the earlier one counts there.
    pub(super) fn absorb(&mut self, sum: Amounts, other: &Self, others: Amounts) {
        self.period.pace.absorb(sum, other.period.pace, others);
        let (mut late, mut early) = (self.as_is(sum), other.as_is(others));
        if early.ends > late.ends {
            std::mem::swap(&mut late, &mut early);
        }
        if early.ends == late.ends {
            late.used = late.used.plus(early.used);
            late.edge = late.edge.plus(early.edge);
            late.began = late.began.min(early.began);
        } else if next(self.period.reset, early.ends) == late.ends {
            late.used = late.used.plus(early.edge);
        }
        self.before = sum.minus(late.used);
        (self.period.edge, self.period.began, self.period.ends) = (late.edge, late.began, late.ends);
    }

    /// From when on `amount` more stays within `limit`; more than the limit fits a fresh period.
    pub(super) fn free_from(
        &self,
        of: Of,
        sum: Amounts,
        (amount, limit): (u64, u64),
        now: Moment,
        margin: Duration,
    ) -> Moment {
        let fits = |used: u64| used == 0 || used.saturating_add(amount) <= limit;
        // What fits the period at hand fits a fresh one: nearly always there is no need to know which it is.
        if fits(self.at_most(sum).get(of)) {
            return now;
        }
        let Reading { used, edge, ends, .. } = self.used_by(self.as_is(sum), now.wall, margin);
        if fits(used.get(of)) {
            return now;
        }
        let boundary = if fits(edge.get(of)) { ends } else { next(self.period.reset, ends) };
        now.at_wall(later(boundary, margin))
    }

    /// When `limit` is used up if it goes on like lately; `None` if it starts over before that, is
    /// used up already, or nobody can say.
    pub(super) fn runs_out_at(
        &self,
        of: Of,
        sum: Amounts,
        limit: u64,
        now: Moment,
        margin: Duration,
    ) -> Option<Moment> {
        let Reading { used, ends, .. } = self.used_by(self.as_is(sum), now.wall, margin);
        let left = limit.checked_sub(used.get(of)).filter(|left| *left > 0)?;
        let at = now.after(self.period.pace.lasts(of, left, sum, now.wall)?);
        (at.wall < ends).then_some(at)
    }

    /// The boundary of the period at hand.
    pub(super) fn ends(&self) -> Timestamp {
        self.period.ends
    }

    /// When the period is over, for us.
    pub(super) fn over_at(&self, now: Moment, margin: Duration) -> Moment {
        now.at_wall(later(self.period.ends, margin))
    }

    fn as_is(&self, sum: Amounts) -> Reading {
        let Period { edge, began, ends, .. } = *self.period;
        Reading { used: self.at_most(sum), edge, began, ends }
    }

    /// The same when time has come to `now`.
    fn used_by(&self, as_is: Reading, now: Timestamp, margin: Duration) -> Reading {
        if now < as_is.ends || now < later(as_is.ends, margin) {
            return as_is;
        }
        let is_next = now < next(self.period.reset, as_is.ends);
        let used = if is_next { as_is.edge } else { Amounts::default() };
        Reading { used, edge: Amounts::default(), began: now, ends: next(self.period.reset, now) }
    }

    fn is_at_the_edge(&self, at: Timestamp, margin: Duration) -> bool {
        later(at, margin) >= self.period.ends
    }
}

fn next(reset: Reset, wall: Timestamp) -> Timestamp {
    let now = Moment { mono: Duration::ZERO, wall };
    calendar::next(reset, now).map_or(Timestamp::MAX, |next| next.wall)
}

fn earlier(wall: Timestamp, span: Duration) -> Timestamp {
    SignedDuration::try_from(span).ok().and_then(|span| wall.checked_sub(span).ok()).unwrap_or(wall)
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

    /// A count of requests and the sum that it is a count of.
    struct Counted {
        count: CalendarCount,
        sum: Amounts,
    }

    impl Counted {
        fn since(reset: Reset, now: Moment) -> Self {
            let sum = Amounts { requests: 77, tokens: 5 };
            Self { count: CalendarCount::new(reset, sum, now.wall, MARGIN), sum }
        }

        fn add(&mut self, amount: u64, now: Moment) {
            let amounts = Amounts::only(Of::Requests, amount);
            self.count.advance(self.sum, now.wall, MARGIN);
            self.sum = self.sum.plus(amounts);
            self.count.note_edge(amounts, now.wall, MARGIN);
        }

        fn correct(&mut self, at: Moment, was: u64, is: u64) {
            let [was, is] = [was, is].map(|amount| Amounts::only(Of::Requests, amount));
            self.sum = self.sum.plus(is).minus(was);
            self.count.correct(at.wall, was, is, MARGIN);
        }

        fn advance(&mut self, now: Moment) {
            self.count.advance(self.sum, now.wall, MARGIN);
        }

        fn used(&self) -> u64 {
            self.count.at_most(self.sum).requests
        }

        fn free_from(&self, amount: u64, limit: u64, now: Moment) -> Moment {
            self.count.free_from(Of::Requests, self.sum, (amount, limit), now, MARGIN)
        }
    }

    #[test]
    fn a_day_starts_over_at_pacific_midnight_on_days_of_23_and_25_hours_too() {
        // 2026-03-08 has 23 hours, 2026-11-01 has 25.
        for (noon, midnight) in [
            ("2026-07-01T19:00:00Z", "2026-07-02T07:00:00.5Z"),
            ("2026-03-08T19:00:00Z", "2026-03-09T07:00:00.5Z"),
            ("2026-11-01T19:00:00Z", "2026-11-02T08:00:00.5Z"),
        ] {
            let mut count = Counted::since(DAY, at(noon));
            count.add(10, at(noon));
            assert_eq!(count.free_from(1, 10, at(noon)).wall, at(midnight).wall);
            count.advance(at(midnight));
            assert_eq!(count.used(), 0);
        }
    }

    #[test]
    fn what_is_used_at_the_boundary_counts_on_both_sides_of_it() {
        let mut count = Counted::since(DAY, at("2026-07-02T06:00:00Z"));
        count.add(5, at("2026-07-02T06:59:00Z"));
        count.add(2, at("2026-07-02T06:59:59.8Z"));
        count.add(1, at("2026-07-02T07:00:00.2Z"));
        assert_eq!(count.used(), 8, "not over before the margin has passed");
        count.advance(at("2026-07-02T07:00:00.5Z"));
        assert_eq!((count.used(), count.count.period.edge.requests), (3, 0));
        count.correct(at("2026-07-02T06:59:59.8Z"), 2, 9);
        assert_eq!(count.used(), 3, "the day is over");
    }

    #[test]
    fn after_days_of_silence_nothing_is_left_of_the_edge() {
        let mut count = Counted::since(DAY, at("2026-07-02T06:00:00Z"));
        count.add(2, at("2026-07-02T06:59:59.8Z"));
        count.advance(at("2026-07-09T12:00:00Z"));
        assert_eq!(count.used(), 0);
    }

    #[test]
    fn months_end_by_the_calendar() {
        let month = Reset::MonthEnd("UTC");
        let mut count = Counted::since(month, at("2026-02-03T00:00:00Z"));
        count.add(7, at("2026-02-28T23:00:00Z"));
        assert_eq!(count.free_from(4, 10, at("2026-02-28T23:00:00Z")), at("2026-03-01T00:00:00.5Z"));
    }
}
