//! By chance, the healthier a key the more likely.
//!
//! The draws come from the pool's seed, so what a pool does can be repeated. Looking does not
//! draw: until a key had its turn, the answer is the same (and so is that of a dry run).

use std::num::NonZeroU64;

use super::Rank;
use super::wheel::{WIDEST, Wheel};
use crate::cooldown::Jitter;
use crate::key_set::KeySet;

/// The chances of all keys.
#[derive(Clone, Debug)]
pub(crate) struct ByHealth {
    wheel: Wheel,
    /// When each key will be whole, in points of health; nothing for one that is.
    whole_ticks: Vec<Option<NonZeroU64>>,
    draws: Jitter,
}

impl ByHealth {
    /// How often the wheel is turned for a key that is wanted before all keys are looked at.
    const TRIES: usize = 8;

    /// Keys that are all whole.
    pub(super) fn new(size: usize, seed: u64) -> Self {
        Self { wheel: Wheel::new(size), whole_ticks: vec![None; size], draws: Jitter::new(seed) }
    }

    pub(super) fn set_tick(&mut self, tick: u64) {
        self.wheel.set_tick(tick);
    }

    pub(super) fn set_usable(&mut self, key: usize, usable: bool) {
        let whole_tick = self.whole_tick(key);
        if usable {
            self.wheel.add(key, whole_tick);
        } else {
            self.wheel.take(key, whole_tick);
        }
    }

    /// A key's score changed: it will be whole at `whole_tick`, if it is not.
    pub(super) fn set_whole_tick(&mut self, key: usize, whole_tick: Option<u64>, usable: bool) {
        // Former keys recover, too, and have no turns.
        let Some(known) = self.whole_ticks.get_mut(key) else { return };
        let before = std::mem::replace(known, whole_tick.and_then(NonZeroU64::new));
        if usable {
            self.wheel.alter(key, before.map(NonZeroU64::get), whole_tick);
        }
    }

    /// Turns the wheel again where it stops at a key that is not wanted, which leaves the chances
    /// of the others as they are. Where few are wanted every key draws a lot instead.
    pub(super) fn next(&self, usable: &KeySet, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        let width = self.wheel.width();
        if width == 0 {
            return None;
        }
        let mut draws = self.draws.of_one_choice();
        for _ in 0..Self::TRIES {
            let key = self.turn_the_wheel(usable, &mut draws);
            if wanted(key) {
                return Some(key);
            }
        }
        usable.round(0).filter(|key| wanted(*key)).min_by_key(|key| self.rank(*key))
    }

    /// A key by chance; the wheel has fields. Where most keys are usable and well, a point on a wheel
    /// on which all keys were both lies in one of those fields more often than not, and needs no
    /// search: each key is found there as often as its own field is wide.
    fn turn_the_wheel(&self, usable: &KeySet, draws: &mut Jitter) -> usize {
        let (width, full_width) = (self.wheel.width(), self.wheel.full_width());
        let all_are_whole = self.wheel.is_whole();
        for _ in 0..if width > full_width / 2 { Self::TRIES } else { 0 } {
            let point = draws.below(full_width);
            let (key, place) = ((point / WIDEST) as usize, point % WIDEST);
            if usable.contains(key) && (all_are_whole || place < self.wheel.width_of(self.whole_tick(key))) {
                return key;
            }
        }
        self.wheel.key_at(draws.below(width))
    }

    /// A lot for each key, the lowest of which is drawn: exponentially distributed with the
    /// score as its rate, so that each key is the lowest as often as its score says.
    pub(super) fn rank(&self, key: usize) -> Rank {
        let share = self.wheel.width_of(self.whole_tick(key)) as f64;
        let lot = -self.draws.of_one_choice().of_key(key).fraction().ln() / share;
        // The bits of floating point numbers that are not negative are ordered as they are.
        (0, u128::from(lot.max(0.0).to_bits()))
    }

    pub(super) fn took(&mut self) {
        self.draws.draw();
    }

