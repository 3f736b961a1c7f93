//! A provider whose projects are not what the configuration says: what it states is learned, and a limit
//! that is known, of keys that are known to be one project, is never run into again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use keygate_domain::{
    Allowance, Failure, Fault, GroupId, Hint, KeySpec, Metric, Moment, Reset, Scope, Spend, Verdict,
};
use proptest::prelude::*;

use super::world::{ask, spec, start};
use crate::{Ask, Budgets, Granted, KeyPool, KeySnapshot, Lease, Policy, Strategy as Order, invariants};

const MODELS: [&str; 2] = ["flash", "pro"];
/// The first letter is the project.
const KEYS: [&str; 6] = ["a1", "a2", "a3", "b1", "b2", "c1"];
/// As far as the provider's clock may be off, and the wire slow, in these trials.
const MARGIN: Duration = Duration::from_millis(2_500);
const PACIFIC: &str = "America/Los_Angeles";

/// One request that the provider served.
#[derive(Clone, Debug)]
struct Served {
    key: String,
    model: usize,
    at: Timestamp,
    tokens: u64,
}

#[derive(Clone, Debug)]
struct Provider {
    has_fixed_minutes: bool,
    /// Its clock minus ours, in milliseconds.
    skew: i64,
    truth: Allowance,
    served: Vec<Served>,
}

/// A limit that a request broke, and which keys had used it up.
#[derive(Debug)]
struct Broken {
    metric: Metric,
    limit: u64,
    by: BTreeSet<String>,
}

impl Provider {
    fn ask(&mut self, key: &str, model: usize, tokens: u64, wall: Timestamp) -> Result<(), Broken> {
        let clock = wall + SignedDuration::from_millis(self.skew);
        let is_own = |one: &&Served| one.key[..1] == key[..1] && one.model == model;
        let is_now = |one: &&Served| {
            if self.has_fixed_minutes {
                one.at.as_second().div_euclid(60) == clock.as_second().div_euclid(60)
            } else {
                clock.duration_since(one.at) < SignedDuration::from_mins(1)
            }
        };
        let date = |at: Timestamp| at.to_zoned(TimeZone::get(PACIFIC).unwrap()).date();
        let own: Vec<&Served> = self.served.iter().filter(is_own).collect();
        let recent: Vec<&Served> = own.iter().copied().filter(is_now).collect();
        let today: Vec<&Served> = own.iter().copied().filter(|one| date(one.at) == date(clock)).collect();
        let input = tokens + recent.iter().map(|one| one.tokens).sum::<u64>();
        for (metric, used, within) in [
            (Metric::RequestsPerDay, today.len() as u64 + 1, &today),
            (Metric::RequestsPerMinute, recent.len() as u64 + 1, &recent),
            (Metric::InputTokensPerMinute, input, &recent),
        ] {
            if let Some(limit) = self.truth.limit(metric).filter(|limit| used > *limit) {
                let by = within.iter().map(|one| one.key.clone()).chain([key.to_owned()]).collect();
                return Err(Broken { metric, limit, by });
            }
        }
        self.served.push(Served { key: key.to_owned(), model, at: clock, tokens });
        Ok(())
    }
}

#[derive(Clone, Debug)]
struct Arrival {
    gap: u64,
    model: usize,
    tokens: u64,
    wire: u64,
    takes: u64,
    /// Whether an error would name the project.
    names: bool,
    /// Whether it is answered by an error that is about neither quota nor key.
    fails: bool,
}

fn arrival() -> impl Strategy<Value = Arrival> {
    let gap = prop_oneof![5 => 0_u64..50, 3 => 0_u64..3_000, 1 => 0_u64..70_000, 1 => Just(6 * 3_600_000)];
    (gap, 0..MODELS.len(), 1_u64..400, 0_u64..400, 0_u64..20_000, any::<bool>(), prop::bool::weighted(0.1))
        .prop_map(|(gap, model, tokens, wire, takes, names, fails)| Arrival {
            gap,
            model,
            tokens,
            wire,
            takes,
            names,
            fails,
        })
}

fn truth() -> impl Strategy<Value = Allowance> {
    (2_u64..9, prop::option::of(6_u64..60), prop::option::of(800_u64..3_000)).prop_map(
        |(requests, day, tokens)| Allowance {
            requests_per_minute: Some(requests),
            requests_per_day: day,
            input_tokens_per_minute: tokens,
            ..Allowance::default()
        },
    )
}

fn configured() -> impl Strategy<Value = Allowance> {
    prop_oneof![2 => Just(None), 1 => (1_u64..12).prop_map(Some)]
        .prop_map(|requests_per_minute| Allowance { requests_per_minute, ..Allowance::default() })
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![Just(Order::RoundRobin), Just(Order::LeastRecentlyUsed), Just(Order::Headroom)]
}

/// The keys, of which the first so many by `ranks` are declared, rightly.
fn specs(ranks: &[usize], declared: usize) -> Vec<KeySpec> {
    let group = |key: &str| ["team-a", "projects/2", "c"][usize::from(key.as_bytes()[0] - b'a')];
    let keys = KEYS.iter().zip(ranks);
    keys.map(|(key, rank)| spec(key, Some(group(key)).filter(|_| *rank < declared))).collect()
}

fn project_of(key: &str) -> GroupId {
    GroupId::new(format!("projects/{}", key.as_bytes()[0] - b'a' + 1))
}

struct Trial {
    pool: KeyPool,
    policy: Policy,
    provider: Provider,
    now: Moment,
    ending: Vec<(u64, Lease, Verdict)>,
    /// Requests that went out: key, model, when.
    sent: Vec<(String, usize, Moment)>,
}

