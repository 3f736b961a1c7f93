//! How fast a budget is being used, for saying when it will run out.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keygate_domain::Reset;

use super::amounts::{Amounts, Of};

/// The rate of use lately: what was used, the older the less it counts.
///
/// What a day holds is told by the last hour or so: half as much counts for what was used half an hour
/// ago. A month has nights and weekends in it, which the last hour knows nothing of; there the half is a
/// day. Uses are gathered in slots, and what a slot holds is how much the sum of everything counted grew
/// since it began: counting one costs nothing here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pace {
    /// How long a slot is; [`Pace::SLOTS`] of them are the time after which a use counts half.
    slot_length: Duration,
    /// Since when it is watched.
    since: Timestamp,
    /// When the slot at hand began.
    slot: Timestamp,
    /// What was used before the slot, weighed by its age when the slot began, in thousandths.
    earlier: Amounts,
    /// The sum when the slot began. A correction may take more away than was used in it.
    before: Amounts,
}

/// A pace as it outlives a restart: since when it is watched, at which moment the third is what was
/// used, weighed, in thousandths.
pub(super) type SavedPace = (Timestamp, Timestamp, u64);

impl Pace {
    /// Slots in the time after which what was used counts half: what is off by half a slot is off by 1 %.
    const SLOTS: u32 = 32;
    /// Nothing is told before this part of the half life was watched: a start is a burst more often
    /// than not.
    const WARM_UP: u32 = 6;

    /// Nothing was used yet; `sum` is what was counted so far.
    pub(super) fn new(reset: Reset, sum: Amounts, now: Timestamp) -> Self {
        let slot_length = half_life(reset) / Self::SLOTS;
        Self { slot_length, since: now, slot: now, earlier: Amounts::default(), before: sum }
    }

    /// A pace as an earlier process left it, of one kind.
    pub(super) fn resumed(reset: Reset, of: Of, sum: Amounts, (since, slot, earlier): SavedPace) -> Self {
        Self { since, earlier: Amounts::only(of, earlier), ..Self::new(reset, sum, slot) }
    }

    /// What [`Pace::resumed`] takes.
    pub(super) fn left(&self, of: Of, sum: Amounts) -> SavedPace {
        let recent = self.recent(of, sum) as f64 * 1e3;
        (self.since, self.slot, thousandths(self.earlier.get(of) as f64 + recent))
    }

    /// The pace of somebody who was watched for as long and used nothing.
    pub(super) fn at_rest(&self, sum: Amounts) -> Self {
        Self { earlier: Amounts::default(), before: sum, ..*self }
    }

    /// When the slot at hand is full.
    pub(super) fn due(&self) -> Timestamp {
        later(self.slot, self.slot_length)
    }

    /// Begins a slot if the one at hand is full.
    pub(super) fn advance(&mut self, sum: Amounts, now: Timestamp) {
        if elapsed(self.slot, now) >= self.slot_length {
            self.begin_slot(sum, now);
        }
    }

    /// Adds what was used by others that count as one from here on, and of whom `others` is the sum.
    pub(super) fn absorb(&mut self, sum: Amounts, mut other: Self, others: Amounts) {
        let slot = self.slot.max(other.slot);
        self.begin_slot(sum, slot);
        other.begin_slot(others, slot);
        self.earlier = self.earlier.plus(other.earlier);
        self.since = self.since.min(other.since);
    }

    /// How long until `left` more is used if it goes on like this; `None` while nobody can say, and
    /// where it never is.
    pub(super) fn lasts(&self, of: Of, left: u64, sum: Amounts, now: Timestamp) -> Option<Duration> {
        let watched = elapsed(self.since, now);
        if watched < self.half_life() / Self::WARM_UP {
            return None;
        }
        let used = self.weighed(of, sum, now) / 1e3;
        // The weights of all the time that was watched add up to this many seconds.
        let weight = self.half_life().as_secs_f64() / std::f64::consts::LN_2 * (1.0 - self.fading(watched));
        let per_second = used / weight;
        if per_second <= 0.0 {
            return None;
        }
        Duration::try_from_secs_f64(left as f64 / per_second).ok()
    }

    fn begin_slot(&mut self, sum: Amounts, now: Timestamp) {
        let weighed = |of| thousandths(self.weighed(of, sum, now));
        self.earlier = Amounts { requests: weighed(Of::Requests), tokens: weighed(Of::Tokens) };
        self.before = sum;
        self.slot = self.slot.max(now);
    }

    /// All that was used, weighed by its age at `now`, in thousandths. What the slot holds is as old as
    /// its middle: whatever is used later begins another.
    fn weighed(&self, of: Of, sum: Amounts, now: Timestamp) -> f64 {
        let age = elapsed(self.slot, now);
        let of_middle = age.saturating_sub(age.min(self.slot_length) / 2);
        let recent = self.recent(of, sum) as f64 * 1e3;
        self.earlier.get(of) as f64 * self.fading(age) + recent * self.fading(of_middle)
    }

    /// What was used in the slot.
    fn recent(&self, of: Of, sum: Amounts) -> i64 {
        sum.minus(self.before).get(of).cast_signed()
    }

    fn half_life(&self) -> Duration {
        self.slot_length * Self::SLOTS
    }

    /// How much of a use counts at this age.
    fn fading(&self, age: Duration) -> f64 {
        (-age.as_secs_f64() / self.half_life().as_secs_f64()).exp2()
    }
}

fn half_life(reset: Reset) -> Duration {
    match reset {
        Reset::Midnight(_) => Duration::from_mins(30),
        Reset::MonthEnd(_) => Duration::from_hours(24),
    }
}

