//! A wheel of fortune: a field for each usable key, as wide as its score plus one.
//!
//! Scores grow with time, all at the same pace, so the width of any run of fields follows from
//! three sums that change only when a key does: how many keys, how many of them recover, and when
//! those will be whole. A tree of such sums (Fenwick's) finds the field under a point in
//! O(log n), at whatever time, without touching the keys that recovered a little meanwhile.

use crate::health::WHOLE;

/// The width of a whole key's field. The one point more keeps a key at 0 in the game: beside a
/// single whole one it has one turn in a hundred, beside a hundred of them one in ten thousand.
pub(super) const WIDEST: u64 = WHOLE + 1;

/// Sums over a run of fields. They are those of the keys in it and so never below nothing; that
/// is why what is taken away may be added as its complement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Run {
    keys: u32,
    recovering: u32,
    /// The ticks at which those recovering will be whole, added up.
    whole_ticks: u64,
}

impl Run {
    fn of(whole_tick: Option<u64>) -> Self {
        Self {
            keys: 1,
            recovering: u32::from(whole_tick.is_some()),
            whole_ticks: whole_tick.unwrap_or_default(),
        }
    }

    fn add(&mut self, other: Self) {
        self.keys = self.keys.wrapping_add(other.keys);
        self.recovering = self.recovering.wrapping_add(other.recovering);
        self.whole_ticks = self.whole_ticks.wrapping_add(other.whole_ticks);
    }

    fn negated(self) -> Self {
        Self {
            keys: self.keys.wrapping_neg(),
            recovering: self.recovering.wrapping_neg(),
            whole_ticks: self.whole_ticks.wrapping_neg(),
        }
    }

    /// How wide the run is, as long as none of those recovering should be whole by now.
    fn width(self, tick: u64) -> u64 {
        let lacking = self.whole_ticks.saturating_sub(u64::from(self.recovering) * tick);
        (u64::from(self.keys) * WIDEST).saturating_sub(lacking)
    }
}

/// The fields of all keys.
#[derive(Clone, Debug)]
pub(super) struct Wheel {
    /// `runs[n]` sums up the keys from `n - lowest bit of n` to before `n`; `runs[0]` is not used.
    runs: Vec<Run>,
    all: Run,
    tick: u64,
}

impl Wheel {
    /// No key has a field.
    pub(super) fn new(size: usize) -> Self {
        Self { runs: vec![Run::default(); size + 1], all: Run::default(), tick: 0 }
    }

    /// Lets time pass, in points of health. Keys that became whole have to be told before.
    pub(super) fn set_tick(&mut self, tick: u64) {
        self.tick = tick;
    }

    /// Gives a key a field; it will be whole at `whole_tick`, if it is not.
    pub(super) fn add(&mut self, key: usize, whole_tick: Option<u64>) {
        self.change(key, Run::of(whole_tick));
    }

    /// Takes a field away that [`Wheel::add`] gave.
    pub(super) fn take(&mut self, key: usize, whole_tick: Option<u64>) {
        self.change(key, Run::of(whole_tick).negated());
    }

    /// A key with a field will be whole at another time than was told.
    pub(super) fn alter(&mut self, key: usize, was: Option<u64>, is: Option<u64>) {
        let mut by = Run::of(is);
        by.add(Run::of(was).negated());
        self.change(key, by);
    }

    /// Whether every key that has a field is whole.
    pub(super) fn is_whole(&self) -> bool {
        self.all.recovering == 0
    }

    /// How wide a key's field is, or would be.
    pub(super) fn width_of(&self, whole_tick: Option<u64>) -> u64 {
        Run::of(whole_tick).width(self.tick)
    }

    /// How wide all fields are together.
    pub(super) fn width(&self) -> u64 {
        self.all.width(self.tick)
    }

    /// How wide they would be if every key had one and were whole.
    pub(super) fn full_width(&self) -> u64 {
        (self.runs.len() as u64 - 1) * WIDEST
    }

    /// The key whose field `point` lies in; `point` is below [`Wheel::width`].
    pub(super) fn key_at(&self, mut point: u64) -> usize {
        let size = self.runs.len() - 1;
        let mut before = 0;
        let mut step = if size == 0 { 0 } else { 1 << size.ilog2() };
        while step > 0 {
            let next = before + step;
            if next <= size {
                let width = self.runs[next].width(self.tick);
                if width <= point {
                    point -= width;
                    before = next;
                }
            }
            step /= 2;
        }
        before
    }

    fn change(&mut self, key: usize, by: Run) {
        self.all.add(by);
        let mut at = key + 1;
        while at < self.runs.len() {
            self.runs[at].add(by);
            let lowest_bit = at & at.wrapping_neg();
            at += lowest_bit;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against fields that are laid out one after the other.
        #[test]
        fn every_point_lies_in_the_field_of_its_key(
            scores in prop::collection::vec(prop::option::of(0_u64..=100), 0..40),
            start in 0_u64..1_000_000,
            passed in 0_u64..120,
        ) {
            let mut wheel = Wheel::new(scores.len());
            wheel.set_tick(start);
            let whole_tick = |score: u64| (score < 100).then_some(start + 100 - score);
            for (key, score) in scores.iter().enumerate() {
                wheel.add(key, whole_tick(score.unwrap_or(7)));
                if score.is_none() {
                    wheel.take(key, whole_tick(7));
                }
            }
            let now = start + passed;
            for (key, score) in scores.iter().enumerate() {
                if let Some(tick) = score.and_then(whole_tick).filter(|tick| *tick <= now) {
                    wheel.take(key, Some(tick));
                    wheel.add(key, None);
                }
            }
            wheel.set_tick(now);
            let fields = scores.iter().enumerate().flat_map(|(key, score)| {
                let width = score.map_or(0, |score| 100.min(score + passed) + 1);
                std::iter::repeat_n(key, usize::try_from(width).unwrap())
            });
            let fields: Vec<usize> = fields.collect();
            prop_assert_eq!(wheel.width(), fields.len() as u64);
            let found: Vec<usize> = (0..wheel.width()).map(|point| wheel.key_at(point)).collect();
            prop_assert_eq!(found, fields);
        }
    }
}
