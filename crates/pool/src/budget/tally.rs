//! What was used of one bucket: counted once, and read off as minutes, days and months.

use std::time::Duration;

use jiff::Timestamp;
use keygate_domain::{Metric, Moment, Spend};

use super::Budgets;
use super::amounts::{Amounts, Of};
use super::calendar_count::{CalendarCount, SavedCount};
use super::window::MinuteWindow;

/// What counts over a time. Limited or not: a limit that is stated later, or that comes with another
/// group, finds what was used before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Tally {
    minute: MinuteWindow,
    /// All that was ever counted, less what turned out not to be used.
    sum: Amounts,
    /// What is counted between these moments is added to the sum and to the minute, and that is all.
    quiet: (Timestamp, Timestamp),
    day: CalendarCount,
    month: CalendarCount,
}

/// A metric that counts over a time: in what, and of what.
#[derive(Clone, Copy)]
enum Count {
    Minute(Of),
    Day(Of),
    Month(Of),
}

impl Count {
    /// `None` for what runs, for intervals, and for what nobody counts.
    fn of(metric: Metric) -> Option<Self> {
        match metric {
            Metric::RequestsPerMinute => Some(Self::Minute(Of::Requests)),
            Metric::InputTokensPerMinute => Some(Self::Minute(Of::Tokens)),
            Metric::RequestsPerDay => Some(Self::Day(Of::Requests)),
            Metric::TokensPerDay => Some(Self::Day(Of::Tokens)),
            Metric::TokensPerMonth => Some(Self::Month(Of::Tokens)),
            Metric::Concurrent
            | Metric::MinInterval
            | Metric::Unnamed
            | Metric::Spend
            | Metric::Tier
            | Metric::Storage => None,
        }
    }
}

/// No less than what counts.
#[derive(Clone, Copy)]
pub(super) struct AtMost {
    pub(super) minute: Amounts,
    pub(super) day: Amounts,
    pub(super) month: Amounts,
}

/// One metric as it is written down.
pub(super) enum SavedTally {
    Minute(Vec<(Duration, u64)>),
    Period(SavedCount),
}

impl Tally {
    pub(super) fn new(budgets: &Budgets, now: Moment) -> Self {
        let sum = Amounts::default();
        let count = |reset| CalendarCount::new(reset, sum, now.wall, budgets.margin);
        let (day, month) = (count(budgets.day), count(budgets.month));
        let mut tally =
            Self { minute: MinuteWindow::default(), sum, quiet: (now.wall, now.wall), day, month };
        tally.plan(budgets.margin);
        tally
    }

    /// Counts a request that is sent now.
    pub(super) fn add(&mut self, spend: &Spend, now: Moment, margin: Duration) {
        let amounts = Amounts::of_period(spend);
        if now.wall >= self.quiet.1 {
            self.advance(now.wall, margin);
        }
        self.minute.add(Amounts::of_minute(spend), now.mono, margin);
        self.sum = self.sum.plus(amounts);
        if now.wall >= self.quiet.1 {
            self.day.note_edge(amounts, now.wall, margin);
            self.month.note_edge(amounts, now.wall, margin);
        }
    }

    /// What was counted as `was` at `at` turned out to be `is`.
    pub(super) fn correct(&mut self, at: Moment, was: &Spend, is: &Spend, margin: Duration) {
        self.minute.correct(at.mono, Amounts::of_minute(was), Amounts::of_minute(is));
        let (was, is) = (Amounts::of_period(was), Amounts::of_period(is));
        self.sum = self.sum.plus(is).minus(was);
        if at.wall < self.quiet.0 || at.wall >= self.quiet.1 {
            self.day.correct(at.wall, was, is, margin);
            self.month.correct(at.wall, was, is, margin);
        }
    }

    /// Reads a little of everything that counting looks at.
    pub(super) fn fetch(&self) -> impl Sized {
        (self.minute.fetch(), self.sum, self.quiet, self.at_most().month)
    }

    /// Starts periods over that ended.
    pub(super) fn advance(&mut self, now: Timestamp, margin: Duration) {
        self.day.advance(self.sum, now, margin);
        self.month.advance(self.sum, now, margin);
        self.plan(margin);
    }

    /// Finds out anew when there is more to do than to add.
    pub(super) fn plan(&mut self, margin: Duration) {
        let (day, month) = (self.day.quiet(margin), self.month.quiet(margin));
        self.quiet = (day.0.max(month.0), day.1.min(month.1));
    }

