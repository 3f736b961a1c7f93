//! How keys fare, how their order moves on, and what that does to shares.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::time;
use jiff::tz::TimeZoneDatabase;
use keygate_domain::{Fault, Role, Verdict};

use super::world::*;
use crate::{KeyPool, Policy, PoolEvent, Rotation, Strategy, TriedHow};

fn world(strategy: Strategy, labels: &[&str]) -> World {
    World::with(labels.iter().map(|label| spec(label, None)).collect(), strategy)
}

fn health(world: &World) -> Vec<u8> {
    world.pool.snapshot(world.now).keys.iter().map(|key| key.health).collect()
}

fn counts(served: &[String]) -> BTreeMap<&str, u32> {
    served.iter().fold(BTreeMap::new(), |mut counts, label| {
        *counts.entry(label.as_str()).or_default() += 1;
        counts
    })
}

/// Whether `count` of `all` is what this share gives but once in two million times.
fn is_share(count: u32, all: u32, share: f64) -> bool {
    let (count, all) = (f64::from(count), f64::from(all));
    (count - all * share).abs() <= 5.0 * (all * share * (1.0 - share)).sqrt()
}

// === least_recently_used ===

#[test]
fn the_key_that_waited_longest_is_next() {
    let mut world = world(Strategy::LeastRecentlyUsed, &["a", "b", "c"]);
    assert_eq!(world.serve(&ask("pro"), 4).join(""), "abca");
    world.hit("b", &ask("pro"), failed_for(Fault::RateLimited, 60));
    assert_eq!(world.serve(&ask("pro"), 3).join(""), "cac");
    world.pass(seconds(67));
    assert_eq!(world.serve(&ask("pro"), 4).join(""), "bacb", "it waited longest meanwhile");
}

#[test]
fn a_use_counts_whatever_it_was_for() {
    let mut world = world(Strategy::LeastRecentlyUsed, &["a", "b", "c"]);
    world.hit("a", &ask("pro"), failed_for(Fault::RateLimited, 600));
    assert_eq!(world.serve(&ask("flash"), 1), ["b"], "another model, another lane");
    assert_eq!(world.serve(&ask("pro"), 1), ["c"]);
    assert_eq!(world.serve(&ask("flash"), 3).join(""), "abc");
    assert_eq!(world.serve(&ask("pro"), 2).join(""), "bc");
}

// === health ===

#[test]
fn health_is_told_and_comes_back_with_time() {
    let mut world = world(Strategy::RoundRobin, &["a", "b"]);
    assert_eq!(health(&world), [100, 100]);
    world.use_once(&ask("pro"), failed_for(Fault::RateLimited, 1));
    assert_eq!(health(&world), [80, 100]);
    for verdict in [
        failed(Fault::Overloaded),
        failed(Fault::ServerError),
        failed(Fault::Unreachable),
        failed(Fault::Caller),
        failed(Fault::Poison),
        Verdict::Abandoned,
        Verdict::Unsent,
    ] {
        // Of another model each: two groups that agree would open a breaker.
        for model in ["flash", "lite"] {
            world.use_once(&ask(&format!("{model} that met {verdict:?}")), verdict.clone());
        }
        assert_eq!(health(&world), [80, 100], "neither the caller's nor the provider's fault counts");
    }
    world.hit("b", &ask("flash"), failed(Fault::Timeout));
    assert_eq!(health(&world), [80, 80]);
    world.hit("b", &ask("flash"), served());
    assert_eq!(health(&world), [80, 85]);
    world.pass(seconds(60));
    assert_eq!(health(&world), [90, 95]);
    world.pass(seconds(600));
    assert_eq!(health(&world), [100, 100]);
}

#[test]
fn a_reset_makes_a_key_whole() {
    let mut world = world(Strategy::Health, &["a", "b"]);
    world.hit("a", &ask("pro"), failed(Fault::Timeout));
    world.pool.reset(Some(&[id("b")]), world.now);
    assert_eq!(health(&world), [80, 100]);
    world.pool.reset(None, world.now);
    assert_eq!(health(&world), [100, 100]);
}

#[test]
fn health_survives_a_restart_and_recovers_meanwhile() {
    let mut world = world(Strategy::Health, &["a", "b"]);
    for _ in 0..5 {
        world.hit("a", &ask("pro"), failed(Fault::Timeout));
    }
    assert_eq!(health(&world)[0], 0);
    let state = serde_json::to_string(&world.pool.state()).unwrap();
    let state = serde_json::from_str(&state).unwrap();
    world.pass(seconds(300));
    let specs = vec![spec("a", None), spec("b", None)];
    let policy = Policy { strategy: Strategy::Health, ..Policy::default() };
    world.pool = KeyPool::restore(2, specs, policy, 1, &state, world.now);
    assert_eq!(health(&world), [50, 100]);
    let ended_unsent = (0..6000).map(|_| world.use_once(&ask("pro"), Verdict::Unsent)).collect::<Vec<_>>();
    assert!(is_share(counts(&ended_unsent)["a"], 6000, 51.0 / 152.0), "{:?}", counts(&ended_unsent));
}

