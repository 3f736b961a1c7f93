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
    /// How many leaves the tree has: a power of two.
    leaves: usize,
    /// `tree[1]` is the root, the children of `n` are `2n` and `2n + 1`; what takes no part is
    /// marked as out.
    tree: Vec<u64>,
}

/// Marks a number that takes no part: larger than any that does.
const OUT: u64 = 1 << 63;

impl Ranking {
    /// Zero for every key, and none takes part.
    pub(super) fn new(size: usize) -> Self {
        let leaves = size.next_power_of_two();
        Self { size, leaves, tree: vec![OUT; 2 * leaves] }
    }

    /// Lets a key take part, or not.
    pub(super) fn set_usable(&mut self, key: usize, usable: bool) {
        let value = self.value(key);
        self.put(key, if usable { value } else { value | OUT });
    }

    /// Changes a key's number, whether it takes part or not.
    pub(super) fn set_value(&mut self, key: usize, value: u64) {
        let out = self.tree[self.leaves + key] & OUT;
        self.put(key, (value & !OUT) | out);
    }

    pub(super) fn value(&self, key: usize) -> u64 {
        self.tree[self.leaves + key] & !OUT
    }

    /// The first of the lowest, from `start` on round, among those `wanted`.
    pub(super) fn lowest(&self, start: usize, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        let least = self.tree[1];
        if least >= OUT {
            return None;
        }
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

    fn put(&mut self, key: usize, value: u64) {
        let mut node = self.leaves + key;
        self.tree[node] = value;
        while node > 1 {
            node /= 2;
            let least = self.tree[2 * node].min(self.tree[2 * node + 1]);
            if self.tree[node] == least {
                return;
            }
            self.tree[node] = least;
        }
    }

    /// The first key from `start` to the end whose number is at most `value`.
    fn first_with(&self, start: usize, value: u64) -> Option<usize> {
        let mut node = self.leaves + start;
        while self.tree[node] > value {
            // On to the subtree right of this one, which begins where this one ends.
            while !node.is_multiple_of(2) {
                node /= 2;
            }
            if node == 0 {
                return None;
            }
            node += 1;
        }
        while node < self.leaves {
            node *= 2;
            if self.tree[node] > value {
                node += 1;
            }
        }
        Some(node - self.leaves)
    }

    /// The same as [`Ranking::lowest`], past those that are not wanted: O(log n) for each.
    fn lowest_wanted(&self, start: usize, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        let mut open = BinaryHeap::new();
        let consider = |open: &mut BinaryHeap<_>, node: usize, is_after_the_end: bool| {
            if self.tree[node] < OUT {
                open.push(Reverse((self.tree[node], is_after_the_end, self.first_leaf(node), node)));
            }
        };
        // The subtrees that make up what lies from `start` on, and those that make up the rest.
        let mut node = self.leaves + start;
        consider(&mut open, node, false);
        while node > 1 {
            consider(&mut open, node ^ 1, !node.is_multiple_of(2));
            node /= 2;
        }
        while let Some(Reverse((_, is_after_the_end, first, node))) = open.pop() {
            if node < self.leaves {
                consider(&mut open, 2 * node, is_after_the_end);
                consider(&mut open, 2 * node + 1, is_after_the_end);
            } else if wanted(first) {
                return Some(first);
            }
        }
        None
    }

    /// The position of the leftmost key below a node.
    fn first_leaf(&self, node: usize) -> usize {
        let depth_below = self.leaves.ilog2() - node.ilog2();
        (node << depth_below) - self.leaves
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
            size in 1_usize..70,
            steps in prop::collection::vec((any::<usize>(), any::<bool>(), 0_u64..4), 0..120),
            start in any::<usize>(),
            unwanted in prop::collection::btree_set(0_usize..70, 0..50),
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
