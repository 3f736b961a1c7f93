//! What a pool remembers across a restart.

use std::time::Duration;

use bytes::Bytes;
use keygate_domain::{Binding, Failure, Fault, Hint, Keepsake, Moment, Resource, Scope, Verdict};

use super::world::*;
use crate::{Ask, KeyPool, KeyState, Policy, PoolRefusal, PoolState, Settled};

/// The same pool in another process: its monotonic clock starts anew.
fn restarted(world: &World, state: &PoolState) -> World {
    let now = Moment { mono: Duration::from_secs(1), wall: world.now.wall };
    let keys = vec![spec("a", Some("p1")), spec("b", Some("p2")), spec("c", Some("p3"))];
    World { pool: KeyPool::restore(2, keys, Policy::default(), 7, state, now), now }
}

fn three() -> World {
    World::of(&[("a", "p1"), ("b", "p2"), ("c", "p3")])
}

fn through_json(state: &PoolState) -> PoolState {
    serde_json::from_str(&serde_json::to_string(state).unwrap()).unwrap()
}

#[test]
fn rests_disabled_keys_and_learned_names_survive() {
    let mut world = three();
    world.hit("a", &ask("pro"), failed(Fault::KeyInvalid));
    let failure = Failure::of(Fault::QuotaExhausted).hinting(per_day(Some("pro-3.1")));
    world.hit("b", &ask("pro"), Verdict::Failed(failure));
    let mut after = restarted(&world, &through_json(&world.pool.state()));
    assert_eq!(after.serve(&ask("pro"), 2), ["c", "c"]);
    assert_eq!(after.serve(&ask("pro-3.1"), 2), ["c", "c"]);
    assert_eq!(after.states(), [KeyState::Disabled, KeyState::Exhausted, KeyState::Available]);
    after.now = after.now.at_wall(wall("2026-07-02T07:00:00Z"));
    let mut all = after.serve(&ask("pro"), 2);
    all.sort();
    assert_eq!(all, ["b", "c"], "the rest ends at the same wall time");
}

#[test]
fn a_key_that_turns_out_to_be_a_projects_heeds_what_an_earlier_life_knew_of_it() {
    let mut world =
        World { pool: KeyPool::new(1, vec![spec("a", None)], Policy::default(), 42, start()), now: start() };
    let exhausted = Hint { group: Some("projects/1".into()), ..per_day(None) };
    world.hit("a", &ask("pro"), Verdict::Failed(Failure::of(Fault::QuotaExhausted).hinting(exhausted)));
    let keys = vec![spec("b", None)];
    world.pool = KeyPool::restore(2, keys, Policy::default(), 7, &world.pool.state(), world.now);
    let mut saved = world.pool.state();
    let named = Hint { group: Some("projects/1".into()), ..Hint::default() };
    let poison = Failure::of(Fault::Poison).at(Scope::Nothing).hinting(named);
    world.hit("b", &listing(), Verdict::Failed(poison));
    assert!(
        matches!(world.refused(&ask("pro")), PoolRefusal::Resting { .. }),
        "the project's day is used up"
    );
    world.pool.save_changes(&mut saved);
    assert_eq!(saved, world.pool.state(), "and it is written down as it is");
}

#[test]
fn leases_are_gone_and_cannot_be_settled() {
    let mut world = three();
    let lease = world.lease(&ask("pro"));
    let mut after = restarted(&world, &world.pool.state());
    let snapshot = after.pool.snapshot(after.now);
    assert_eq!((snapshot.ledger.attempts, snapshot.keys[0].in_flight), (0, 0));
    assert_eq!(after.settle(&lease, failed(Fault::KeyInvalid)), Settled::Stale);
    assert_eq!(after.states(), [KeyState::Available; 3]);
    assert_ne!(after.lease(&ask("pro")).id, lease.id);
}

fn bind(world: &mut World, name: &str, keepsake: Option<&'static [u8]>) {
    let keepsake = keepsake.and_then(|bytes| Keepsake::new(Bytes::from_static(bytes)));
    let binding = Binding { resource: Resource::new("session", name), lifetime: seconds(60), keepsake };
    world.pool.bind(&"p2".into(), &"app".into(), binding, world.now);
}

fn naming(name: &str) -> Ask {
    Ask { references: vec![Resource::new("session", name)], ..ask("pro") }
}