/// The wall time after a span.
pub(super) fn later(wall: Timestamp, span: Duration) -> Timestamp {
    let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    wall.saturating_add(span).unwrap_or(Timestamp::MAX)
}

/// A wall clock that is put back stands still for a while.
fn elapsed(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from).max(SignedDuration::ZERO)).unwrap_or_default()
}

#[expect(clippy::cast_sign_loss, reason = "the cast saturates: what is below zero is zero")]
fn thousandths(amount: f64) -> u64 {
    amount.round() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: Reset = Reset::Midnight("UTC");

    /// A pace and the sum that it is the pace of.
    struct Watched {
        pace: Pace,
        sum: Amounts,
    }

    impl Watched {
        fn since(now: Timestamp) -> Self {
            Self { pace: Pace::new(DAY, Amounts::default(), now), sum: Amounts::default() }
        }

        fn add(&mut self, amount: u64, now: Timestamp) {
            self.pace.advance(self.sum, now);
            self.sum = self.sum.plus(Amounts::only(Of::Tokens, amount));
        }

        fn correct(&mut self, was: u64, is: u64) {
            let [was, is] = [was, is].map(|amount| Amounts::only(Of::Tokens, amount));
            self.sum = self.sum.plus(is).minus(was);
        }

        fn lasts(&self, left: u64, now: Timestamp) -> Option<Duration> {
            self.pace.lasts(Of::Tokens, left, self.sum, now)
        }
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_millis(millis.cast_signed())
    }

    fn minutes(minutes: u64) -> u64 {
        minutes * 60_000
    }

    proptest! {
        /// Whoever uses as much again and again uses `left` in as long as that takes, wherever one looks.
        #[test]
        fn a_constant_rate_is_told_as_it_is(
            gap in 50_u64..30_000,
            amount in 1_u64..5_000,
            watched in minutes(6)..minutes(400),
            left in 1_u64..10_000_000,
        ) {
            let mut pace = Watched::since(at(0));
            let mut now = 0;
            while now < watched {
                pace.add(amount, at(now));
                now += gap;
            }
            let expected = left as f64 / (amount as f64 / (gap as f64 / 1e3));
            let told = pace.lasts(left, at(now)).unwrap().as_secs_f64();
            prop_assert!((told / expected - 1.0).abs() < 0.05, "{told} instead of {expected}");
        }

        /// How uses are spread within a few minutes matters little, and corrections count.
        #[test]
        fn what_was_reserved_counts_as_what_it_turned_out_to_be(
            bursts in prop::collection::vec((1_u64..60, 0_u64..200, 0_u64..200), 60..200),
        ) {
            let (mut reserved, mut plain) = (Watched::since(at(0)), Watched::since(at(0)));
            for (minute, (count, was, is)) in bursts.iter().enumerate() {
                let now = at(minutes(minute as u64));
                for _ in 0..*count {
                    reserved.add(*was, now);
                    reserved.correct(*was, *is);
                    plain.add(*is, now);
                }
            }
            let now = at(minutes(bursts.len() as u64));
            prop_assert_eq!(reserved.lasts(1_000_000, now), plain.lasts(1_000_000, now));
        }
    }

    #[test]
    fn nothing_is_told_of_what_was_watched_for_too_short_or_is_not_used() {
        let mut pace = Watched::since(at(0));
        pace.add(1_000, at(0));
        assert_eq!(pace.lasts(10, at(minutes(5) - 1)), None);
        assert!(pace.lasts(10, at(minutes(5))).is_some());
        assert_eq!(Watched::since(at(0)).lasts(10, at(minutes(60))), None);
    }

    #[test]
    fn what_was_used_long_ago_is_forgotten() {
        let mut pace = Watched::since(at(0));
        for minute in 0..60 {
            pace.add(100, at(minutes(minute)));
        }
        let then = pace.lasts(100, at(minutes(60))).unwrap();
        let later = pace.lasts(100, at(minutes(60 + 5 * 30))).unwrap();
        assert!(later > then * 20, "five half lives: {then:?}, {later:?}");
    }

    #[test]
    fn two_that_become_one_are_as_fast_as_both() {
        let (mut one, mut other) = (Watched::since(at(0)), Watched::since(at(0)));
        for minute in 0..120 {
            one.add(10, at(minutes(minute)));
            other.add(30, at(minutes(minute) + 7_000));
        }
        one.pace.absorb(one.sum, other.pace, other.sum);
        let lasts = one.lasts(4_000, at(minutes(120))).unwrap().as_secs_f64();
        assert!((lasts / 6_000.0 - 1.0).abs() < 0.05, "40 a minute: {lasts}");
    }

    #[test]
    fn another_process_goes_on_where_one_ended() {
        let mut pace = Watched::since(at(0));
        for minute in 0..120 {
            pace.add(10, at(minutes(minute)));
        }
        let sum = Amounts::default();
        let resumed = Pace::resumed(DAY, Of::Tokens, sum, pace.pace.left(Of::Tokens, pace.sum));
        let lasts = |pace: &Watched| pace.lasts(1_000, at(minutes(120))).unwrap().as_secs_f64();
        assert!((lasts(&Watched { pace: resumed, sum }) / lasts(&pace) - 1.0).abs() < 0.02);
    }

    #[test]
    fn a_clock_that_is_put_back_makes_no_nonsense() {
        let mut pace = Watched::since(at(minutes(60)));
        for minute in 60..120 {
            pace.add(10, at(minutes(minute)));
        }
        pace.add(10, at(minutes(3)));
        assert_eq!(pace.lasts(100, at(minutes(3))), None);
        assert!(pace.lasts(100, at(minutes(120))).is_some());
    }
}
