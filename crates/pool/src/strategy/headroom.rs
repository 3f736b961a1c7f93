//! The key whose group has the most of its budget left; in turns among those with equally much.

use super::Rank;
use super::ranking::Ranking;

/// How much of each key's budget is used up.
#[derive(Clone, Debug)]
pub(crate) struct Headroom {
    /// Parts per million.
    used: Ranking,
    /// The position after the key that had its turn last.
    cursor: usize,
    size: usize,
}

impl Headroom {
    /// A budget that is not touched.
    const FULL: u32 = 1_000_000;

    /// Keys whose budgets are untouched.
    pub(super) fn new(size: usize) -> Self {
        Self { used: Ranking::new(size), cursor: 0, size }
    }

    pub(super) fn set_usable(&mut self, key: usize, usable: bool) {
        self.used.set_usable(key, usable);
    }

    /// What is left of a key's budget until its reset, in parts per million of it.
    pub(super) fn set_left(&mut self, key: usize, parts_per_million: u32) {
        self.used.set_value(key, u64::from(Self::FULL.saturating_sub(parts_per_million)));
    }

    pub(super) fn next(&self, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        self.used.lowest(self.cursor, wanted)
    }

    pub(super) fn rank(&self, key: usize) -> Rank {
        self.used.rank(self.cursor, key)
    }

    pub(super) fn took(&mut self, key: usize) {
        self.cursor = if key + 1 < self.size { key + 1 } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn take(order: &mut Headroom, count: usize) -> Vec<usize> {
        (0..count)
            .map(|_| {
                let key = order.next(|_| true).unwrap();
                order.took(key);
                key
            })
            .collect()
    }

    fn all_usable(size: usize) -> Headroom {
        let mut order = Headroom::new(size);
        (0..size).for_each(|key| order.set_usable(key, true));
        order
    }

    #[test]
    fn equal_budgets_take_turns() {
        let mut order = all_usable(3);
        assert_eq!(take(&mut order, 7), [0, 1, 2, 0, 1, 2, 0]);
        order.set_usable(1, false);
        assert_eq!(take(&mut order, 3), [2, 0, 2]);
    }

    #[test]
    fn the_most_left_comes_first() {
        let mut order = all_usable(3);
        for (key, left) in [(0, 200_000), (1, 500_000), (2, 499_999)] {
            order.set_left(key, left);
        }
        assert_eq!(take(&mut order, 3), [1, 1, 1]);
        order.set_left(1, 499_999);
        assert_eq!(take(&mut order, 4), [2, 1, 2, 1]);
        assert_eq!(order.next(|key| key == 0), Some(0));
        assert!(order.rank(2) < order.rank(0));
        order.set_left(0, u32::MAX);
        assert_eq!(take(&mut order, 1), [0], "more than all of it is all of it");
    }

    proptest! {
        /// Groups of all sizes run dry together, which is what the strategy is for: at no point
        /// is one of them used further, relatively, than another by more than one request.
        #[test]
        fn budgets_run_down_together(limits in prop::collection::vec(1_u32..60, 1..12)) {
            let mut order = all_usable(limits.len());
            let mut used = vec![0_u32; limits.len()];
            for _ in 0..limits.iter().sum() {
                let key = take(&mut order, 1)[0];
                used[key] += 1;
                let left = u64::from(limits[key] - used[key]) * 1_000_000 / u64::from(limits[key]);
                order.set_left(key, u32::try_from(left).unwrap());
                let share = |key: usize| f64::from(used[key]) / f64::from(limits[key]);
                for other in 0..limits.len() {
                    let ahead = share(key) - share(other);
                    prop_assert!(ahead < 1.0 / f64::from(limits[key]) + 1e-5, "{used:?} of {limits:?}");
                }
            }
            prop_assert_eq!(used, limits);
        }
    }
}
