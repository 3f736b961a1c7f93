//! In proportion to the keys' weights, evenly spread.
//!
//! Earliest eligible virtual deadline first (Stoica, Abdel-Wahab): a key of weight `w` has a turn
//! due every `1/w` of virtual time, and virtual time moves by `1/W` per turn, `W` being the sum
//! of the usable weights. A turn may only be taken once it is released, and of the released ones
//! the earliest deadline goes first; so at no point is a key a whole turn ahead of or behind its
//! share. The "smooth weighted round robin" of web servers has the same shares but looks at
//! every key for every choice; here a choice costs O(log n).

use super::Rank;
use super::ranking::Ranking;

/// Virtual time in fractions of `ONE`, exact: what a division leaves is carried along.
#[derive(Clone, Copy, Debug, Default)]
struct Instant {
    whole: u64,
    /// What is left over, in parts of the divisor used last.
    rest: u64,
}

/// One unit of virtual time, in which a key has as many turns as it weighs; large enough that the turns of
/// any weights can be told apart.
const ONE: u64 = 1 << 40;
/// When times have come as far as this, all of them are told anew from an earlier zero.
const LATE: u64 = 1 << 62;
/// By so many units a key may lag behind, or be ahead, when that happens.
const MOST_BEHIND: u64 = 1 << 16;
const MOST_AHEAD: u64 = 1 << 20;

impl Instant {
    fn at(whole: u64) -> Self {
        Self { whole, rest: 0 }
    }

    fn advance(&mut self, divisor: u64) {
        let divisor = divisor.max(1);
        let sum = self.rest + ONE % divisor;
        self.whole += ONE / divisor;
        // Nearly always it does not fill one up.
        if sum < divisor {
            self.rest = sum;
        } else {
            self.whole += sum / divisor;
            self.rest = sum % divisor;
        }
    }

    fn after(mut self, divisor: u64) -> Self {
        self.advance(divisor);
        self
    }
}

/// One key's turns.
#[derive(Clone, Debug)]
struct Share {
    weight: u64,
    /// When its next turn is released.
    release: u64,
    /// When its next turn is due: then the one after it is released.
    due: Instant,
    usable: bool,
    /// Whether it stands among the released.
    released: bool,
}

/// The turns of all usable keys.
#[derive(Clone, Debug)]
pub(crate) struct Weighted {
    shares: Vec<Share>,
    /// Keys whose turn is released, by deadline.
    released: Ranking,
    /// Keys whose turn is still to come, by release.
    coming: Ranking,
    now: Instant,
    usable_weight: u64,
}

impl Weighted {
    pub(super) fn new(weights: impl Iterator<Item = u32>) -> Self {
        let share = |weight: u32| {
            let weight = u64::from(weight.max(1));
            let due = Instant::default().after(weight);
            Share { weight, release: 0, due, usable: false, released: false }
        };
        let shares: Vec<Share> = weights.map(share).collect();
        let (released, coming) = (Ranking::new(shares.len()), Ranking::new(shares.len()));
        Self { shares, released, coming, now: Instant::default(), usable_weight: 0 }
    }

    /// A key that comes back does not catch up on what it missed, but a turn it took ahead of
    /// its time stays taken.
    pub(super) fn set_usable(&mut self, key: usize, usable: bool) {
        let share = &mut self.shares[key];
        if share.usable == usable {
            return;
        }
        share.usable = usable;
        if usable {
            self.usable_weight += share.weight;
            if share.release < self.now.whole {
                share.release = self.now.whole;
                share.due = Instant::at(self.now.whole).after(share.weight);
            }
            self.queue(key);
        } else {
            self.usable_weight -= share.weight;
            self.unqueue(key);
        }
        self.release_what_is_due();
    }

    pub(super) fn next(&self, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        self.released.lowest(0, &wanted).or_else(|| self.coming.lowest(0, wanted))
    }

    pub(super) fn rank(&self, key: usize) -> Rank {
        let share = &self.shares[key];
        let at = if share.released { share.due.whole } else { share.release };
        (u8::from(!share.released), u128::from(at))
    }

    pub(super) fn took(&mut self, key: usize) {
        let share = &mut self.shares[key];
        if !share.usable {
            return;
        }
        let was_released = share.released;
        share.release = share.due.whole;
        share.due.advance(share.weight);
        self.now.advance(self.usable_weight);
        let is_released = share.release <= self.now.whole;
        let is_late = share.due.whole.max(self.now.whole) >= LATE;
        if was_released != is_released {
            self.unqueue(key);
        }
        self.queue(key);
        self.release_what_is_due();
        if is_late {
            self.begin_anew();
        }
    }

    fn queue(&mut self, key: usize) {
        let share = &mut self.shares[key];
        share.released = share.release <= self.now.whole;
        if share.released {
            self.released.enter(key, share.due.whole);
        } else {
            self.coming.enter(key, share.release);
        }
    }

    fn unqueue(&mut self, key: usize) {
        let queue = if self.shares[key].released { &mut self.released } else { &mut self.coming };
        queue.set_usable(key, false);
    }

    /// Moves turns over whose release has come. When only turns to come are left (a key with
    /// released turns stopped being usable), time jumps to the first of them.
    fn release_what_is_due(&mut self) {
        let Some(mut first) = self.coming.least() else { return };
        if first > self.now.whole && self.released.least().is_none() {
            self.now = Instant::at(first);
        }
        while first <= self.now.whole {
            let Some(key) = self.coming.lowest(0, |_| true) else { return };
            self.coming.set_usable(key, false);
            self.queue(key);
            let Some(next) = self.coming.least() else { return };
            first = next;
        }
    }

    /// Tells all times from a later zero: the order stays as it is.
    fn begin_anew(&mut self) {
        let shift = self.now.whole.saturating_sub(MOST_BEHIND * ONE);
        self.now.whole -= shift;
        let last = self.now.whole + MOST_AHEAD * ONE;
        for key in 0..self.shares.len() {
            let share = &mut self.shares[key];
            let length = share.due.whole - share.release;
            share.release = share.release.saturating_sub(shift).min(last);
            share.due.whole = share.release + length;
            if share.usable {
                self.unqueue(key);
                self.queue(key);
            }
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
                prop_assert_eq!(turns.released.count() + turns.coming.count(), expected);
                let next = turns.next(|_| true);
                prop_assert_eq!(next.is_some(), expected > 0);
                if let Some(next) = next {
                    prop_assert!(turns.shares[next].released);
                    turns.took(next);
                }
            }
        }
    }

    #[test]
    fn the_order_stays_when_times_are_told_anew() {
        let mut turns = usable(&[5, 1, 1]);
        take(&mut turns, 3);
        let mut anew = turns.clone();
        let far = LATE - anew.now.whole - 1;
        anew.now.whole += far;
        for key in 0..3 {
            anew.unqueue(key);
            anew.shares[key].release += far;
            anew.shares[key].due.whole += far;
            anew.queue(key);
        }
        assert_eq!(take(&mut anew, 70), take(&mut turns, 70));
        assert!(anew.now.whole < LATE / 2, "they were told anew");
    }

    #[test]
    fn who_is_far_ahead_ends_no_time() {
        let mut turns = usable(&[1, 1]);
        turns.unqueue(0);
        (turns.shares[0].release, turns.shares[0].due.whole) = (LATE - 2 * ONE, LATE - ONE);
        turns.queue(0);
        turns.took(0);
        assert_eq!(take(&mut turns, 5), [1; 5]);
        assert!(turns.shares[0].release < LATE / 2);
    }
}
