//! Random storms; after every step the breakers stand exactly where a plain reading of the whole
//! history says they should, no key pays, and every promise is kept.

use std::time::Duration;

use keygate_domain::{Failure, Fault, Hint, KeySpec, Metric, Moment, Verdict};
use proptest::prelude::*;

use super::world::{ask, served, spec, start};
use crate::{BreakerState, Granted, KeyPool, Lease, Policy, PoolRefusal, Settled, invariants};

const MODELS: [&str; 3] = ["pro", "flash", "lite"];

#[derive(Clone, Copy, PartialEq, Debug)]
enum End {
    Served,
    Overloaded,
    Unnamed,
    Named,
    Caller,
    Abandoned,
}

#[derive(Clone, Debug)]
enum Step {
    Lease(usize),
    Settle { which: usize, end: End },
    Begin(usize),
    Wait(u64),
    WaitAsPromised,
    Restart,
}

/// Something that was learned, in the order of learning.
#[derive(Clone, Copy, Debug)]
struct Sign {
    model: usize,
    group: usize,
    at: Moment,
}

/// A rest of a group for a model.
#[derive(Clone, Copy, Debug)]
struct Rested {
    model: usize,
    group: usize,
    is_named: bool,
    since: Moment,
    until: Moment,
}

struct Outstanding {
    lease: Lease,
    model: usize,
    granted: Moment,
    /// Set when it passed an open breaker: how often breakers had opened by then.
    probes: Option<usize>,
}

struct Trial {
    specs: Vec<KeySpec>,
    pool: KeyPool,
    now: Moment,
    life: u64,
    outstanding: Vec<Outstanding>,
    promise: Duration,
    /// Signs since the last success or opening.
    signs: Vec<Sign>,
    rests: Vec<Rested>,
    /// When the incident began that opened each model's breaker last.
    begun: [Option<Moment>; MODELS.len()],
    openings: usize,
}

fn verdict(end: End) -> Verdict {
    let limited = |hint| Verdict::Failed(Failure::of(Fault::RateLimited).hinting(hint));
    match end {
        End::Served => served(),
        End::Overloaded => Verdict::Failed(Failure::of(Fault::Overloaded)),
        End::Caller => Verdict::Failed(Failure::of(Fault::Caller)),
        End::Abandoned => Verdict::Abandoned,
        End::Unnamed => limited(Hint {
            retry_after: Some(Duration::from_secs(5)),
            doubles_up_to: Some(Duration::from_mins(2)),
            may_be_providers: true,
            ..Hint::default()
        }),
        End::Named => limited(Hint {
            retry_after: Some(Duration::from_secs(20)),
            metric: Metric::RequestsPerMinute,
            ..Hint::default()
        }),
    }
}

impl Trial {
    fn new(groups: usize) -> Self {
        let specs: Vec<KeySpec> =
            (0..groups).map(|group| spec(&format!("k{group}"), Some(&format!("p{group}")))).collect();
        Self {
            pool: KeyPool::new(0, specs.clone(), Policy::default(), 5, start()),
            specs,
            now: start(),
            life: 0,
            outstanding: Vec::new(),
            promise: Duration::ZERO,
            signs: Vec::new(),
            rests: Vec::new(),
            begun: [None; MODELS.len()],
            openings: 0,
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Lease(model) => self.lease(*model),
            Step::Settle { which, end } if *which < self.outstanding.len() => self.settle(*which, *end),
            Step::Begin(which) if *which < self.outstanding.len() => self.begin(*which),
            Step::Settle { .. } | Step::Begin(_) => {}
            Step::Wait(millis) => self.pass(Duration::from_millis(*millis)),
            Step::WaitAsPromised => self.pass(self.promise),
            Step::Restart => self.restart(),
        }
        invariants::assert_holds(&self.pool);
        self.rests_are_as_told();
        assert!(invariants::no_key_pays_for_the_provider(&self.pool), "{}", invariants::KP_12.sentence);
    }

    fn pass(&mut self, span: Duration) {
        self.now = self.now.after(span);
        self.pool.advance(self.now);
    }

