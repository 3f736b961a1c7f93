//! Providers that count their own way, and a pool that must never be told so: with budgets configured
//! no request that it lets through is one too many, whichever way the provider counts.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use keygate_domain::{Allowance, KeySpec, Reset, Spend, Verdict};
use proptest::prelude::*;

use super::world::{ask, spec, start};
use crate::{Ask, Budgets, Granted, KeyPool, Lease, Policy, PoolRefusal, Strategy as Order, invariants};

const MODELS: [&str; 2] = ["flash", "pro"];
/// As far as the provider's clock may be off, and the wire slow, in these trials.
const MARGIN: Duration = Duration::from_millis(2_500);

/// How a provider counts its minutes.
#[derive(Clone, Copy, Debug)]
enum Minutes {
    /// From full minute to full minute of its clock.
    Fixed,
    /// Any sixty seconds.
    Sliding,
}

#[derive(Clone, Debug)]
struct Provider {
    minutes: Minutes,
    /// Its clock minus ours, in milliseconds.
    skew: i64,
    allowance: Allowance,
    /// What it served, by group and model: when by its clock, and how many tokens.
    served: BTreeMap<(String, String), Vec<(Timestamp, u64)>>,
}

impl Provider {
    /// Serves a request that arrives now, or says what is too much.
    fn ask(&mut self, group: &str, model: &str, tokens: u64, wall: Timestamp) -> Result<(), String> {
        let clock = wall + SignedDuration::from_millis(self.skew);
        let log = self.served.entry((group.to_owned(), model.to_owned())).or_default();
        let minute = |at: &Timestamp| match self.minutes {
            Minutes::Fixed => at.as_second().div_euclid(60) == clock.as_second().div_euclid(60),
            Minutes::Sliding => clock.duration_since(*at) < SignedDuration::from_mins(1),
        };
        let pacific = |at: &Timestamp| at.to_zoned(TimeZone::get("America/Los_Angeles").unwrap()).date();
        let recent = log.iter().filter(|(at, _)| minute(at));
        let (requests, input) =
            recent.fold((1, tokens), |(requests, input), (_, tokens)| (requests + 1, input + tokens));
        let of_today = log.iter().filter(|(at, _)| pacific(at) == pacific(&clock)).count() as u64 + 1;
        for (what, used, limit) in [
            ("requests per minute", requests, self.allowance.requests_per_minute),
            ("input tokens per minute", input, self.allowance.input_tokens_per_minute),
            ("requests per day", of_today, self.allowance.requests_per_day),
        ] {
            if limit.is_some_and(|limit| used > limit) {
                return Err(format!("429: {used} {what} of {group}/{model} at {clock}"));
            }
        }
        log.push((clock, tokens));
        Ok(())
    }
}

#[derive(Clone, Debug)]
struct Arrival {
    gap: u64,
    model: usize,
    tokens: u64,
    /// How long it is under way.
    wire: u64,
    /// How long until it is settled.
    takes: u64,
}

fn arrival() -> impl Strategy<Value = Arrival> {
    let gap = prop_oneof![3 => 0_u64..50, 3 => 0_u64..3_000, 1 => 0_u64..70_000, 1 => Just(6 * 3_600_000)];
    (gap, 0..MODELS.len(), 1_u64..400, 0_u64..400, 0_u64..20_000)
        .prop_map(|(gap, model, tokens, wire, takes)| Arrival { gap, model, tokens, wire, takes })
}

fn allowance() -> impl Strategy<Value = Allowance> {
    (1_u64..8, prop::option::of(3_u64..60), prop::option::of(400_u64..2_000)).prop_map(
        |(requests, day, tokens)| Allowance {
            requests_per_minute: Some(requests),
            requests_per_day: day,
            input_tokens_per_minute: tokens,
            ..Allowance::default()
        },
    )
}

/// What an operator may make of the keys without being wrong about whose they are.
fn keys() -> impl Strategy<Value = Vec<KeySpec>> {
    let names = prop::sample::subsequence(vec!["a1", "a2", "b", "c"], 1..=4).prop_shuffle();
    (names, any::<bool>(), any::<bool>()).prop_map(|(names, a_by_another_name, c_has_a_name)| {
        let group = |name: &str| match &name[..1] {
            "a" if a_by_another_name => Some("projects/a"),
            "a" => Some("a"),
            "b" => Some("b"),
            _ => Some("c").filter(|_| c_has_a_name),
        };
        names.into_iter().map(|name| spec(name, group(name))).collect()
    })
}

