//! A set of key positions, one bit each.
//!
//! Ten thousand keys are 157 words, so finding the next usable key past any number of resting
//! ones is a look at a few of them.

/// A set of positions below a fixed number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KeySet {
    words: Vec<u64>,
    size: usize,
    count: usize,
}

const BITS: usize = u64::BITS as usize;

impl KeySet {
    /// An empty set of positions below `size`.
    pub(crate) fn new(size: usize) -> Self {
        Self { words: vec![0; size.div_ceil(BITS)], size, count: 0 }
    }

    /// How many positions are in it.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Whether every position is in it.
    pub(crate) fn is_full(&self) -> bool {
        self.count == self.size
    }

    /// Whether `position` is in it.
    pub(crate) fn contains(&self, position: usize) -> bool {
        self.words.get(position / BITS).is_some_and(|word| word & bit(position) != 0)
    }

    /// Puts `position` in or takes it out; true if that changed anything.
    pub(crate) fn set(&mut self, position: usize, present: bool) -> bool {
        if position >= self.size {
            return false;
        }
        let word = &mut self.words[position / BITS];
        let was_present = *word & bit(position) != 0;
        if was_present == present {
            return false;
        }
        *word ^= bit(position);
        self.count = if present { self.count + 1 } else { self.count - 1 };
        true
    }

    /// The positions in it: those from `start` up, then those before it.
    pub(crate) fn round(&self, start: usize) -> impl Iterator<Item = usize> + '_ {
        self.run(start, self.size, 0).chain(self.run(0, start.min(self.size), 0))
    }

    /// The positions not in it, in their order.
    pub(crate) fn missing(&self) -> impl Iterator<Item = usize> + '_ {
        self.run(0, self.size, u64::MAX)
    }

    /// The positions not in it from `start` on, round, to before `end`.
    pub(crate) fn missing_between(&self, start: usize, end: usize) -> impl Iterator<Item = usize> + '_ {
        let first_end = if start <= end { end } else { self.size };
        let second_end = if start <= end { 0 } else { end };
        self.run(start, first_end, u64::MAX).chain(self.run(0, second_end, u64::MAX))
    }

    /// The positions from `start` to before `end` whose bit differs from that of `flip`.
    fn run(&self, start: usize, end: usize, flip: u64) -> impl Iterator<Item = usize> + '_ {
        let mut next = start;
        std::iter::from_fn(move || {
            while next < end {
                let ahead = (self.words[next / BITS] ^ flip) >> (next % BITS);
                if ahead == 0 {
                    next = (next / BITS + 1) * BITS;
                    continue;
                }
                let found = next + ahead.trailing_zeros() as usize;
                next = found + 1;
                return (found < end).then_some(found);
            }
            None
        })
    }
}

fn bit(position: usize) -> u64 {
    1 << (position % BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_of(size: usize, members: &[usize]) -> KeySet {
        let mut set = KeySet::new(size);
        for member in members {
            assert!(set.set(*member, true));
        }
        set
    }

    #[test]
    fn a_round_starts_anywhere_and_comes_back() {
        let set = set_of(200, &[0, 3, 64, 127, 128, 199]);
        assert_eq!(set.round(64).collect::<Vec<_>>(), [64, 127, 128, 199, 0, 3]);
        assert_eq!(set.round(0).collect::<Vec<_>>(), [0, 3, 64, 127, 128, 199]);
        assert_eq!(set.round(200).collect::<Vec<_>>(), [0, 3, 64, 127, 128, 199]);
        assert_eq!(set.count(), 6);
    }

    #[test]
    fn what_is_missing_ends_at_the_size() {
        let set = set_of(5, &[1, 2]);
        assert_eq!(set.missing().collect::<Vec<_>>(), [0, 3, 4]);
        let between = |start, end| set.missing_between(start, end).collect::<Vec<_>>();
        assert_eq!((between(2, 4), between(4, 2)), (vec![3], vec![4, 0]));
        assert_eq!((between(3, 3), between(1, 5), between(5, 1)), (vec![], vec![3, 4], vec![0]));
        assert!(!set.is_full());
        assert!(set_of(2, &[0, 1]).is_full());
        assert_eq!(set_of(0, &[]).round(0).next(), None);
    }

    #[test]
    fn setting_twice_changes_once() {
        let mut set = set_of(3, &[1]);
        assert!(!set.set(1, true));
        assert!(set.set(1, false));
        assert!(!set.contains(1));
        assert!(!set.set(7, true), "beyond the size there is nothing");
    }
}
