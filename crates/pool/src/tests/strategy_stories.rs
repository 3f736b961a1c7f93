//! Which key comes next.

use keygate_domain::{Fault, Role};

use super::world::*;
use crate::Strategy;

fn keys(strategy: Strategy, keys: &[(&str, u32, Role)]) -> World {
    let specs = keys.iter().map(|(label, weight, role)| {
        let mut spec = spec(label, None);
        spec.weight = *weight;
        spec.role = *role;
        spec
    });
    World::with(specs.collect(), strategy)
}

#[test]
fn round_robin_goes_round_and_skips_who_rests() {
    let mut world = World::of(&[("a", ""), ("b", ""), ("c", "")]);
    assert_eq!(world.serve(&ask("pro"), 5), ["a", "b", "c", "a", "b"]);
    world.hit("c", &ask("pro"), failed_for(Fault::RateLimited, 60));
    assert_eq!(world.serve(&ask("pro"), 3), ["a", "b", "a"]);
    world.pass(seconds(67));
    let mut all = world.serve(&ask("pro"), 3);
    all.sort();
    assert_eq!(all, ["a", "b", "c"]);
}

#[test]
fn a_rotation_is_told_when_the_key_changes() {
    let mut world = World::of(&[("a", ""), ("b", "")]);
    let leases = [world.lease(&ask("pro")), world.lease(&ask("pro"))];
    assert!(leases.iter().all(|lease| lease.is_rotation));
    assert_eq!(world.pool.snapshot(world.now).current_index, Some(1));
    world.pool.disable(&id("a"), world.now);
    assert!(!world.lease(&ask("pro")).is_rotation, "the same key again is no rotation");
}

#[test]
fn weights_are_shares_evenly_spread() {
    let role = Role::Primary;
    let mut world = keys(Strategy::Weighted, &[("a", 5, role), ("b", 1, role), ("c", 1, role)]);
    assert_eq!(world.serve(&ask("pro"), 7).join(""), "abaacaa");
    assert_eq!(world.serve(&ask("pro"), 7).join(""), "abaacaa");
    let many = world.serve(&ask("pro"), 700);
    let count = |label: &str| many.iter().filter(|one| *one == label).count();
    assert_eq!((count("a"), count("b"), count("c")), (500, 100, 100));
}

#[test]
fn the_share_of_a_resting_key_goes_to_the_others_in_proportion() {
    let role = Role::Primary;
    let mut world = keys(Strategy::Weighted, &[("a", 6, role), ("b", 2, role), ("c", 1, role)]);
    world.hit("a", &ask("pro"), failed_for(Fault::RateLimited, 600));
    let many = world.serve(&ask("pro"), 300);
    assert_eq!(many.iter().filter(|label| *label == "b").count(), 200);
    let others = world.serve(&ask("flash"), 900);
    assert_eq!(others.iter().filter(|label| *label == "a").count(), 600, "other models keep the shares");
    world.pass(seconds(700));
    let back = world.serve(&ask("pro"), 9);
    assert_eq!(back.iter().filter(|label| *label == "a").count(), 6, "{back:?}");
}

#[test]
fn backups_serve_only_while_the_primary_cannot() {
    let mut world = keys(
        Strategy::PrimaryBackup,
        &[("spare", 1, Role::Backup), ("main", 1, Role::Primary), ("last", 1, Role::Backup)],
    );
    assert_eq!(world.serve(&ask("pro"), 3), ["main", "main", "main"]);
    world.hit("main", &ask("pro"), failed_for(Fault::RateLimited, 60));
    assert_eq!(world.serve(&ask("pro"), 2), ["spare", "spare"]);
    assert_eq!(world.serve(&ask("flash"), 1), ["main"], "for what does not rest the primary serves");
    world.hit("spare", &ask("pro"), failed(Fault::KeyInvalid));
    let lease = world.lease(&ask("pro"));
    assert_eq!(&*lease.label, "last");
    let passed: Vec<_> = lease.skipped.iter().map(|(key, _)| key.clone()).collect();
    assert_eq!(passed, [id("spare"), id("main")]);
    world.pass(seconds(67));
    assert_eq!(world.serve(&ask("pro"), 2), ["main", "main"], "back to the primary");
}

#[test]
fn ten_thousand_keys_most_of_them_resting_are_all_found() {
    let labels: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    for strategy in [
        Strategy::RoundRobin,
        Strategy::Weighted,
        Strategy::PrimaryBackup,
        Strategy::LeastRecentlyUsed,
        Strategy::Health,
        Strategy::Headroom,
    ] {
        let specs = labels.iter().map(|label| spec(label, None)).collect();
        let mut world = World::with(specs, strategy);
        for _ in 0..5_000 {
            let lease = world.lease(&ask("pro"));
            world.settle(&lease, failed_for(Fault::RateLimited, 600));
        }
        let snapshot = world.pool.snapshot(world.now);
        assert_eq!(snapshot.counts.available, 5_000, "{strategy:?}");
        for _ in 0..5_000 {
            let lease = world.lease(&ask("pro"));
            world.settle(&lease, failed_for(Fault::RateLimited, 600));
        }
        assert!(world.wait(&ask("pro")) >= 600.0);
        world.serve(&ask("flash"), 10);
    }
}