#[test]
fn the_healthier_a_key_the_more_it_is_used() {
    let mut world = world(Strategy::Health, &["a", "b", "c"]);
    for _ in 0..3 {
        world.hit("b", &ask("pro"), failed(Fault::Timeout));
    }
    for _ in 0..5 {
        world.hit("c", &ask("pro"), failed(Fault::Timeout));
    }
    let turns: Vec<String> = (0..30_000).map(|_| world.use_once(&ask("pro"), Verdict::Unsent)).collect();
    let had = counts(&turns);
    for (label, share) in [("a", 101.0 / 143.0), ("b", 41.0 / 143.0), ("c", 1.0 / 143.0)] {
        assert!(is_share(had[label], 30_000, share), "{label} of {had:?}");
    }
    world.pass(seconds(600));
    let turns = world.serve(&ask("pro"), 30_000);
    assert!(counts(&turns).values().all(|had| is_share(*had, 30_000, 1.0 / 3.0)), "{:?}", counts(&turns));
}

#[test]
fn health_chooses_elsewhere_after_a_failure() {
    let mut world = world(Strategy::Health, &["a", "b", "c"]);
    for _ in 0..200 {
        let first = world.lease(&ask("pro"));
        let again = crate::Ask { tried: vec![world.tried(&first, TriedHow::Failed)], ..ask("pro") };
        let second = world.lease(&again);
        assert_ne!(first.index, second.index);
        world.settle(&first, Verdict::Unsent);
        world.settle(&second, Verdict::Unsent);
    }
}

#[test]
fn one_key_at_nothing_still_serves() {
    let mut world = world(Strategy::Health, &["a"]);
    for _ in 0..10 {
        world.use_once(&ask("pro"), failed(Fault::Timeout));
    }
    assert_eq!((world.serve(&ask("pro"), 2).join(""), health(&world)[0]), ("aa".to_owned(), 10));
}

#[test]
fn what_fails_once_in_a_while_is_used_less_and_comes_back() {
    let mut world = world(Strategy::Health, &["good", "bad"]);
    let mut bad = [0_u32; 2];
    for (phase, counted) in bad.iter_mut().enumerate() {
        for _ in 0..5_000 {
            world.pass(Duration::from_millis(100));
            let lease = world.lease(&ask("pro"));
            let is_bad = &*lease.label == "bad";
            *counted += u32::from(is_bad);
            let times_out = is_bad && phase == 0;
            world.settle(&lease, if times_out { failed(Fault::Timeout) } else { served() });
        }
    }
    assert!(bad[0] < 500, "{bad:?} of 5000: hardly used while it fails");
    assert!(bad[0] > 20, "{bad:?} of 5000: but never lost");
    assert!(bad[1] > 2_000, "{bad:?} of 5000: and back when it works");
}

// === headroom ===

#[test]
fn untouched_budgets_take_turns() {
    let mut world = world(Strategy::Headroom, &["a", "b", "c"]);
    assert_eq!(world.serve(&ask("pro"), 6).join(""), "abcabc");
}

#[test]
fn the_most_left_is_used_first_in_every_lane() {
    let mut world = world(Strategy::Headroom, &["a", "b", "c"]);
    world.hit("a", &ask("pro"), failed_for(Fault::RateLimited, 600));
    world.serve(&ask("pro"), 1);
    world.pool.lanes.set_headroom(2, 900_000);
    assert_eq!(world.serve(&ask("pro"), 2).join(""), "bb");
    world.pool.lanes.set_headroom(1, 100_000);
    assert_eq!(world.serve(&ask("pro"), 2).join(""), "cc");
    assert_eq!(world.serve(&ask("flash"), 2).join(""), "aa");
    world.pool.lanes.set_headroom(0, 0);
    assert_eq!(world.serve(&ask("flash"), 2).join(""), "cc");
}

// === rotation ===

