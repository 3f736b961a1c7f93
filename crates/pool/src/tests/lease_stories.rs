//! Leases: how they end, and what a request tries next.

use keygate_domain::{Fault, LeaseId, Verdict};

use super::world::*;
use crate::{Ask, PoolEvent, PoolRefusal, Settled, Skip, TriedHow};

#[test]
fn a_lease_ends_once() {
    let mut world = World::of(&[("a", "p1")]);
    let lease = world.lease(&ask("pro"));
    assert_eq!(world.settle(&lease, served()), Settled::Ended);
    assert_eq!(world.settle(&lease, failed(Fault::KeyInvalid)), Settled::Stale);
    let ledger = world.pool.snapshot(world.now).ledger;
    assert_eq!((ledger.attempts, ledger.settled, ledger.in_flight), (1, 1, 0));
    world.serve(&ask("pro"), 1);
}

#[test]
fn a_settlement_of_another_life_changes_nothing() {
    let mut world = World::of(&[("a", "p1")]);
    let lease = world.lease(&ask("pro"));
    let stranger = LeaseId { life: 0, ..lease.id };
    assert_eq!(world.pool.settle(stranger, failed(Fault::KeyInvalid), world.now), Settled::Stale);
    assert_eq!(world.pool.snapshot(world.now).keys[0].in_flight, 1);
    world.serve(&ask("pro"), 1);
}

#[test]
fn a_lease_nobody_settles_is_lost_when_its_time_is_up() {
    let mut world = World::of(&[("a", "p1")]);
    let lease = world.lease(&ask("pro"));
    assert_eq!(world.pool.next_wakeup(), Some(world.now.after(seconds(300))));
    world.pass(seconds(299));
    world.pool.advance(world.now);
    assert_eq!(world.pool.snapshot(world.now).keys[0].in_flight, 1);
    world.pass(seconds(1));
    world.pool.advance(world.now);
    let key = &world.pool.snapshot(world.now).keys[0];
    assert_eq!((key.in_flight, key.lost), (0, 1));
    assert!(matches!(&world.events()[..], [PoolEvent::LeaseExpired { held, .. }] if *held == seconds(300)));
    assert_eq!(world.settle(&lease, failed(Fault::KeyInvalid)), Settled::Stale);
    assert_eq!(world.pool.next_wakeup(), None);
}

#[test]
fn every_end_of_a_lease_is_counted() {
    let mut world = World::of(&[("a", "p1")]);
    for verdict in [
        served(),
        failed(Fault::ServerError),
        Verdict::Abandoned,
        Verdict::Unsent,
        failed_for(Fault::RateLimited, 1),
    ] {
        world.use_once(&ask("pro"), verdict);
    }
    let snapshot = world.pool.snapshot(world.now);
    let key = &snapshot.keys[0];
    assert_eq!((key.attempts, key.served, key.failed, key.lost, key.unsent, key.refused), (5, 1, 1, 1, 1, 1));
    let ledger = snapshot.ledger;
    assert_eq!((ledger.settled, ledger.refunded, ledger.lost), (3, 1, 1));
}

fn retry(tried: Vec<crate::Tried>) -> Ask {
    Ask { tried, ..ask("pro") }
}

#[test]
fn a_refused_key_is_not_asked_again_until_its_rest_is_over() {
    let mut world = World::of(&[("a", "p1")]);
    let lease = world.lease(&ask("pro"));
    let again = retry(vec![world.tried(&lease, TriedHow::Refused)]);
    world.settle(&lease, failed_for(Fault::RateLimited, 5));
    let wait = world.wait(&again);
    world.pass(std::time::Duration::from_secs_f64(wait + 1e-6));
    assert_eq!(&*world.lease(&again).label, "a", "the rest it caused has passed");
}

#[test]
fn a_key_refused_without_a_rest_is_done_with() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2")]);
    let lease = world.lease(&ask("pro"));
    world.settle(&lease, failed(Fault::Poison));
    let mut tried = vec![world.tried(&lease, TriedHow::Refused)];
    world.pass(seconds(3600));
    let second = world.lease(&retry(tried.clone()));
    assert_eq!(&*second.label, "b");
    tried.push(world.tried(&second, TriedHow::Refused));
    assert_eq!(world.refused(&retry(tried)), PoolRefusal::NothingLeft);
}

#[test]
fn after_a_failure_of_the_provider_another_group_comes_first() {
    let mut world = World::of(&[("a1", "p1"), ("a2", "p1"), ("b", "p2")]);
    let mut tried = Vec::new();
    let mut labels = Vec::new();
    for _ in 0..4 {
        let lease = world.lease(&retry(tried.clone()));
        world.settle(&lease, failed(Fault::ServerError));
        tried.push(world.tried(&lease, TriedHow::Failed));
        labels.push(lease.label.to_string());
    }
    assert_eq!(labels[..3], ["a1", "b", "a2"], "another group, then another key, then again");
    assert_eq!(labels.len(), 4);
}

