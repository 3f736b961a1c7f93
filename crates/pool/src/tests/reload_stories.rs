//! Another configuration while requests run: what is kept, what is new, what drains.

use keygate_domain::{Allowance, Binding, Fault, Metric, Resource, Role, Spend, Verdict};

use super::world::{World, ask, failed, failed_for, id, seconds, served, session, spec};
use crate::{Ask, Budgets, Cooldowns, KeyPool, KeyState, Policy, PoolRefusal, Reloaded, Settled, Strategy};

fn three() -> World {
    World::of(&[("a", "p1"), ("b", "p2"), ("c", "p3")])
}

impl World {
    fn reload(&mut self, keys: &[(&str, &str)]) -> Reloaded {
        self.reload_with(keys, Policy::default())
    }

    fn reload_with(&mut self, keys: &[(&str, &str)], policy: Policy) -> Reloaded {
        let specs = keys.iter().map(|(label, group)| spec(label, Some(*group).filter(|g| !g.is_empty())));
        self.pool.reload(specs.collect(), policy, self.now)
    }
}

fn labels(told: &[crate::KeyName]) -> Vec<&str> {
    told.iter().map(|key| &*key.label).collect()
}

#[test]
fn new_keys_join_removed_ones_go_and_the_rest_is_told() {
    let mut world = three();
    let told = world.reload(&[("c", "p3"), ("d", "p4"), ("a", "p1")]);
    assert_eq!((labels(&told.added), labels(&told.removed), told.kept), (vec!["d"], vec!["b"], 2));
    assert_eq!(world.serve(&ask("pro"), 6), ["c", "d", "a", "c", "d", "a"]);
    let snapshot = world.pool.snapshot(world.now);
    assert_eq!(snapshot.keys.iter().map(|key| &*key.label).collect::<Vec<_>>(), ["c", "d", "a"]);
    assert_eq!((snapshot.groups, snapshot.draining), (3, 0));
}

#[test]
fn a_removed_key_drains_and_is_counted_to_the_end() {
    let mut world = three();
    let lease = world.lease(&ask("pro"));
    assert_eq!(&*lease.label, "a");
    world.reload(&[("b", "p2")]);
    assert_eq!(world.pool.snapshot(world.now).draining, 1);
    assert_eq!(world.serve(&ask("pro"), 2), ["b", "b"], "nobody gets it any more");
    assert_eq!(world.settle(&lease, served()), Settled::Ended);
    let snapshot = world.pool.snapshot(world.now);
    assert_eq!((snapshot.draining, snapshot.ledger.in_flight, snapshot.ledger.settled), (0, 0, 3));
    assert_eq!(world.settle(&lease, served()), Settled::Stale);
}

#[test]
fn a_removed_keys_lease_that_nobody_settles_expires() {
    let mut world = three();
    world.lease(&ask("pro"));
    world.reload(&[("b", "p2")]);
    world.pass(seconds(301));
    world.pool.advance(world.now);
    assert_eq!(world.pool.snapshot(world.now).ledger.lost, 1);
}

#[test]
fn what_a_removed_key_is_told_counts_for_its_group() {
    let mut world = World::of(&[("a", "p1"), ("b", "p1"), ("c", "p2")]);
    let lease = world.lease(&ask("pro"));
    world.reload(&[("b", "p1"), ("c", "p2")]);
    world.settle(&lease, failed_for(Fault::RateLimited, 60));
    assert_eq!(world.serve(&ask("pro"), 2), ["c", "c"], "the project of a and b rests");
}

#[test]
fn a_kept_key_keeps_its_rests_and_stays_disabled() {
    let mut world = three();
    world.hit("a", &ask("pro"), failed(Fault::KeyInvalid));
    world.hit("b", &ask("pro"), failed_for(Fault::RateLimited, 60));
    let served_before = world.pool.snapshot(world.now).keys[2].unsent;
    world.reload(&[("d", "p4"), ("c", "p3"), ("b", "p2"), ("a", "p1")]);
    let keys = world.pool.snapshot(world.now).keys;
    assert_eq!(keys[1].unsent, served_before, "counts go along");
    assert_eq!(keys[3].state, KeyState::Disabled);
    assert_eq!(world.serve(&ask("pro"), 4), ["d", "c", "d", "c"]);
    world.pass(seconds(70));
    assert_eq!(world.serve(&ask("pro"), 3).iter().filter(|label| *label == "b").count(), 1);
}

