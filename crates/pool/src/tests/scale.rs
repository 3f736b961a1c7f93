//! What is kept ready against a look at everything: whoever is chosen, whenever the first returns, and whoever
//! waits, the answer is what a scan of all keys and all lines gives.

use std::time::Duration;

use keygate_domain::{Allowance, Failure, Fault, Hint, KeySpec, Metric, Moment, Spend, Verdict};
use proptest::prelude::*;

use super::random::order;
use super::world::{ask, spec, start, user};
use crate::standing::Wish;
use crate::{
    Ask, Budgets, Granted, KeyPool, Lease, Policy, PoolRefusal, QueueBounds, Skip, Strategy as Order,
};

const MODELS: [&str; 2] = ["pro", "flash"];

#[derive(Clone, Debug)]
enum Step {
    Ask { model: usize, requests: u32, tokens: u64, patience: u64, who: usize },
    Serve { which: usize, tokens: u64 },
    Fail { which: usize, fault: Fault, seconds: u64 },
    Wait { millis: u64 },
    Disable { key: usize },
    Enable { key: usize },
    Reset { key: usize },
    Reload { keys: Vec<KeySpec> },
}

fn step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![Just(Fault::RateLimited), Just(Fault::GroupBlocked), Just(Fault::KeyForbidden)];
    let patience = prop_oneof![2 => Just(0_u64), 1 => 0_u64..90_000];
    let requests = prop_oneof![4 => Just(1_u32), 1 => 1_u32..5];
    let gap = prop_oneof![3 => 0_u64..3_000, 1 => 0_u64..70_000];
    prop_oneof![
        20 => (0..MODELS.len(), requests, 1_u64..120, patience, 0_usize..3).prop_map(
            |(model, requests, tokens, patience, who)| Step::Ask { model, requests, tokens, patience, who }
        ),
        6 => (0_usize..40, 0_u64..150).prop_map(|(which, tokens)| Step::Serve { which, tokens }),
        2 => (0_usize..40, fault, 1_u64..90).prop_map(|(which, fault, seconds)| Step::Fail { which, fault, seconds }),
        6 => gap.prop_map(|millis| Step::Wait { millis }),
        1 => (0_usize..90).prop_map(|key| Step::Disable { key }),
        1 => (0_usize..90).prop_map(|key| Step::Enable { key }),
        1 => (0_usize..90).prop_map(|key| Step::Reset { key }),
        1 => keys().prop_map(|keys| Step::Reload { keys }),
    ]
}

/// A few keys, or so many that they are not compared one by one.
fn keys() -> impl Strategy<Value = Vec<KeySpec>> {
    let size = prop_oneof![3 => 1_usize..8, 1 => 70_usize..90];
    (size, 1_usize..4).prop_map(|(size, per_group)| {
        let of = |number: usize| spec(&format!("k{number}"), Some(&format!("g{}", number / per_group)));
        (0..size).map(of).collect()
    })
}

fn allowance() -> impl Strategy<Value = Allowance> {
    (prop::option::of(1_u64..6), prop::option::of(50_u64..300), prop::option::of(1_u64..3)).prop_map(
        |(requests, tokens, concurrent)| Allowance {
            requests_per_minute: requests,
            input_tokens_per_minute: tokens,
            requests_per_day: Some(40),
            concurrent,
            ..Allowance::default()
        },
    )
}

fn policy(strategy: Order, default: Allowance) -> Policy {
    let queue = QueueBounds { max_wait: Duration::from_mins(1), max_waiting: 12 };
    Policy { strategy, queue, budgets: Budgets { default, ..Budgets::default() }, ..Policy::default() }
}

struct Trial {
    pool: KeyPool,
    policy: Policy,
    keys: Vec<KeySpec>,
    now: Moment,
    outstanding: Vec<Lease>,
}

impl Trial {
    fn take(&mut self, step: Step) {
        match step {
            Step::Ask { model, requests, tokens, patience, who } => self.ask(&Ask {
                user: user(&who.to_string()),
                estimate: Spend { requests, input_tokens: tokens, output_tokens: 0 },
                patience: Duration::from_millis(patience),
                ..ask(MODELS[model])
            }),
            Step::Serve { which, tokens } => {
                let spend = Spend { requests: 1, input_tokens: tokens, output_tokens: 5 };
                self.settle(which, Verdict::Served(spend));
            }
            Step::Fail { which, fault, seconds } => {
                let hint = Hint {
                    retry_after: Some(Duration::from_secs(seconds)),
                    metric: Metric::RequestsPerMinute,
                    ..Hint::default()
                };
                self.settle(which, Verdict::Failed(Failure::of(fault).hinting(hint)));
            }
            Step::Wait { millis } => {
                self.now = self.now.after(Duration::from_millis(millis));
                self.pool.advance(self.now);
            }
            Step::Disable { key } => self.of_key(key, |pool, id, now| {
                pool.disable(id, now);
            }),
            Step::Enable { key } => self.of_key(key, |pool, id, now| {
                pool.enable(id, now);
            }),
            Step::Reset { key } => {
                self.of_key(key, |pool, id, now| {
                    pool.reset(Some(std::slice::from_ref(id)), now);
                });
            }
            Step::Reload { keys } => {
                self.pool.reload(keys.clone(), self.policy.clone(), self.now);
                self.keys = keys;
            }
        }
        // What is due at once is done at once.
        if self.pool.next_wakeup().is_some_and(|due| due <= self.now) {
            self.pool.advance(self.now);
        }
        let served = self.pool.drain_resolved().into_iter().filter_map(|resolved| resolved.outcome.ok());
        self.outstanding.extend(served.filter_map(|granted| match granted {
            Granted::Lease(lease) => Some(lease),
            Granted::NotOurs | Granted::Pass(_) | Granted::Wait { .. } => None,
        }));
        self.nobody_waits_in_vain();
        crate::invariants::assert_holds(&self.pool);
        assert!(crate::invariants::narrow_groups_are_narrow(&self.pool));
    }

