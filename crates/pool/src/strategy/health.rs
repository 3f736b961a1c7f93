//! By chance, the healthier a key the more likely.
//!
//! Keys are looked at where chance points, and each is taken as often as its score says. Of thousands of
//! keys that would be one in no cache every time; so of many keys a run of neighbours is looked at, one after
//! the other, before chance points elsewhere. As every run is as likely as any other, and no key of it is
//! taken because another was or was not, the shares are the same.
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
    /// Where the run goes on that is looked at; nowhere if it is over.
    goes_on_at: Option<usize>,
}

impl ByHealth {
    /// How often chance points somewhere before it is left to another way.
    const TRIES: usize = 8;
    /// From so many keys on they are looked at in runs.
    const MANY: usize = 256;
    /// How long a run is; they begin at its multiples.
    const RUN: usize = 16;

    /// Keys that are all whole.
    pub(super) fn new(size: usize, seed: u64) -> Self {
        let (wheel, draws) = (Wheel::new(size), Jitter::new(seed));
        Self { wheel, whole_ticks: vec![None; size], draws, goes_on_at: None }
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

    /// Goes on to another key where one is not wanted, which leaves the chances of the others as they
    /// are. Where few are wanted every key draws a lot instead.
    pub(super) fn next(&self, usable: &KeySet, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        let width = self.wheel.width();
        if width == 0 {
            return None;
        }
        let mut draws = self.draws.of_one_choice();
        // Where most keys are usable and well, chance finds one sooner than the wheel.
        if width > self.wheel.full_width() / 2
            && let Some(key) = self.of_a_run(usable, &wanted, &mut draws)
        {
            return Some(key);
        }
        let mut turns = (0..Self::TRIES).map(|_| self.wheel.key_at(draws.below(width)));
        turns
            .find(|key| wanted(*key))
            .or_else(|| usable.round(0).filter(|key| wanted(*key)).min_by_key(|key| self.rank(*key)))
    }

    /// A key of the run that is looked at, or of others: each key in them is taken as often as its field
    /// is wide.
    fn of_a_run(&self, usable: &KeySet, wanted: impl Fn(usize) -> bool, draws: &mut Jitter) -> Option<usize> {
        let (size, run) = (self.whole_ticks.len(), self.run());
        let runs = size.div_ceil(run) as u64;
        let all_are_whole = self.wheel.is_whole();
        let mut goes_on_at = self.goes_on_at;
        (0..Self::TRIES).find_map(|_| {
            let start = goes_on_at.take().unwrap_or_else(|| draws.below(runs) as usize * run);
            let end = (start - start % run + run).min(size);
            (start..end).find(|key| {
                let is_drawn = |lot| lot < self.wheel.width_of(self.whole_tick(*key));
                usable.contains(*key) && (all_are_whole || is_drawn(draws.below(WIDEST))) && wanted(*key)
            })
        })
    }

    fn run(&self) -> usize {
        if self.whole_ticks.len() < Self::MANY { 1 } else { Self::RUN }
    }

    /// A lot for each key, the lowest of which is drawn: exponentially distributed with the
    /// score as its rate, so that each key is the lowest as often as its score says.
    pub(super) fn rank(&self, key: usize) -> Rank {
        let share = self.wheel.width_of(self.whole_tick(key)) as f64;
        let lot = -self.draws.of_one_choice().of_key(key).fraction().ln() / share;
        // The bits of floating point numbers that are not negative are ordered as they are.
        (0, u128::from(lot.max(0.0).to_bits()))
    }

    /// A key had its turn. `free` when it was chosen among all, not among a group's.
    pub(super) fn took(&mut self, key: usize, free: bool) {
        self.draws.draw();
        if free {
            self.goes_on_at =
                Some(key + 1).filter(|next| next % self.run() != 0 && *next < self.whole_ticks.len());
        }
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
            let key = next(order).unwrap();
            had[key] += 1;
            order.took(key, true);
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

    /// Sick keys beside well ones, at the beginning of a run, inside and at its end, and keys that are out.
    #[test]
    fn of_many_keys_none_has_more_for_its_neighbours() {
        const SIZE: usize = 1_000;
        let score = |key: usize| match key % 37 {
            0..6 => Some(10),
            6..9 => None,
            9..20 => Some(80),
            _ => Some(100),
        };
        let scores: Vec<Option<u64>> = (0..SIZE).map(score).collect();
        let weights: Vec<u64> = scores.iter().map(|score| score.map_or(0, |score| score + 1)).collect();
        for seed in 0..3 {
            let (mut order, usable) = with_scores(&scores, seed);
            let had = turns(&mut order, SIZE, 200_000, |order| order.next(&usable, |_| true));
            assert_shares(&had, &weights, &format!("seed {seed}"));
            let by_place = |values: &mut dyn Iterator<Item = u64>| {
                let mut sums = vec![0; ByHealth::RUN];
                values.enumerate().for_each(|(key, value)| sums[key % ByHealth::RUN] += value);
                sums
            };
            let had = by_place(&mut had.iter().map(|had| u64::from(*had)));
            let weights = by_place(&mut weights.iter().copied());
            let had: Vec<u32> = had.into_iter().map(|had| had as u32).collect();
            assert_shares(&had, &weights, &format!("places of runs, seed {seed}"));
            let unwanted = |key: usize| !key.is_multiple_of(5);
            let had = turns(&mut order, SIZE, 100_000, |order| order.next(&usable, unwanted));
            let wanted =
                |key: usize| if unwanted(key) { scores[key].map_or(0, |score| score + 1) } else { 0 };
            assert_shares(&had, &(0..SIZE).map(wanted).collect::<Vec<_>>(), &format!("some, seed {seed}"));
        }
    }

    #[test]
    fn of_many_keys_neighbours_follow_each_other() {
        let (mut order, usable) = with_scores(&[Some(100); 512], 7);
        let mut jumps = 0;
        let mut last = 0;
        for _ in 0..1_600 {
            let key = order.next(&usable, |_| true).unwrap();
            jumps += u32::from(key != last + 1);
            last = key;
            order.took(key, true);
        }
        assert!(jumps <= 101, "{jumps} times elsewhere in 100 runs");
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
                    let key = order.next(&usable, |_| true).unwrap();
                    order.took(key, true);
                    key
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(run(5), run(5));
        assert_ne!(run(5), run(6));
    }
}