fn rotating(strategy: Strategy, keys: &[(&str, Role)], every_hours: u64) -> (World, Policy) {
    let zone = TimeZoneDatabase::bundled().get("America/New_York").unwrap();
    let every = Duration::from_hours(every_hours);
    let rotation = Rotation::new(every, time(0, 0, 0, 0), zone).unwrap();
    let policy = Policy { strategy, rotation: Some(rotation), ..Policy::default() };
    let now = start();
    (World { pool: KeyPool::new(1, rotating_specs(keys), policy.clone(), 42, now), now }, policy)
}

fn rotating_specs(keys: &[(&str, Role)]) -> Vec<keygate_domain::KeySpec> {
    let specs = keys.iter().map(|(label, role)| {
        let mut spec = spec(label, None);
        spec.role = *role;
        spec
    });
    specs.collect()
}

const KEYS: [(&str, Role); 5] = [
    ("a", Role::Primary),
    ("x", Role::Backup),
    ("b", Role::Primary),
    ("y", Role::Backup),
    ("c", Role::Primary),
];

#[test]
fn primaries_take_turns_by_the_day() {
    let (mut world, _) = rotating(Strategy::PrimaryBackup, &KEYS, 24);
    assert_eq!(world.serve(&ask("pro"), 2).join(""), "aa");
    world.events();
    // 2026-07-02T00:00 in New York.
    let midnight = world.pool.next_wakeup().unwrap();
    assert_eq!(midnight.wall, wall("2026-07-02T04:00:00Z"));
    world.now = midnight;
    world.pool.advance(world.now);
    let events = world.events();
    assert!(
        matches!(&events[..], [PoolEvent::OrderRotated { first, label }] if *first == id("b") && &**label == "b"),
        "{events:?}"
    );
    assert_eq!(world.serve(&ask("pro"), 2).join(""), "bb");
    world.hit("b", &ask("pro"), failed_for(Fault::RateLimited, 60));
    assert_eq!(world.serve(&ask("pro"), 1), ["c"], "in the order that begins with b");
    world.pass(Duration::from_hours(48));
    assert_eq!(world.serve(&ask("pro"), 1), ["a"], "two more days, without a call between");
    for label in ["a", "b", "c"] {
        world.pool.disable(&id(label), world.now);
    }
    assert_eq!(world.serve(&ask("pro"), 1), ["y"], "backups rotate by themselves");
}

#[test]
fn the_order_survives_a_restart_and_makes_up_for_what_it_missed() {
    let (mut world, policy) = rotating(Strategy::PrimaryBackup, &KEYS, 24);
    world.pass(Duration::from_hours(24));
    assert_eq!(world.serve(&ask("pro"), 1), ["b"]);
    let state: crate::PoolState =
        serde_json::from_str(&serde_json::to_string(&world.pool.state()).unwrap()).unwrap();
    world.pool = KeyPool::restore(2, rotating_specs(&KEYS), policy.clone(), 1, &state, world.now);
    assert_eq!(world.serve(&ask("pro"), 1), ["b"]);
    // One key less, in another order, and a night passed.
    let fewer = [("c", Role::Primary), ("b", Role::Primary), ("x", Role::Backup)];
    world.pass(Duration::from_hours(24));
    world.pool = KeyPool::restore(3, rotating_specs(&fewer), policy, 1, &state, world.now);
    assert_eq!(world.serve(&ask("pro"), 1), ["c"]);
    world.pool = KeyPool::restore(4, rotating_specs(&KEYS), Policy::default(), 1, &state, world.now);
    assert_eq!(world.serve(&ask("pro"), 1), ["a"], "what does not rotate is in its own order");
}

#[test]
fn wear_is_spread_over_the_primaries() {
    let (mut world, _) = rotating(Strategy::PrimaryBackup, &KEYS, 6);
    let mut served = Vec::new();
    for _ in 0..24 * 30 {
        world.pass(Duration::from_hours(1));
        served.extend(world.serve(&ask("pro"), 1));
    }
    assert_eq!(counts(&served), BTreeMap::from([("a", 240), ("b", 240), ("c", 240)]));
}

#[test]
fn what_was_never_used_comes_in_the_rotated_order() {
    let (mut world, _) = rotating(Strategy::LeastRecentlyUsed, &KEYS, 24);
    world.pass(Duration::from_hours(24));
    assert_eq!(world.serve(&ask("pro"), 6).join(""), "bycaxb");
}

#[test]
fn a_pool_of_one_key_rotates_without_a_word() {
    let (mut world, _) = rotating(Strategy::PrimaryBackup, &[("a", Role::Primary)], 24);
    world.pass(Duration::from_hours(100));
    assert_eq!(world.serve(&ask("pro"), 1), ["a"]);
    assert_eq!(world.events(), []);
    assert!(world.pool.next_wakeup().unwrap() > world.now);
}