#[test]
fn bindings_survive_a_panic_with_their_keepsakes_and_their_end() {
    let mut world = three();
    bind(&mut world, "law", None);
    bind(&mut world, "preference", Some(b"mint"));
    let mut after = restarted(&world, &world.pool.state());
    assert_eq!(after.serve(&naming("law"), 2), ["b", "b"]);
    after.pool.disable(&id("b"), after.now);
    let lease = after.lease(&naming("preference"));
    assert_eq!(lease.away.unwrap().bytes(), &Bytes::from_static(b"mint"));
    after.pass(seconds(60));
    after.lease(&naming("law"));
}

#[test]
fn on_disk_a_binding_has_no_keepsake_and_is_a_law() {
    let mut world = three();
    bind(&mut world, "preference", Some(b"a user's own words"));
    let written = serde_json::to_string(&world.pool.state()).unwrap();
    assert!(written.contains("preference") && !written.contains("keepsake"), "{written}");
    let mut after = restarted(&world, &through_json(&world.pool.state()));
    assert_eq!(after.serve(&naming("preference"), 2), ["b", "b"]);
    after.pool.disable(&id("b"), after.now);
    let refused = after.pool.lease(&naming("preference"), after.now);
    assert!(refused.is_err(), "no other group can make an equal one: {refused:?}");
}

#[test]
fn escalation_goes_on_where_it_was() {
    let mut world = World::of(&[("a", "p1")]);
    let vague = || {
        let hint =
            Hint { doubles_up_to: Some(seconds(120)), retry_after: Some(seconds(5)), ..Hint::default() };
        Verdict::Failed(Failure::of(Fault::RateLimited).hinting(hint))
    };
    world.use_once(&ask("pro"), vague());
    world.pass(seconds(6));
    world.pool.advance(world.now);
    let mut after = restarted(&world, &world.pool.state());
    assert_eq!(after.events(), [], "a rest that was over is not told again");
    after.hit("a", &ask("pro"), vague());
    after.pool.disable(&id("b"), after.now);
    after.pool.disable(&id("c"), after.now);
    let wait = after.wait(&ask("pro"));
    assert!((10.0..=11.0).contains(&wait), "{wait}");
}

#[test]
fn a_replaced_secret_is_a_fresh_key() {
    let mut world = World::of(&[("a", "p1")]);
    world.hit("a", &ask("pro"), failed(Fault::KeyInvalid));
    let keys = vec![spec("a, renewed", Some("p1"))];
    let pool = KeyPool::restore(2, keys, Policy::default(), 7, &world.pool.state(), world.now);
    let mut after = World { pool, now: world.now };
    after.serve(&ask("pro"), 1);
}

#[test]
fn changes_saved_bit_by_bit_are_the_whole_state() {
    let mut world = three();
    let mut saved = world.pool.state();
    world.pool.save_changes(&mut saved);
    world.serve(&ask("pro"), 5);
    assert!(!world.pool.save_changes(&mut saved), "a served request changes nothing that lasts");
    world.hit("a", &ask("pro"), failed_for(Fault::RateLimited, 60));
    assert!(world.pool.save_changes(&mut saved));
    assert_eq!(saved, world.pool.state());
    for number in 0..5000 {
        let resource = Resource::new("file", number.to_string());
        let binding = Binding { resource, lifetime: seconds(60), keepsake: None };
        world.pool.bind(&"p2".into(), &"app".into(), binding, world.now);
    }
    assert!(world.pool.save_changes(&mut saved));
    assert_eq!(saved, world.pool.state());
    world.pass(seconds(2 * 3600));
    world.pool.advance(world.now);
    assert!(world.pool.save_changes(&mut saved));
    assert_eq!(saved, PoolState::default(), "in the end nothing is left to remember");
}

#[test]
fn a_rest_that_survived_a_restart_ends_by_itself() {
    let mut world = three();
    let lease = world.lease(&ask("pro"));
    world.settle(&lease, failed_for(Fault::RateLimited, 60));
    let mut after = restarted(&world, &world.pool.state());
    after.pass(seconds(67));
    let mut all = after.serve(&ask("pro"), 3);
    all.sort();
    assert_eq!(all, ["a", "b", "c"]);
    assert_eq!(after.pool.reset(None, after.now), 0, "nothing rests any more");
}