    fn of_key(&mut self, key: usize, act: impl FnOnce(&mut KeyPool, &keygate_domain::KeyId, Moment)) {
        if let Some(spec) = self.keys.get(key) {
            act(&mut self.pool, spec.secret.id(), self.now);
        }
    }

    fn settle(&mut self, which: usize, verdict: Verdict) {
        if which < self.outstanding.len() {
            let lease = self.outstanding.swap_remove(which);
            self.pool.settle(lease.id, verdict, self.now);
        }
    }

    fn ask(&mut self, ask: &Ask) {
        let (free, returns) = self.scan(ask);
        let first = self.first_of(&free, ask);
        let is_anybody_waiting = self.pool.snapshot(self.now).waiting > 0;
        match self.pool.lease(ask, self.now) {
            Ok(Granted::Lease(lease)) => {
                assert!(free.contains(&lease.index), "{} is not free", lease.index);
                assert!(first.is_none_or(|first| first == lease.index), "{} before {first:?}", lease.index);
                self.outstanding.push(lease);
            }
            // Whoever stands before may wait for less than this one does.
            Err(PoolRefusal::Resting { .. }) | Ok(Granted::Wait { .. }) if is_anybody_waiting => {}
            Err(PoolRefusal::Resting { retry_after, .. }) => {
                assert!(free.is_empty(), "{free:?}");
                assert_eq!(Some(self.now.after(retry_after)), returns);
            }
            Ok(Granted::Wait { until, .. }) => {
                assert!(free.is_empty(), "{free:?}");
                assert!(returns.is_some_and(|returns| returns <= until));
            }
            Err(PoolRefusal::Disabled { .. }) => assert_eq!((free, returns), (Vec::new(), None)),
            other => panic!("{other:?}"),
        }
    }

    /// By a look at every key: those that are free, and when the first of the others returns.
    fn scan(&self, ask: &Ask) -> (Vec<usize>, Option<Moment>) {
        let seen = self.pool.clone().explain(ask, self.now).keys;
        let free = seen.iter().filter(|key| key.skip.is_none()).map(|key| key.index).collect();
        let ends = seen.iter().filter_map(|key| match key.skip.as_ref()? {
            Skip::Resting { until, .. } | Skip::OverBudget { until, .. } => Some(*until),
            Skip::Disabled { .. } | Skip::Refused | Skip::Failed | Skip::NotOwner => None,
        });
        (free, ends.min().map(|end| end.max(self.now.after(Duration::from_millis(1)))))
    }

    /// Of those free the one that comes first, if the strategy has one that can be told from outside.
    fn first_of(&self, free: &[usize], ask: &Ask) -> Option<usize> {
        if matches!(self.policy.strategy, Order::Health | Order::Headroom) {
            return None;
        }
        let mut copy = self.pool.clone();
        copy.advance(self.now);
        let bucket = ask.model.as_ref().map(keygate_domain::ModelName::as_str);
        let wish =
            Wish { operation: Some(ask.operation.0), bucket, opens_session: false, spend: Spend::default() };
        let scope = copy.roster.resting.scope_of(&wish);
        let usable = |key: &usize| copy.roster.is_usable(*key, &scope.wish(), self.now);
        let out: Vec<usize> = (0..self.keys.len()).filter(|key| !usable(key)).collect();
        let place = copy.lanes.open(&scope, || out);
        let turns = &copy.lanes.lane(place).turns;
        free.iter().copied().min_by_key(|key| (turns.rank(*key), *key))
    }

    /// A look at every line finds nobody who could be served.
    fn nobody_waits_in_vain(&self) {
        let mut copy = self.pool.clone();
        copy.look_at_everybody();
        let resolved = copy.drain_resolved();
        assert!(resolved.iter().all(|resolved| resolved.outcome.is_err()), "{resolved:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_ready_is_what_a_look_at_everything_gives(
        keys in keys(),
        order in order(),
        allowance in allowance(),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let policy = policy(order, allowance);
        let pool = KeyPool::new(1, keys.clone(), policy.clone(), 7, start());
        let mut trial = Trial { pool, policy, keys, now: start(), outstanding: Vec::new() };
        for step in steps {
            trial.take(step);
        }
    }
}