#[test]
fn a_key_that_comes_back_is_not_forgiven() {
    let mut world = three();
    world.hit("a", &ask("pro"), failed(Fault::KeyInvalid));
    world.hit("b", &ask("pro"), failed_for(Fault::RateLimited, 60));
    // Half a file was read.
    world.reload(&[("c", "p3")]);
    world.reload(&[("a", "p1"), ("b", "p2"), ("c", "p3")]);
    assert_eq!(world.states(), [KeyState::Disabled, KeyState::CoolingDown, KeyState::Available]);
    world.pass(seconds(70));
    assert_eq!(world.serve(&ask("pro"), 2).iter().filter(|label| *label == "b").count(), 1);
}

#[test]
fn another_secret_under_the_same_label_is_a_new_key() {
    let mut world = three();
    world.hit("a", &ask("pro"), failed(Fault::KeyInvalid));
    let replacement = keygate_domain::KeySpec { label: "a".to_owned(), ..spec("a, renewed", Some("p1")) };
    let told = world.pool.reload(vec![replacement], Policy::default(), world.now);
    assert_eq!((labels(&told.added), labels(&told.removed), told.kept), (vec!["a"], vec!["a", "b", "c"], 0));
    assert_eq!(world.states(), [KeyState::Available]);
    assert_eq!(world.use_once(&ask("pro"), served()), "a");
}

#[test]
fn a_group_by_another_name_keeps_what_is_known_of_it_and_what_belongs_to_it() {
    let mut world = World::of(&[("a", ""), ("b", "p2")]);
    let file = Resource::new("file", "f");
    let names_it = Ask { references: vec![file.clone()], ..ask("flash") };
    world.hit("a", &ask("pro"), failed_for(Fault::RateLimited, 60));
    let own_group = format!("key:{}", id("a"));
    let binding = || Binding { resource: file.clone(), lifetime: seconds(3600), keepsake: None };
    world.pool.bind(&own_group.as_str().into(), &"app".into(), binding(), world.now);
    world.reload(&[("a", "projects/one"), ("b", "p2")]);
    assert_eq!(world.serve(&ask("pro"), 2), ["b", "b"], "its rest went along");
    assert_eq!(world.serve(&names_it, 2), ["a", "a"], "its file did");
    // A request that began before tells the name it knew.
    let late = Resource::new("file", "late");
    let binding = Binding { resource: late.clone(), lifetime: seconds(3600), keepsake: None };
    world.pool.bind(&own_group.as_str().into(), &"app".into(), binding, world.now);
    let names_late = Ask { references: vec![late], ..ask("flash") };
    assert_eq!(world.serve(&names_late, 2), ["a", "a"]);
}

#[test]
fn groups_that_become_one_rest_as_long_as_either_did() {
    let mut world = World::of(&[("a", ""), ("b", ""), ("c", "p3")]);
    world.hit("a", &ask("pro"), failed_for(Fault::RateLimited, 20));
    world.hit("b", &ask("pro"), failed_for(Fault::RateLimited, 60));
    world.reload(&[("a", "one"), ("b", "one"), ("c", "p3")]);
    assert_eq!(world.serve(&ask("pro"), 2), ["c", "c"]);
    world.pass(seconds(30));
    assert_eq!(world.serve(&ask("pro"), 2), ["c", "c"], "the longer rest holds for both");
    world.pass(seconds(40));
    let turns = world.serve(&ask("pro"), 3);
    assert!(["a", "b", "c"].iter().all(|label| turns.iter().any(|turn| turn == label)), "{turns:?}");
}

