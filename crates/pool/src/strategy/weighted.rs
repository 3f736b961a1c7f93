//! In proportion to the keys' weights, evenly spread.
//!
//! Earliest eligible virtual deadline first (Stoica, Abdel-Wahab): a key of weight `w` has a turn
//! due every `1/w` of virtual time, and virtual time moves by `1/W` per turn, `W` being the sum
//! of the usable weights. A turn may only be taken once it is released, and of the released ones
//! the earliest deadline goes first; so at no point is a key a whole turn ahead of or behind its
//! share. The "smooth weighted round robin" of web servers has the same shares but looks at
//! every key for every choice; here a choice costs O(log n).

use std::collections::BTreeSet;

use super::Rank;

/// Virtual time in fractions of `ONE`, exact: what a division leaves is carried along.
#[derive(Clone, Copy, Debug, Default)]
struct Instant {
    whole: u128,
    /// What is left over, in parts of the divisor used last.
    rest: u64,
}

/// One unit of virtual time; large enough that the turns of any weights can be told apart.
const ONE: u128 = 1 << 64;

impl Instant {
    fn advance(&mut self, divisor: u64) {
        let divisor = u128::from(divisor.max(1));
        let sum = u128::from(self.rest) + ONE % divisor;
        self.whole += ONE / divisor + sum / divisor;
        self.rest = (sum % divisor) as u64;
    }
}

/// One key's turns.
#[derive(Clone, Debug)]
struct Share {
    weight: u64,
    /// When its next turn is released.
    release: Instant,
    usable: bool,
    /// Whether it stands among the released.
    released: bool,
}

impl Share {
    /// When its next turn is due.
    fn deadline(&self) -> u128 {
        let mut due = self.release;
        due.advance(self.weight);
        due.whole
    }
}

/// The turns of all usable keys.
#[derive(Clone, Debug)]
pub(crate) struct Weighted {
    shares: Vec<Share>,
    /// Keys whose turn is released, by deadline.
    released: BTreeSet<(u128, usize)>,
    /// Keys whose turn is still to come, by release.
    coming: BTreeSet<(u128, usize)>,
    now: Instant,
    usable_weight: u64,
}

impl Weighted {
    pub(super) fn new(weights: impl Iterator<Item = u32>) -> Self {
        let share = |weight: u32| Share {
            weight: u64::from(weight.max(1)),
            release: Instant::default(),
            usable: false,
            released: false,
        };
        Self {
            shares: weights.map(share).collect(),
            released: BTreeSet::new(),
            coming: BTreeSet::new(),
            now: Instant::default(),
            usable_weight: 0,
        }
    }

    /// A key that comes back does not catch up on what it missed, but a turn it took ahead of
    /// its time stays taken.
    pub(super) fn set_usable(&mut self, key: usize, usable: bool) {
        if self.shares[key].usable == usable {
            return;
        }
        self.shares[key].usable = usable;
        if usable {
            self.usable_weight += self.shares[key].weight;
            let share = &mut self.shares[key];
            if share.release.whole < self.now.whole {
                share.release = Instant { whole: self.now.whole, rest: 0 };
            }
            self.queue(key);
        } else {
            self.usable_weight -= self.shares[key].weight;
            self.unqueue(key);
        }
        self.release_what_is_due();
    }

    pub(super) fn next(&self, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        self.released.iter().chain(&self.coming).map(|(_, key)| *key).find(|key| wanted(*key))
    }

    pub(super) fn rank(&self, key: usize) -> Rank {
        let share = &self.shares[key];
        if share.released { (0, share.deadline()) } else { (1, share.release.whole) }
    }

    pub(super) fn took(&mut self, key: usize) {
        if !self.shares[key].usable {
            return;
        }
        self.unqueue(key);
        let weight = self.shares[key].weight;
        self.shares[key].release.advance(weight);
        self.now.advance(self.usable_weight);
        self.queue(key);
        self.release_what_is_due();
    }

    fn queue(&mut self, key: usize) {
        let share = &mut self.shares[key];
        share.released = share.release.whole <= self.now.whole;
        let added = if share.released {
            self.released.insert((share.deadline(), key))
        } else {
            self.coming.insert((share.release.whole, key))
        };
        debug_assert!(added, "a key is queued once");
    }