    fn whole_tick(&self, key: usize) -> Option<u64> {
        self.whole_ticks[key].map(NonZeroU64::get)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys with these scores; `None` is not usable.
    fn with_scores(scores: &[Option<u64>], seed: u64) -> (ByHealth, KeySet) {
        let mut order = ByHealth::new(scores.len(), seed);
        let mut usable = KeySet::new(scores.len());
        order.set_tick(1000);
        for (key, score) in scores.iter().enumerate() {
            let is_usable = score.is_some();
            let score = score.unwrap_or(50);
            if is_usable {
                usable.set(key, true);
                order.set_usable(key, true);
            }
            order.set_whole_tick(key, (score < 100).then_some(1100 - score), is_usable);
        }
        (order, usable)
    }

    /// How often each key comes in `turns` turns.
    fn turns(
        order: &mut ByHealth,
        size: usize,
        turns: u32,
        next: impl Fn(&ByHealth) -> Option<usize>,
    ) -> Vec<u32> {
        let mut had = vec![0; size];
        for _ in 0..turns {
            had[next(order).unwrap()] += 1;
            order.took();
        }
        had
    }

    /// Within five standard deviations of the binomial distribution: what chance gives but once
    /// in two million times, and the seeds are fixed.
    fn assert_shares(had: &[u32], weights: &[u64], case: &str) {
        let (turns, total) = (f64::from(had.iter().sum::<u32>()), weights.iter().sum::<u64>() as f64);
        for (key, (had, weight)) in had.iter().zip(weights).enumerate() {
            let share = *weight as f64 / total;
            let spread = 5.0 * (turns * share * (1.0 - share)).sqrt();
            let off = f64::from(*had) - turns * share;
            assert!(off.abs() <= spread, "{case}: key {key} had {had}, {} expected", turns * share);
        }
    }

    const SCORES: [Option<u64>; 6] = [Some(100), Some(60), None, Some(0), Some(20), Some(100)];

    #[test]
    fn shares_are_as_the_scores_plus_one() {
        for seed in 0..20 {
            let (mut order, usable) = with_scores(&SCORES, seed);
            let had = turns(&mut order, 6, 20_000, |order| order.next(&usable, |_| true));
            assert_shares(&had, &[101, 61, 0, 1, 21, 101], &format!("seed {seed}"));
            assert!(had[3] > 0, "a key at 0 is not lost");
        }
    }

    #[test]
    fn those_not_wanted_leave_the_shares_of_the_others_as_they_are() {
        for seed in 0..20 {
            let (mut order, usable) = with_scores(&SCORES, seed);
            let had = turns(&mut order, 6, 20_000, |order| order.next(&usable, |key| key != 0 && key != 2));
            assert_shares(&had, &[0, 61, 0, 1, 21, 101], &format!("seed {seed}"));
            // Hardly ever under the wheel's point: every key draws a lot.
            let had = turns(&mut order, 6, 20_000, |order| order.next(&usable, |key| key == 3 || key == 4));
            assert_shares(&had, &[0, 0, 0, 1, 21, 0], &format!("lots, seed {seed}"));
            assert_eq!(order.next(&usable, |_| false), None);
        }
    }

    #[test]
    fn a_choice_among_a_few_has_the_same_shares() {
        for seed in 0..20 {
            let (mut order, _) = with_scores(&SCORES, seed);
            let few = |order: &ByHealth| [0, 1, 4].into_iter().min_by_key(|key| order.rank(*key));
            let had = turns(&mut order, 6, 20_000, few);
            assert_shares(&had, &[101, 61, 0, 0, 21, 0], &format!("seed {seed}"));
        }
    }

    #[test]
    fn shares_grow_with_time() {
        let (mut order, usable) = with_scores(&[Some(100), Some(0), Some(0)], 3);
        order.set_tick(1050);
        let had = turns(&mut order, 3, 20_000, |order| order.next(&usable, |_| true));
        assert_shares(&had, &[101, 51, 51], "after fifty points");
        order.set_whole_tick(1, None, true);
        order.set_whole_tick(2, None, true);
        order.set_tick(1200);
        let had = turns(&mut order, 3, 20_000, |order| order.next(&usable, |_| true));
        assert_shares(&had, &[1, 1, 1], "all whole");
    }

    #[test]
    fn looking_does_not_draw_and_the_same_seed_repeats() {
        let (order, usable) = with_scores(&SCORES, 5);
        let looked: Vec<_> = (0..10).map(|_| order.next(&usable, |_| true)).collect();
        assert!(looked.iter().all(|key| *key == looked[0]), "{looked:?}");
        let run = |seed| {
            let (mut order, usable) = with_scores(&SCORES, seed);
            (0..50)
                .map(|_| {
                    let key = order.next(&usable, |_| true);
                    order.took();
                    key
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(run(5), run(5));
        assert_ne!(run(5), run(6));
    }
}
