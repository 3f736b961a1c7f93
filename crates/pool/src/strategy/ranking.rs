//! Numbers for keys, and the usable key with the lowest one: a tree of minima.
//!
//! Changing a number and finding the lowest cost O(log n). Of keys with the same number the first
//! one at or after a given position comes first, the round closing at the end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Rank;

/// A number below 2⁶³ for each key, and which keys take part.
#[derive(Clone, Debug)]
pub(super) struct Ranking {
    size: usize,
    /// The first level has the keys' own numbers, each further one the lowest of each run of the one before,
    /// the last a single run. What takes no part is marked as out.
    levels: Vec<Vec<Run>>,
}

/// As many numbers as there is room for in a line of memory: ten thousand keys are five levels of such.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Run([u64; WIDTH]);

const WIDTH: usize = 8;

/// Marks a number that takes no part: larger than any that does.
const OUT: u64 = 1 << 63;

impl Run {
    fn least(&self) -> u64 {
        self.0.iter().copied().fold(u64::MAX, u64::min)
    }

    /// The first place from `start` on with a number of at most `value`.
    fn first_with(&self, start: usize, value: u64) -> Option<usize> {
        (start..WIDTH).find(|place| self.0[*place] <= value)
    }
}

impl Ranking {
    /// Zero for every key, and none takes part.
    pub(super) fn new(size: usize) -> Self {
        let mut levels = Vec::new();
        let mut runs = size.max(1).div_ceil(WIDTH);
        loop {
            levels.push(vec![Run([OUT; WIDTH]); runs]);
            if runs == 1 {
                return Self { size, levels };
            }
            runs = runs.div_ceil(WIDTH);
        }
    }

    /// Lets a key take part, or not.
    pub(super) fn set_usable(&mut self, key: usize, usable: bool) {
        let value = self.value(key);
        self.put(key, if usable { value } else { value | OUT });
    }

    /// Changes a key's number, whether it takes part or not.
    pub(super) fn set_value(&mut self, key: usize, value: u64) {
        let out = self.number(key) & OUT;
        self.put(key, (value & !OUT) | out);
    }

    /// Lets a key take part with this number.
    pub(super) fn enter(&mut self, key: usize, value: u64) {
        self.put(key, value & !OUT);
    }

    pub(super) fn value(&self, key: usize) -> u64 {
        self.number(key) & !OUT
    }

    /// The lowest number of all that take part.
    pub(super) fn least(&self) -> Option<u64> {
        let top = self.levels.last().and_then(|level| level.first())?;
        Some(top.least()).filter(|least| *least < OUT)
    }

    /// The first of the lowest, from `start` on round, among those `wanted`.
    pub(super) fn lowest(&self, start: usize, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        let least = self.least()?;
        let first = self.first_with(start, least).or_else(|| self.first_with(0, least))?;
        if wanted(first) { Some(first) } else { self.lowest_wanted(start, wanted) }
    }

    /// Where a key stands in the order that begins at `start`.
    pub(super) fn rank(&self, start: usize, key: usize) -> Rank {
        let ahead = if key >= start { key - start } else { key + self.size - start };
        (0, u128::from(self.value(key)) << 64 | ahead as u128)
    }

    /// How many keys have a number.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// How many keys take part.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        (0..self.size).filter(|key| self.number(*key) < OUT).count()
    }

    fn number(&self, key: usize) -> u64 {
        self.levels[0][key / WIDTH].0[key % WIDTH]
    }

    fn put(&mut self, key: usize, mut value: u64) {
        let mut at = key;
        for level in &mut self.levels {
            let run = &mut level[at / WIDTH];
            if run.0[at % WIDTH] == value {
                return;
            }
            run.0[at % WIDTH] = value;
            value = run.least();
            at /= WIDTH;
        }
    }

    /// The first key from `start` to the end whose number is at most `value`.
    fn first_with(&self, start: usize, value: u64) -> Option<usize> {
        let mut at = start;
        for (height, level) in self.levels.iter().enumerate() {
            if let Some(place) = level.get(at / WIDTH)?.first_with(at % WIDTH, value) {
                return self.first_below(height, at - at % WIDTH + place, value);
            }
            // On to the run right of this one.
            at = at / WIDTH + 1;
        }
        None
    }

    /// The first key with at most `value` below a place of a level that has it.
    fn first_below(&self, height: usize, mut at: usize, value: u64) -> Option<usize> {
        for level in self.levels[..height].iter().rev() {
            at = at * WIDTH + level[at].first_with(0, value)?;
        }
        Some(at)
    }

    /// The same as [`Ranking::lowest`], past those that are not wanted: O(log n) for each.
    fn lowest_wanted(&self, start: usize, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        let mut open = BinaryHeap::new();
        let consider = |open: &mut BinaryHeap<_>, height: usize, at: usize, is_after_the_end: bool| {
            let number = self.levels[height][at / WIDTH].0[at % WIDTH];
            if number < OUT {
                // Of equal numbers the one whose first key comes first.
                let first = at * WIDTH.pow(height as u32);
                open.push(Reverse((number, is_after_the_end, first, height, at)));
            }
        };
        // What lies from `start` on, and what lies before it, in runs as long as can be.
        let mut at = start;
        for height in 0..self.levels.len() {
            let run = at - at % WIDTH;
            (run..at).for_each(|left| consider(&mut open, height, left, true));
            let right = if height == 0 { at } else { at + 1 };
            (right..run + WIDTH).for_each(|right| consider(&mut open, height, right, false));
            at /= WIDTH;
        }
        while let Some(Reverse((_, is_after_the_end, _, height, at))) = open.pop() {
            if height > 0 {
                let run = at * WIDTH;
                (run..run + WIDTH).for_each(|at| consider(&mut open, height - 1, at, is_after_the_end));
            } else if wanted(at) {
                return Some(at);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nobody_takes_part_at_first() {
        assert_eq!(Ranking::new(0).lowest(0, |_| true), None);
        let mut ranking = Ranking::new(3);
        assert_eq!(ranking.lowest(2, |_| true), None);
        ranking.set_usable(1, true);
        assert_eq!(ranking.lowest(2, |_| true), Some(1));
        assert_eq!(ranking.lowest(2, |_| false), None);
    }

    proptest! {
        /// Against a look at every key.
        #[test]
        fn the_first_of_the_lowest_is_found(
            size in prop_oneof![1_usize..70, 500_usize..600],
            steps in prop::collection::vec((any::<usize>(), any::<bool>(), 0_u64..4), 0..120),
            start in any::<usize>(),
            unwanted in prop::collection::btree_set(0_usize..600, 0..50),
        ) {
            let start = start % size;
            let mut ranking = Ranking::new(size);
            let mut plain = vec![(0, false); size];
            for (key, usable, value) in steps {
                let key = key % size;
                ranking.set_usable(key, usable);
                ranking.set_value(key, value);
                plain[key] = (value, usable);
            }
            let expected = |wanted: &dyn Fn(usize) -> bool| {
                let round = (start..size).chain(0..start);
                round.filter(|key| plain[*key].1 && wanted(*key)).min_by_key(|key| plain[*key].0)
            };
            let wanted = |key: usize| !unwanted.contains(&key);
            prop_assert_eq!(ranking.lowest(start, |_| true), expected(&|_| true));
            prop_assert_eq!(ranking.lowest(start, wanted), expected(&wanted));
            let by_rank = (0..size).filter(|key| plain[*key].1).min_by_key(|key| ranking.rank(start, *key));
            prop_assert_eq!(by_rank, expected(&|_| true));
        }
    }
}