    /// What was released is free, and nothing else is.
    fn rests_are_as_told(&self) {
        for key in self.pool.snapshot(self.now).keys {
            let of_group = self.rests.iter().filter(|rest| rest.group == key.index && rest.until > self.now);
            let mut expected: Vec<_> = of_group.map(|rest| (MODELS[rest.model], rest.is_named)).collect();
            let resting = key.resting.iter().filter_map(|part| part.bucket.as_ref().map(|name| (name, part)));
            let mut found: Vec<_> =
                resting.map(|(name, part)| (name.as_str(), part.metric != Metric::Unnamed)).collect();
            expected.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, expected, "of group {}", key.index);
        }
    }

    fn state_of(&self, model: usize) -> Option<BreakerState> {
        let breakers = self.pool.snapshot(self.now).breakers;
        let mut in_the_way = breakers
            .iter()
            .filter(|breaker| breaker.bucket.as_ref().is_none_or(|bucket| bucket.as_str() == MODELS[model]));
        let is_open = in_the_way.clone().find(|breaker| breaker.state != BreakerState::Recovering);
        is_open.or_else(|| in_the_way.next()).map(|breaker| breaker.state)
    }

    fn is_open(&self, model: usize) -> bool {
        matches!(self.state_of(model), Some(BreakerState::Open | BreakerState::HalfOpen))
    }

    fn lease(&mut self, model: usize) {
        let ask = ask(MODELS[model]);
        let state = self.state_of(model);
        let answer = self.pool.lease(&ask, self.now);
        match answer {
            Ok(Granted::Lease(lease)) => {
                assert_ne!(state, Some(BreakerState::Open), "{}", invariants::KP_12.sentence);
                let is_probe = state == Some(BreakerState::HalfOpen);
                if is_probe {
                    self.is_the_only_probe(model);
                }
                assert_eq!(lease.is_trial, state.is_some());
                let probes = is_probe.then_some(self.openings);
                self.outstanding.push(Outstanding { lease, model, granted: self.now, probes });
            }
            Ok(Granted::NotOurs | Granted::Pass(_) | Granted::Wait { .. }) => unreachable!(),
            Err(refusal) => {
                assert!(invariants::is_worth_waiting_for(&refusal), "{}", invariants::KP_5.sentence);
                assert!(
                    invariants::promise_is_kept(&self.pool, &ask, &refusal),
                    "{}",
                    invariants::KP_6.sentence
                );
                if state.is_none() {
                    assert!(!matches!(refusal, PoolRefusal::BreakerOpen { .. }), "{refusal:?}");
                }
                self.promise = refusal.retry_after().unwrap_or_default();
            }
        }
    }

    /// Another one may only be under way if nothing was heard of it for the shortest wait.
    fn is_the_only_probe(&self, model: usize) {
        let fresh = self.outstanding.iter().filter(|one| {
            one.model == model
                && one.probes == Some(self.openings)
                && one.granted.until(self.now) < Duration::from_secs(2)
        });
        assert_eq!(fresh.count(), 0, "{}", invariants::KP_12.sentence);
    }

    fn begin(&mut self, which: usize) {
        let one = &self.outstanding[which];
        let (model, probes) = (one.model, one.probes);
        self.pool.answered(one.lease.id, self.now);
        self.is_closed_by(model, probes);
    }

    fn is_closed_by(&self, model: usize, probes: Option<usize>) {
        if probes == Some(self.openings) {
            assert!(!self.is_open(model), "a probe that succeeds closes the breaker");
        }
    }

    fn settle(&mut self, which: usize, end: End) {
        let Outstanding { lease, model, probes, .. } = self.outstanding.swap_remove(which);
        let group = lease.index;
        let was_open = self.is_open(model);
        for model in (0..MODELS.len()).filter(|model| !self.is_open(*model)).collect::<Vec<_>>() {
            self.begun[model] = None;
        }
        let before = self.pool.snapshot(self.now).breakers;
        let settled = self.pool.settle(lease.id, verdict(end), self.now);
        match end {
            End::Served => {
                self.signs.retain(|sign| sign.model != model);
                self.is_closed_by(model, probes);
            }
            End::Overloaded | End::Unnamed if was_open => {
                assert_eq!(settled, Settled::Ended, "{}", invariants::KP_12.sentence);
                assert!(self.is_open(model));
                self.openings += usize::from(self.pool.snapshot(self.now).breakers != before);
            }
            End::Overloaded | End::Unnamed => self.noted(Sign { model, group, at: self.now }, &settled),
            End::Named | End::Caller | End::Abandoned => {
                assert_eq!(was_open, self.is_open(model), "says nothing of the provider");
                self.note_rest(model, group, true, &settled);
            }
        }
    }

    fn noted(&mut self, sign: Sign, settled: &Settled) {
        self.signs.push(sign);
        let began = self.began(sign.model);
        let should_open = began.is_some_and(|began| self.agree(sign.model, began));
        assert_eq!(self.is_open(sign.model), should_open, "{:?}", self.signs);
        let Some(began) = began.filter(|_| should_open) else {
            return self.note_rest(sign.model, sign.group, false, settled);
        };
        assert_eq!(*settled, Settled::Ended);
        self.openings += 1;
        let breakers = self.pool.snapshot(self.now).breakers;
        let is_whole =
            breakers.iter().any(|one| one.bucket.is_none() && one.state != BreakerState::Recovering);
        self.begun[sign.model] = Some(began);
        // Trouble with several models is one incident of the whole provider.
        let began = if is_whole { self.begun.into_iter().flatten().min().unwrap_or(began) } else { began };
        if is_whole {
            self.begun = [Some(began); MODELS.len()];
        }
        self.signs.retain(|other| !is_whole && other.model != sign.model);
        self.rests.retain(|rest| {
            rest.is_named
                || rest.since < began
                || !is_whole && rest.model != sign.model
                || rest.until <= self.now
        });
    }

    /// When the signs of a model that still count began; a group that was silent for longer than
    /// ten seconds when another sign came has to begin anew.
    fn began(&self, model: usize) -> Option<Moment> {
        let window = Duration::from_secs(10);
        let signs: Vec<&Sign> = self.signs.iter().filter(|sign| sign.model == model).collect();
        let counting = |position: usize| {
            let sign = signs[position];
            let mut last = sign.at;
            signs[position..].iter().all(|later| {
                let is_silent = last.until(later.at) > window;
                if later.group == sign.group && !is_silent {
                    last = later.at;
                }
                !is_silent
            })
        };
        (0..signs.len()).filter(|position| counting(*position)).map(|position| signs[position].at).min()
    }

    fn agree(&self, model: usize, began: Moment) -> bool {
        let window = Duration::from_secs(10);
        let has_met = |group: usize| {
            let mut signs = self.signs.iter().filter(|sign| sign.model == model && sign.group == group);
            signs.any(|sign| sign.at.until(self.now) <= window)
        };
        let is_usable = |group: usize, forgiven: bool| {
            let of_group = |rest: &&Rested| rest.model == model && rest.group == group;
            let mut rests = self.rests.iter().filter(of_group).filter(|rest| rest.until > self.now);
            rests.all(|rest| forgiven && !rest.is_named && rest.since >= began)
        };
        let (met, others): (Vec<usize>, Vec<usize>) =
            (0..self.specs.len()).partition(|group| has_met(*group));
        let met_usable = met.iter().filter(|group| is_usable(**group, true)).count();
        let others_usable = others.iter().filter(|group| is_usable(**group, false)).count();
        met.len() >= 2 && met_usable > others_usable
    }

    fn note_rest(&mut self, model: usize, group: usize, is_named: bool, settled: &Settled) {
        let Settled::Rested { until, .. } = *settled else { return };
        let is_same =
            |rest: &&mut Rested| rest.model == model && rest.group == group && rest.is_named == is_named;
        let mut running = self.rests.iter_mut().filter(is_same).filter(|rest| rest.until > self.now);
        if let Some(rest) = running.next() {
            rest.until = until;
            return;
        }
        self.rests.push(Rested { model, group, is_named, since: self.now, until });
    }

    /// Requests under way and signs are gone; rests and breakers are not.
    fn restart(&mut self) {
        let open: Vec<bool> = (0..MODELS.len()).map(|model| self.is_open(model)).collect();
        let state = serde_json::from_str(&serde_json::to_string(&self.pool.state()).unwrap()).unwrap();
        self.life += 1;
        self.pool = KeyPool::restore(self.life, self.specs.clone(), Policy::default(), 3, &state, self.now);
        self.outstanding.clear();
        self.signs.clear();
        for (model, was_open) in open.into_iter().enumerate() {
            assert_eq!(self.is_open(model), was_open, "a restart opens and closes nothing");
        }
    }
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        2 => Just(End::Served),
        5 => Just(End::Overloaded),
        4 => Just(End::Unnamed),
        1 => Just(End::Named),
        1 => Just(End::Caller),
        1 => Just(End::Abandoned),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let model = || prop_oneof![4 => Just(0_usize), 2 => Just(1), 1 => Just(2)];
    prop_oneof![
        10 => model().prop_map(Step::Lease),
        10 => (0_usize..6, end()).prop_map(|(which, end)| Step::Settle { which, end }),
        1 => (0_usize..6).prop_map(Step::Begin),
        3 => (0_u64..3_000).prop_map(Step::Wait),
        1 => (0_u64..60_000).prop_map(Step::Wait),
        3 => Just(Step::WaitAsPromised),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn breakers_stand_where_the_history_says(
        groups in 1_usize..6,
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut trial = Trial::new(groups);
        for step in &steps {
            trial.take(step);
        }
    }
}
