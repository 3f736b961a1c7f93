//! The key whose last lease began longest ago; of those never used, the first in the order.

use super::Rank;
use super::ranking::Ranking;

/// When each key was leased last, as the number of that lease; 0 before the first.
#[derive(Clone, Debug)]
pub(crate) struct LeastRecentlyUsed {
    leased: Ranking,
    /// Where the order begins: `rotation` moves it.
    first: usize,
}

impl LeastRecentlyUsed {
    pub(super) fn new(size: usize) -> Self {
        Self { leased: Ranking::new(size), first: 0 }
    }

    pub(super) fn start_at(&mut self, first: usize) {
        self.first = first;
    }

    pub(super) fn set_usable(&mut self, key: usize, usable: bool) {
        self.leased.set_usable(key, usable);
    }

    pub(super) fn next(&self, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        self.leased.lowest(self.first, wanted)
    }

    pub(super) fn rank(&self, key: usize) -> Rank {
        self.leased.rank(self.first, key)
    }

    /// Takes over when each key was leased last.
    pub(super) fn carry_over(&mut self, earlier: &Self, moved: impl Fn(usize) -> Option<usize>) {
        for key in 0..earlier.leased.size() {
            if let Some(place) = moved(key).filter(|place| *place < self.leased.size()) {
                self.leased.set_value(place, earlier.leased.value(key));
            }
        }
    }

    /// A key was leased, for whatever use. `number` is larger than that of any lease before.
    pub(super) fn leased(&mut self, key: usize, number: u64) {
        self.leased.set_value(key, number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_usable(size: usize) -> LeastRecentlyUsed {
        let mut order = LeastRecentlyUsed::new(size);
        (0..size).for_each(|key| order.set_usable(key, true));
        order
    }

    #[test]
    fn who_waited_longest_comes_first() {
        let mut order = all_usable(4);
        order.leased(0, 1);
        order.leased(2, 2);
        assert_eq!(order.next(|_| true), Some(1), "the first that was never used");
        order.leased(1, 3);
        order.set_usable(3, false);
        assert_eq!(order.next(|_| true), Some(0));
        assert_eq!(order.next(|key| key != 0), Some(2));
        order.leased(0, 4);
        order.set_usable(3, true);
        assert_eq!(order.next(|_| true), Some(3), "it was never used either");
        assert!(order.rank(3) < order.rank(2) && order.rank(2) < order.rank(1));
    }

    #[test]
    fn the_order_of_those_never_used_can_begin_anywhere() {
        let mut order = all_usable(3);
        order.start_at(1);
        let turns: Vec<usize> = (1..=6)
            .map(|number| {
                let key = order.next(|_| true).unwrap();
                order.leased(key, number);
                key
            })
            .collect();
        assert_eq!(turns, [1, 2, 0, 1, 2, 0]);
    }
}