    fn unqueue(&mut self, key: usize) {
        let share = &self.shares[key];
        let removed = if share.released {
            self.released.remove(&(share.deadline(), key))
        } else {
            self.coming.remove(&(share.release.whole, key))
        };
        debug_assert!(removed, "a usable key is queued");
    }

    /// Moves turns over whose release has come. When only turns to come are left (a key with
    /// released turns stopped being usable), time jumps to the first of them.
    fn release_what_is_due(&mut self) {
        if let (None, Some((first, _))) = (self.released.first(), self.coming.first())
            && *first > self.now.whole
        {
            self.now = Instant { whole: *first, rest: 0 };
        }
        while let Some((release, key)) = self.coming.first().copied() {
            if release > self.now.whole {
                return;
            }
            self.coming.pop_first();
            self.shares[key].released = true;
            self.released.insert((self.shares[key].deadline(), key));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usable(weights: &[u32]) -> Weighted {
        let mut turns = Weighted::new(weights.iter().copied());
        (0..weights.len()).for_each(|key| turns.set_usable(key, true));
        turns
    }

    fn take(turns: &mut Weighted, count: usize) -> Vec<usize> {
        (0..count)
            .map(|_| {
                let key = turns.next(|_| true).unwrap();
                turns.took(key);
                key
            })
            .collect()
    }

    #[test]
    fn five_one_one_is_spread() {
        let mut turns = usable(&[5, 1, 1]);
        assert_eq!(take(&mut turns, 14), [0, 1, 0, 0, 2, 0, 0, 0, 1, 0, 0, 2, 0, 0]);
    }

    #[test]
    fn equal_weights_take_turns() {
        let mut turns = usable(&[7, 7, 7]);
        assert_eq!(take(&mut turns, 7), [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn a_key_that_comes_back_does_not_catch_up() {
        let mut turns = usable(&[1, 1]);
        turns.set_usable(1, false);
        assert_eq!(take(&mut turns, 10), [0; 10]);
        turns.set_usable(1, true);
        let after = take(&mut turns, 10);
        assert_eq!(after.iter().filter(|key| **key == 1).count(), 5, "{after:?}");
        assert!(after.windows(3).all(|run| run != [1, 1, 1]), "{after:?}");
    }

    #[test]
    fn a_key_passed_over_is_made_up_for() {
        let mut turns = usable(&[2, 1]);
        for _ in 0..3 {
            let key = turns.next(|key| key == 1).unwrap();
            turns.took(key);
        }
        let after = take(&mut turns, 6);
        assert_eq!(after, [0; 6], "key 1 had its three turns of nine ahead of time");
    }

    proptest! {
        #[test]
        fn shares_are_exact_and_never_a_turn_off(weights in prop::collection::vec(1_u32..40, 1..12)) {
            let total: u32 = weights.iter().sum();
            let mut turns = usable(&weights);
            let mut had = vec![0_u32; weights.len()];
            for turn in 1..=3 * total {
                had[take(&mut turns, 1)[0]] += 1;
                for (had, weight) in had.iter().zip(&weights) {
                    let lag = f64::from(turn) * f64::from(*weight) / f64::from(total) - f64::from(*had);
                    prop_assert!(lag.abs() < 1.0 + 1e-9, "lag {lag} at turn {turn} of {weights:?}");
                }
                if turn % total == 0 {
                    let rounds = turn / total;
                    let exact: Vec<u32> = weights.iter().map(|weight| weight * rounds).collect();
                    prop_assert_eq!(&had, &exact);
                }
            }
        }

        #[test]
        fn coming_and_going_keeps_the_queues_whole(
            steps in prop::collection::vec((0_usize..6, any::<bool>()), 1..200),
        ) {
            let mut turns = usable(&[1, 2, 3, 5, 8, 13]);
            for (key, comes) in steps {
                turns.set_usable(key, comes);
                let expected = turns.shares.iter().filter(|share| share.usable).count();
                prop_assert_eq!(turns.released.len() + turns.coming.len(), expected);
                let next = turns.next(|_| true);
                prop_assert_eq!(next.is_some(), expected > 0);
                if let Some(next) = next {
                    prop_assert!(turns.shares[next].released);
                    turns.took(next);
                }
            }
        }
    }
}