impl Trial {
    fn keys(&self) -> BTreeMap<String, KeySnapshot> {
        let keys = self.pool.snapshot(self.now).keys;
        keys.into_iter().map(|key| (key.label.to_string(), key)).collect()
    }

    fn settle_due(&mut self, millis: u64) {
        let ending = std::mem::take(&mut self.ending);
        for (at, lease, verdict) in ending {
            if at <= millis {
                self.pool.settle(lease.id, verdict, self.now);
            } else {
                self.ending.push((at, lease, verdict));
            }
        }
    }

    fn request(&mut self, arrival: &Arrival, millis: u64) {
        let spend = Spend { requests: 1, input_tokens: arrival.tokens, output_tokens: 0 };
        let ask = Ask { estimate: spend, hold: Duration::from_mins(10), ..ask(MODELS[arrival.model]) };
        let Ok(Granted::Lease(lease)) = self.pool.lease(&ask, self.now) else { return };
        let key = lease.label.to_string();
        self.sent.push((key.clone(), arrival.model, self.now));
        let group = arrival.names.then(|| project_of(&key));
        let arrives = self.now.after(Duration::from_millis(arrival.wire)).wall;
        let verdict = if arrival.fails {
            let hint = Hint { group, ..Hint::default() };
            Verdict::Failed(Failure::of(Fault::Poison).at(Scope::Nothing).hinting(hint))
        } else {
            match self.provider.ask(&key, arrival.model, arrival.tokens, arrives) {
                Ok(()) => Verdict::Served(spend),
                Err(broken) => {
                    self.check_that_nobody_knew(&broken, arrival.model, &key);
                    refused(&broken, group)
                }
            }
        };
        self.ending.push((millis + arrival.takes, lease, verdict));
    }

    /// The pool may run into a limit that it does not know, or that keys share which it takes apart.
    fn check_that_nobody_knew(&self, broken: &Broken, model: usize, key: &str) {
        let keys = self.keys();
        let groups: BTreeSet<&GroupId> = broken.by.iter().map(|key| &keys[key].group).collect();
        let metric = broken.metric;
        let stated = keys[key]
            .stated_limits
            .iter()
            .find(|one| one.bucket.as_str() == MODELS[model] && one.metric == metric);
        let configured = self.policy.budgets.default.limit(metric);
        let known = stated.map(|one| one.limit).into_iter().chain(configured).min();
        assert!(
            groups.len() > 1 || known.is_none_or(|known| known > broken.limit),
            "429 with {known:?} known: {broken:?} of {groups:?} at {}",
            self.now.wall
        );
    }

    /// Whatever became of groups and limits: no budget shows less than went out.
    fn check_that_nothing_is_lost(&self) {
        let keys = self.keys();
        let minute = |at: &Moment| at.until(self.now) < Duration::from_mins(1);
        for snapshot in keys.values() {
            for bucket in snapshot.budgets.iter() {
                let of_minute = bucket.uses.iter().find(|one| one.metric == Metric::RequestsPerMinute);
                let Some(shown) = of_minute else { continue };
                let sent = self.sent.iter().filter(|(key, model, at)| {
                    keys[key].group == snapshot.group
                        && MODELS[*model] == bucket.bucket.as_str()
                        && minute(at)
                });
                assert!(
                    shown.used >= sent.count() as u64,
                    "{shown:?} of {} {}",
                    snapshot.group,
                    bucket.bucket
                );
            }
        }
        assert_eq!(keys.values().map(|key| key.in_flight).sum::<u64>(), self.ending.len() as u64);
    }
}

fn refused(broken: &Broken, group: Option<GroupId>) -> Verdict {
    let is_day = broken.metric == Metric::RequestsPerDay;
    let hint = Hint {
        retry_after: Some(Duration::from_secs(1)),
        resets: is_day.then_some(Reset::Midnight(PACIFIC)),
        metric: broken.metric,
        limit: Some(broken.limit),
        group,
        ..Hint::default()
    };
    Verdict::Failed(
        Failure::of(if is_day { Fault::QuotaExhausted } else { Fault::RateLimited }).hinting(hint),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn what_is_known_is_never_run_into(
        truth in truth(),
        configured in configured(),
        order in order(),
        ranks in Just((0..KEYS.len()).collect::<Vec<_>>()).prop_shuffle(),
        has_fixed_minutes in any::<bool>(),
        skew in -2_000_i64..2_000,
        arrivals in prop::collection::vec(arrival(), 1..150),
        reloads in prop::collection::btree_set(0_usize..150, 0..4),
    ) {
        let budgets =
            Budgets { default: configured, margin: MARGIN, day: Reset::Midnight(PACIFIC), ..Budgets::default() };
        let policy = Policy { strategy: order, budgets, ..Policy::default() };
        let mut declared = ranks[0] % 3;
        let mut trial = Trial {
            pool: KeyPool::new(1, specs(&ranks, declared), policy.clone(), 7, start()),
            policy,
            provider: Provider { has_fixed_minutes, skew, truth, served: Vec::new() },
            now: start(),
            ending: Vec::new(),
            sent: Vec::new(),
        };
        for (number, arrival) in arrivals.iter().enumerate() {
            trial.now = trial.now.after(Duration::from_millis(arrival.gap));
            if reloads.contains(&number) {
                // An operator who knows of one more key.
                declared += 1;
                trial.pool.reload(specs(&ranks, declared), trial.policy.clone(), trial.now);
            }
            let millis = u64::try_from(trial.now.mono.as_millis()).unwrap();
            trial.settle_due(millis);
            trial.request(arrival, millis);
            invariants::assert_holds(&trial.pool);
            trial.check_that_nothing_is_lost();
        }
    }
}
