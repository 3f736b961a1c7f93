//! One after the other, in the order of the configuration.

use super::Rank;
use crate::key_set::KeySet;

/// Where the round stands.
#[derive(Clone, Debug)]
pub(crate) struct RoundRobin {
    /// The position after the key that had its turn last.
    cursor: usize,
    size: usize,
}

impl RoundRobin {
    pub(super) fn new(size: usize) -> Self {
        Self { cursor: 0, size }
    }

    pub(super) fn next(&self, usable: &KeySet, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        usable.round(self.cursor).find(|key| wanted(*key))
    }

    pub(super) fn rank(&self, key: usize) -> Rank {
        (0, self.distance(key) as u128)
    }

    pub(super) fn took(&mut self, key: usize) {
        self.cursor = if key + 1 < self.size { key + 1 } else { 0 };
    }

    pub(super) fn passed_over<'a>(
        &'a self,
        usable: &'a KeySet,
        chosen: usize,
    ) -> impl Iterator<Item = usize> + 'a {
        usable.missing_between(self.cursor, chosen)
    }

    /// How far ahead of the cursor a key is.
    fn distance(&self, key: usize) -> usize {
        if key >= self.cursor { key - self.cursor } else { key + self.size - self.cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_usable_key_has_its_turn_in_order() {
        let mut usable = KeySet::new(5);
        for key in [0, 1, 3, 4] {
            usable.set(key, true);
        }
        let mut round = RoundRobin::new(5);
        let mut turns = Vec::new();
        for _ in 0..9 {
            let key = round.next(&usable, |_| true).unwrap();
            round.took(key);
            turns.push(key);
        }
        assert_eq!(turns, [0, 1, 3, 4, 0, 1, 3, 4, 0]);
        assert_eq!(round.next(&usable, |key| key == 0), Some(0), "the only one wanted");
        assert_eq!(round.next(&usable, |_| false), None);
    }

    #[test]
    fn what_was_passed_over_lies_between_the_cursor_and_the_choice() {
        let mut usable = KeySet::new(6);
        usable.set(1, true);
        let mut round = RoundRobin::new(6);
        round.took(3);
        assert_eq!(round.passed_over(&usable, 1).collect::<Vec<_>>(), [4, 5, 0]);
    }
}