fn pool(allowance: Allowance) -> KeyPool {
    let keys = vec![spec("a1", Some("a")), spec("a2", Some("a")), spec("b", Some("b")), spec("c", None)];
    KeyPool::new(1, keys, policy(allowance), 7, start())
}

fn policy(allowance: Allowance) -> Policy {
    let budgets = Budgets {
        default: allowance,
        margin: MARGIN,
        day: Reset::Midnight("America/Los_Angeles"),
        ..Budgets::default()
    };
    Policy { strategy: Order::RoundRobin, budgets, ..Policy::default() }
}

fn wanted(arrival: &Arrival) -> Ask {
    let estimate = Spend { requests: 1, input_tokens: arrival.tokens, output_tokens: 0 };
    Ask { estimate, hold: Duration::from_mins(10), ..ask(MODELS[arrival.model]) }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_request_is_one_too_many(
        allowance in allowance(),
        is_fixed in any::<bool>(),
        skew in -2_000_i64..2_000,
        arrivals in prop::collection::vec(arrival(), 1..120),
        restart_at in prop::option::of(0_usize..120),
        reloads in prop::collection::btree_map(0_usize..120, keys(), 0..6),
    ) {
        let minutes = if is_fixed { Minutes::Fixed } else { Minutes::Sliding };
        let mut provider = Provider { minutes, skew, allowance, served: BTreeMap::new() };
        let mut pool = pool(allowance);
        let mut now = start();
        let mut ending: Vec<(u64, Lease)> = Vec::new();
        for (number, arrival) in arrivals.iter().enumerate() {
            now = now.after(Duration::from_millis(arrival.gap));
            if restart_at == Some(number) {
                let (state, spent) = (pool.state(), pool.spent());
                let keys = vec![spec("a1", Some("a")), spec("a2", Some("a")), spec("b", Some("b")), spec("c", None)];
                pool = KeyPool::restore(2, keys, policy(allowance), 7, &state, now);
                pool.remember_spent(&spent);
                ending.clear();
            }
            // A restart forgets keys that are not configured by then, so that it comes first here.
            let is_restarted = restart_at.is_none_or(|at| at < number);
            if let Some(keys) = reloads.get(&number).filter(|_| is_restarted) {
                pool.reload(keys.clone(), policy(allowance), now);
            }
            let millis = u64::try_from(now.mono.as_millis()).unwrap();
            let (over, still) = ending.into_iter().partition::<Vec<_>, _>(|(at, _)| *at <= millis);
            ending = still;
            for (_, lease) in over {
                pool.settle(lease.id, Verdict::Abandoned, now);
            }
            let ask = wanted(arrival);
            match pool.lease(&ask, now) {
                Ok(Granted::Lease(lease)) => {
                    let arrives = now.after(Duration::from_millis(arrival.wire)).wall;
                    let model = MODELS[arrival.model];
                    let served = provider.ask(&lease.label[..1], model, arrival.tokens, arrives);
                    prop_assert_eq!(served, Ok(()));
                    ending.push((millis + arrival.takes, lease));
                }
                Err(refusal @ PoolRefusal::Resting { .. }) => {
                    prop_assert!(invariants::is_worth_waiting_for(&refusal));
                    prop_assert!(invariants::promise_is_kept(&pool, &ask, &refusal), "{refusal:?}");
                }
                other => prop_assert!(false, "{other:?}"),
            }
            invariants::assert_holds(&pool);
        }
    }
}

/// Whoever asks all the time gets all there is, but for the margin.
#[test]
fn at_least_98_percent_of_what_is_granted_can_be_used() {
    let allowance = Allowance { requests_per_minute: Some(50), ..Allowance::default() };
    let budgets = Budgets { default: allowance, ..Budgets::default() };
    let policy = Policy { budgets, ..Policy::default() };
    let mut pool = KeyPool::new(1, vec![spec("a", None), spec("b", None)], policy, 7, start());
    let mut now = start();
    let mut served = 0_u64;
    let minutes = 60;
    while start().until(now) < Duration::from_mins(minutes) {
        match pool.lease(&Ask { estimate: one(), ..ask("m") }, now) {
            Ok(Granted::Lease(lease)) => {
                served += 1;
                pool.settle(lease.id, Verdict::Served(one()), now);
            }
            Err(PoolRefusal::Resting { retry_after, .. }) => now = now.after(retry_after),
            other => panic!("{other:?}"),
        }
    }
    let granted = minutes * 50 * 2;
    assert!(served * 100 >= granted * 98, "{served} of {granted}");
}

fn one() -> Spend {
    Spend { requests: 1, ..Spend::default() }
}