#[test]
fn a_single_key_may_be_tried_again_after_a_failure_of_the_provider() {
    let mut world = World::of(&[("a", "p1")]);
    let lease = world.lease(&ask("pro"));
    world.settle(&lease, failed(Fault::Overloaded));
    let again = retry(vec![world.tried(&lease, TriedHow::Failed)]);
    assert_eq!(&*world.lease(&again).label, "a");
}

#[test]
fn the_promised_wait_is_the_earliest_of_all_keys() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2"), ("c", "p3")]);
    for (label, rest) in [("a", 300), ("b", 20), ("c", 100)] {
        world.hit(label, &ask("pro"), failed_for(Fault::RateLimited, rest));
    }
    let refusal = world.refused(&ask("pro"));
    let PoolRefusal::Resting { retry_after, last_fault } = refusal else { panic!("{refusal:?}") };
    assert_eq!(last_fault, Fault::RateLimited);
    assert!((20.0..=22.0).contains(&retry_after.as_secs_f64()), "{retry_after:?}");
    world.pass(retry_after);
    assert_eq!(world.serve(&ask("pro"), 1), ["b"]);
}

#[test]
fn a_key_with_two_rests_returns_after_both() {
    let mut world = World::of(&[("a", "p1")]);
    let (one, other) = (world.lease(&ask("pro")), world.lease(&ask("pro")));
    world.settle(&one, failed_for(Fault::RateLimited, 10));
    world.settle(&other, failed_for(Fault::GroupBlocked, 50));
    assert!(world.wait(&ask("pro")) >= 50.0);
    assert!(world.wait(&ask("flash")) >= 50.0);
}

#[test]
fn an_empty_pool_promises_nothing() {
    let mut world = World::of(&[]);
    assert!(matches!(world.refused(&ask("pro")), PoolRefusal::Disabled { .. }));
    assert_eq!(world.pool.snapshot(world.now).counts.total, 0);
}

#[test]
fn a_key_listed_twice_is_one_key() {
    let world = World::of(&[("a", "p1"), ("a", "p2"), ("b", "p2")]);
    let snapshot = world.pool.snapshot(world.now);
    assert_eq!((snapshot.counts.total, snapshot.groups), (2, 2));
    assert_eq!(snapshot.keys[1].index, 1);
}

#[test]
fn a_lease_says_whom_it_passed_over_and_why() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2"), ("c", "p3"), ("d", "p4")]);
    world.hit("a", &ask("pro"), failed(Fault::KeyInvalid));
    world.hit("b", &ask("pro"), failed_for(Fault::RateLimited, 60));
    world.hit("d", &ask("pro"), Verdict::Unsent);
    let lease = world.lease(&ask("pro"));
    assert_eq!(&*lease.label, "c");
    let why: Vec<_> = lease.skipped.iter().map(|(key, skip)| (key.clone(), skip.as_str())).collect();
    assert_eq!(why, [(id("a"), "disabled"), (id("b"), "resting")]);
}

#[test]
fn explaining_tells_what_a_lease_would_do_and_changes_nothing() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2"), ("c", "p3")]);
    world.hit("a", &ask("pro"), failed_for(Fault::RateLimited, 60));
    let decision = world.pool.explain(&ask("pro"), world.now);
    assert_eq!(decision, world.pool.explain(&ask("pro"), world.now));
    assert!(matches!(decision.keys[0].skip, Some(Skip::Resting { fault: Fault::RateLimited, .. })));
    assert_eq!(decision.keys[1].skip, None);
    let lease = world.lease(&ask("pro"));
    assert_eq!(decision.answer, Ok(Some(lease.key.id().clone())));
    let later = world.pool.explain(&ask("pro"), world.now.after(seconds(120)));
    assert_eq!(later.keys[0].skip, None, "by then the rest is over");
}

#[test]
fn an_operator_takes_a_key_out_and_only_an_operator_brings_it_back() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2")]);
    assert!(world.pool.disable(&id("a"), world.now));
    assert!(!world.pool.disable(&id("nobody"), world.now));
    assert_eq!(world.pool.reset(None, world.now), 0);
    assert_eq!(world.serve(&ask("pro"), 2), ["b", "b"]);
    assert!(world.pool.enable(&id("a"), world.now));
    assert!(!world.pool.enable(&id("nobody"), world.now));
    assert_eq!(world.serve(&ask("pro"), 2), ["a", "b"]);
}

#[test]
fn events_that_nobody_drains_are_dropped_and_counted() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2")]);
    for _ in 0..750 {
        assert!(world.pool.disable(&id("a"), world.now) && world.pool.enable(&id("a"), world.now));
    }
    let events = world.pool.drain_events();
    assert_eq!(events.first(), Some(&PoolEvent::Dropped { count: 1500 - 1024 }));
    assert_eq!(events.len(), 1025);
    assert_eq!(world.pool.drain_events(), []);
}

#[test]
fn an_answer_that_comes_late_does_not_undo_what_an_operator_did() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2")]);
    let lease = world.lease(&ask("pro"));
    world.pool.disable(&id("a"), world.now);
    world.settle(&lease, failed(Fault::KeyInvalid));
    assert_eq!(world.pool.reset(None, world.now), 0);
    assert_eq!(world.serve(&ask("pro"), 2), ["b", "b"]);
}