    /// Counts what another tally counted.
    pub(super) fn absorb(&mut self, other: Self, margin: Duration) {
        let Self { minute, sum, quiet: _, day, month } = other;
        self.minute.absorb(minute);
        self.day.absorb(self.sum, &day, sum);
        self.month.absorb(self.sum, &month, sum);
        self.plan(margin);
    }

    /// A quick look: where there is room even so, nobody need know more.
    pub(super) fn at_most(&self) -> AtMost {
        AtMost {
            minute: self.minute.at_most(),
            day: self.day.at_most(self.sum),
            month: self.month.at_most(self.sum),
        }
    }

    pub(super) fn used(&self, metric: Metric, now: Moment, margin: Duration) -> Option<u64> {
        Some(match Count::of(metric)? {
            Count::Minute(of) => self.minute.used(now.mono, margin).get(of),
            Count::Day(of) => self.day.used_at(of, self.sum, now.wall, margin),
            Count::Month(of) => self.month.used_at(of, self.sum, now.wall, margin),
        })
    }

    /// From when on `amount` more stays within `limit`.
    pub(super) fn free_from(
        &self,
        metric: Metric,
        (amount, limit): (u64, u64),
        now: Moment,
        margin: Duration,
    ) -> Option<Moment> {
        let free = match Count::of(metric)? {
            Count::Minute(of) => {
                let free = self.minute.free_from(of, amount, limit, now.mono, margin);
                now.after(free.saturating_sub(now.mono))
            }
            Count::Day(of) => self.day.free_from(of, self.sum, (amount, limit), now, margin),
            Count::Month(of) => self.month.free_from(of, self.sum, (amount, limit), now, margin),
        };
        Some(free)
    }

    /// When `limit` is used up before it starts over, if that is to be expected.
    pub(super) fn runs_out_at(
        &self,
        metric: Metric,
        limit: u64,
        now: Moment,
        margin: Duration,
    ) -> Option<Moment> {
        match Count::of(metric)? {
            Count::Minute(_) => None,
            Count::Day(of) => self.day.runs_out_at(of, self.sum, limit, now, margin),
            Count::Month(of) => self.month.runs_out_at(of, self.sum, limit, now, margin),
        }
    }

    /// When less is used though nobody tells.
    pub(super) fn next_slide(&self, metric: Metric, now: Moment, margin: Duration) -> Option<Moment> {
        let end_of = |count: &CalendarCount, of| {
            (count.at_most(self.sum).get(of) > 0).then(|| count.over_at(now, margin))
        };
        match Count::of(metric)? {
            Count::Minute(of) => {
                let next = self.minute.next_leave(of, now.mono, margin)?;
                Some(now.after(next.saturating_sub(now.mono)))
            }
            Count::Day(of) => end_of(&self.day, of),
            Count::Month(of) => end_of(&self.month, of),
        }
    }

    /// When what was used is back, all of it.
    pub(super) fn resets_at(&self, metric: Metric, now: Moment, margin: Duration) -> Option<Moment> {
        match Count::of(metric)? {
            Count::Minute(of) => {
                let empty = self.minute.empty_from(of, margin).filter(|empty| *empty > now.mono)?;
                Some(now.after(empty.saturating_sub(now.mono)))
            }
            Count::Day(_) => Some(now.at_wall(self.day.ends())),
            Count::Month(_) => Some(now.at_wall(self.month.ends())),
        }
    }

    /// One metric, to be written down.
    pub(super) fn save(&self, metric: Metric) -> Option<SavedTally> {
        Some(match Count::of(metric)? {
            Count::Minute(of) => SavedTally::Minute(self.minute.entries(of).collect()),
            Count::Day(of) => SavedTally::Period(self.day.save(of, self.sum)),
            Count::Month(of) => SavedTally::Period(self.month.save(of, self.sum)),
        })
    }

    /// Counts what was written down of a metric besides what it counts.
    pub(super) fn restore(&mut self, metric: Metric, saved: SavedTally, now: Moment, margin: Duration) {
        match (Count::of(metric), saved) {
            (Some(Count::Minute(of)), SavedTally::Minute(entries)) => {
                self.minute.absorb(MinuteWindow::of(of, entries.into_iter()));
            }
            (Some(Count::Day(of)), SavedTally::Period(saved)) => {
                let (count, sum) = self.day.restored(of, &saved);
                self.day.absorb(self.sum, &count, sum);
            }
            (Some(Count::Month(of)), SavedTally::Period(saved)) => {
                let (count, sum) = self.month.restored(of, &saved);
                self.month.absorb(self.sum, &count, sum);
            }
            (_, SavedTally::Minute(_) | SavedTally::Period(_)) => {}
        }
        self.advance(now.wall, margin);
    }
}