#[test]
fn another_strategy_and_other_roles_hold_at_once() {
    let mut world = three();
    let backup =
        |label: &str, group: &str| keygate_domain::KeySpec { role: Role::Backup, ..spec(label, Some(group)) };
    let keys = vec![backup("a", "p1"), spec("b", Some("p2")), backup("c", "p3")];
    let policy = Policy { strategy: Strategy::PrimaryBackup, ..Policy::default() };
    world.pool.reload(keys, policy, world.now);
    assert_eq!(world.serve(&ask("pro"), 3), ["b", "b", "b"]);
    world.hit("b", &ask("pro"), failed(Fault::KeyInvalid));
    assert_eq!(world.serve(&ask("pro"), 2), ["a", "a"]);
}

#[test]
fn other_cooldowns_hold_for_what_fails_next() {
    let mut world = three();
    let cooldowns = Cooldowns { rate_limited: seconds(5), ..Cooldowns::default() };
    world.reload_with(&[("a", "p1")], Policy { cooldowns, ..Policy::default() });
    world.hit("a", &ask("pro"), failed(Fault::RateLimited));
    let wait = world.wait(&ask("pro"));
    assert!((5.0..=5.5).contains(&wait), "{wait}");
}

#[test]
fn the_round_goes_on_behind_the_key_that_was_used_last() {
    let mut world = three();
    assert_eq!(world.serve(&ask("pro"), 2), ["a", "b"]);
    world.reload(&[("a", "p1"), ("b", "p2"), ("new", "p4"), ("c", "p3")]);
    assert_eq!(world.serve(&ask("pro"), 3), ["new", "c", "a"]);
}

#[test]
fn no_key_at_all_is_told_and_cured_by_the_next_reload() {
    let mut world = three();
    let lease = world.lease(&session());
    world.reload(&[]);
    assert!(matches!(world.refused(&ask("pro")), PoolRefusal::Disabled { .. }));
    world.settle(&lease, failed(Fault::Busy));
    world.reload(&[("b", "p2")]);
    assert_eq!(world.use_once(&ask("pro"), served()), "b");
}

#[test]
fn very_many_former_keys_are_forgotten_and_stay_in_the_books() {
    let mut world = World::of(&[]);
    let mut held = Vec::new();
    for generation in 0..8 {
        let specs = (0..100).map(|key| spec(&format!("{generation}.{key}"), None));
        world.pool.reload(specs.collect(), Policy::default(), world.now);
        world.serve(&ask("pro"), 10);
        held.push(world.lease(&ask("pro")));
    }
    assert!(world.pool.roster.keys.len() <= 100 + 256 + held.len());
    assert!(world.pool.roster.groups.len() <= 100 + 2 * 256 + held.len());
    for lease in held {
        assert_eq!(world.settle(&lease, served()), Settled::Ended);
    }
    let ledger = world.pool.snapshot(world.now).ledger;
    assert_eq!((ledger.attempts, ledger.settled, ledger.in_flight), (88, 88, 0));
    assert!(crate::invariants::ledger_balances(&world.pool));
}

fn per_minute(requests: u64) -> Policy {
    let default = Allowance { requests_per_minute: Some(requests), ..Allowance::default() };
    Policy { budgets: Budgets { default, ..Budgets::default() }, ..Policy::default() }
}

fn one() -> Ask {
    Ask { estimate: Spend { requests: 1, ..Spend::default() }, ..ask("pro") }
}

fn used(world: &World, label: &str) -> u64 {
    let keys = world.pool.snapshot(world.now).keys;
    let key = keys.iter().find(|key| &*key.label == label).expect("a key");
    let uses = key.budgets.iter().flat_map(|bucket| &bucket.uses);
    uses.filter(|one| one.metric == Metric::RequestsPerMinute).map(|one| one.used).sum()
}

#[test]
fn other_budgets_hold_at_once_and_what_was_used_stays_used() {
    let mut world = World::of(&[("a", "p1")]);
    world.reload_with(&[("a", "p1")], per_minute(5));
    world.serve(&one(), 3);
    world.reload_with(&[("a", "p1")], per_minute(3));
    assert!((60.0..61.0).contains(&world.wait(&one())));
    world.reload_with(&[("a", "p1")], per_minute(4));
    world.serve(&one(), 1);
    assert!((60.0..61.0).contains(&world.wait(&one())));
    world.reload_with(&[("a", "p1")], Policy::default());
    assert_eq!(world.serve(&one(), 9).len(), 9, "no budget, no limit");
}

#[test]
fn groups_that_become_one_have_one_budget_of_which_both_used() {
    let mut world = World::of(&[("a", ""), ("b", "")]);
    world.reload_with(&[("a", ""), ("b", "")], per_minute(4));
    world.serve(&one(), 6);
    world.reload_with(&[("a", "both"), ("b", "both")], per_minute(7));
    assert_eq!((used(&world, "a"), used(&world, "b")), (6, 6));
    world.serve(&one(), 1);
    world.refused(&one());
}

#[test]
fn what_a_request_drew_goes_back_to_the_group_it_was_drawn_from() {
    let mut world = World::of(&[("a", "p1"), ("b", "p1")]);
    world.reload_with(&[("a", "p1"), ("b", "p1")], per_minute(9));
    let lease = world.lease(&one());
    assert_eq!(&*lease.label, "a");
    world.reload_with(&[("a", "p2"), ("b", "p1")], per_minute(9));
    let late = world.lease(&one());
    assert_eq!((&*late.label, used(&world, "a"), used(&world, "b")), ("b", 0, 2));
    world.settle(&lease, Verdict::Unsent);
    assert_eq!((used(&world, "a"), used(&world, "b")), (0, 1), "it was never sent");
}

#[test]
fn who_was_used_longest_ago_and_who_fares_badly_is_remembered() {
    let mut world = three();
    let longest_ago = || Policy { strategy: Strategy::LeastRecentlyUsed, ..Policy::default() };
    world.reload_with(&[("a", "p1"), ("b", "p2"), ("c", "p3")], longest_ago());
    world.serve(&ask("pro"), 2);
    world.hit("c", &ask("pro"), failed(Fault::Timeout));
    world.reload_with(&[("c", "p3"), ("b", "p2"), ("new", "p4"), ("a", "p1")], longest_ago());
    assert_eq!(world.serve(&ask("pro"), 5), ["new", "a", "b", "c", "new"]);
    let keys = world.pool.snapshot(world.now).keys;
    assert!(keys[0].health < 100 && keys[1].health == 100, "{keys:?}");
}

#[test]
fn a_key_that_comes_back_after_a_restart_without_it_is_not_forgiven() {
    let mut world = three();
    world.hit("a", &ask("pro"), failed(Fault::KeyInvalid));
    world.hit("b", &ask("pro"), failed_for(Fault::RateLimited, 600));
    let state = world.pool.state();
    world.pass(seconds(60));
    let without = vec![spec("c", Some("p3"))];
    world.pool = KeyPool::restore(2, without, Policy::default(), 7, &state, world.now);
    assert_eq!(world.states(), [KeyState::Available]);
    let state = world.pool.state_after(state);
    assert_eq!(world.pool.state(), state, "nothing is lost on the way");
    world.reload(&[("a", "p1"), ("b", "p2"), ("c", "p3")]);
    assert_eq!(world.states(), [KeyState::Disabled, KeyState::CoolingDown, KeyState::Available]);
    world.pass(seconds(700));
    assert_eq!(world.states(), [KeyState::Disabled, KeyState::Available, KeyState::Available]);
}

#[test]
fn who_waits_is_served_by_a_key_that_joins() {
    let mut world = World::of(&[("a", "p1")]);
    world.hit("a", &ask("pro"), failed_for(Fault::RateLimited, 3));
    let patient = Ask { patience: seconds(60), ..ask("pro") };
    let waits = world.pool.lease(&patient, world.now);
    assert!(matches!(waits, Ok(crate::Granted::Wait { .. })), "{waits:?}");
    world.reload(&[("a", "p1"), ("b", "p2")]);
    let resolved = world.pool.drain_resolved();
    let [one] = resolved.as_slice() else { panic!("nobody was served: {resolved:?}") };
    assert!(matches!(&one.outcome, Ok(crate::Granted::Lease(lease)) if &*lease.label == "b"), "{one:?}");
}
