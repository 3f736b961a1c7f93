//! Keys that turn out to be one project: one quota group from that moment on.

use keygate_domain::{
    Allowance, Binding, Failure, Fault, Hint, KeySpec, Metric, Resource, Scope, Spend, Verdict,
};

use super::world::*;
use crate::{
    Ask, Budgets, Granted, KeyPool, Lease, Policy, PoolEvent, PoolState, Strategy, TriedHow, Warning,
};

/// A refusal that takes nothing out but says whose the key is.
fn naming(project: &str) -> Verdict {
    let hint = Hint { group: Some(project.into()), ..Hint::default() };
    Verdict::Failed(Failure::of(Fault::Poison).at(Scope::Nothing).hinting(hint))
}

/// A refusal that states a limit, and whose the key is.
pub(super) fn stating(metric: Metric, limit: u64, project: Option<&str>) -> Verdict {
    let hint = Hint {
        retry_after: Some(seconds(1)),
        group: project.map(Into::into),
        metric,
        limit: Some(limit),
        ..Hint::default()
    };
    Verdict::Failed(Failure::of(Fault::RateLimited).hinting(hint))
}

pub(super) fn one(model: &str) -> Ask {
    Ask { estimate: Spend { requests: 1, ..Spend::default() }, ..ask(model) }
}

pub(super) fn per_minute(requests: u64) -> Policy {
    let default = Allowance { requests_per_minute: Some(requests), ..Allowance::default() };
    Policy { budgets: Budgets { default, ..Budgets::default() }, ..Policy::default() }
}

pub(super) fn limited(keys: &[(&str, Option<&str>)], policy: Policy) -> World {
    let keys = keys.iter().map(|(label, group)| spec(label, *group)).collect();
    World { pool: KeyPool::new(1, keys, policy, 42, start()), now: start() }
}

pub(super) fn undeclared(labels: &[&str]) -> World {
    limited(&labels.iter().map(|label| (*label, None)).collect::<Vec<_>>(), Policy::default())
}

/// `a` and `c` turn out to be one project, at the cost of a lease each.
fn unite(world: &mut World) {
    world.hit("a", &listing(), naming("projects/1"));
    world.hit("c", &listing(), naming("projects/1"));
}

fn groups(world: &World) -> Vec<String> {
    world.pool.snapshot(world.now).keys.iter().map(|key| key.group.to_string()).collect()
}

pub(super) fn warnings(world: &World) -> Vec<String> {
    world.pool.snapshot(world.now).warnings.iter().map(ToString::to_string).collect()
}

pub(super) fn noticed(world: &mut World) -> Vec<String> {
    let told = world.events().into_iter().filter_map(|event| {
        let PoolEvent::Noticed(warning) = event else { return None };
        Some(warning.to_string())
    });
    told.collect()
}

fn used(world: &World, label: &str, metric: Metric) -> u64 {
    let keys = world.pool.snapshot(world.now).keys;
    let key = keys.iter().find(|key| &*key.label == label).expect("a key");
    let uses = key.budgets.iter().flat_map(|bucket| &bucket.uses);
    uses.filter(|one| one.metric == metric).map(|one| one.used).sum()
}

const ONE_PROJECT: &str = "keys 1 and 3 are one project: this pool is 2 budgets, not 3";

#[test]
fn two_keys_of_one_project_are_one_group_and_that_is_told_once_and_shown() {
    let mut world = undeclared(&["a", "b", "c"]);
    world.hit("a", &listing(), naming("projects/1"));
    assert_eq!((noticed(&mut world), warnings(&world).len()), (vec![], 0), "one key alone is no news");
    world.hit("c", &listing(), naming("projects/1"));
    assert_eq!(noticed(&mut world), [ONE_PROJECT]);
    assert_eq!(warnings(&world), [ONE_PROJECT]);
    let snapshot = world.pool.snapshot(world.now);
    assert_eq!(snapshot.groups, 2);
    let [Warning::OneProject { keys, .. }] = snapshot.warnings.as_slice() else { panic!("{snapshot:?}") };
    assert_eq!(keys.iter().map(|key| (key.index, &*key.label)).collect::<Vec<_>>(), [(0, "a"), (2, "c")]);
    assert_eq!(groups(&world)[0], "projects/1");
    assert_eq!(groups(&world)[2], "projects/1");
    unite(&mut world);
    assert_eq!(noticed(&mut world), Vec::<String>::new(), "nothing new");
}

#[test]
fn what_both_spent_is_spent_of_the_one_budget() {
    let mut world = limited(&[("a", None), ("b", None), ("c", None)], per_minute(6));
    assert_eq!(world.serve(&one("m"), 9).len(), 9);
    unite(&mut world);
    assert_eq!(used(&world, "a", Metric::RequestsPerMinute), 6);
    assert_eq!(used(&world, "c", Metric::RequestsPerMinute), 6);
    assert_eq!(world.serve(&one("m"), 3), ["b", "b", "b"]);
    let wait = world.wait(&one("m"));
    assert!((60.0..61.0).contains(&wait), "{wait}");
}

#[test]
fn what_one_spent_before_anybody_knew_of_a_limit_is_counted_too() {
    let mut world = undeclared(&["a", "c"]);
    assert_eq!(world.serve(&one("m"), 8), ["a", "c", "a", "c", "a", "c", "a", "c"]);
    world.hit("a", &one("m"), stating(Metric::RequestsPerDay, 9, None));
    assert_eq!(used(&world, "a", Metric::RequestsPerDay), 5, "four served, one refused");
    world.pass(seconds(3));
    unite(&mut world);
    assert_eq!(used(&world, "c", Metric::RequestsPerDay), 9);
    world.refused(&one("m"));
}

#[test]
fn leases_under_way_are_settled_where_their_project_counts() {
    let concurrent = Allowance { concurrent: Some(3), ..Allowance::default() };
    let budgets = Budgets { default: concurrent, ..Budgets::default() };
    let mut world =
        limited(&[("a", None), ("b", None), ("c", None)], Policy { budgets, ..Policy::default() });
    let running: Vec<Lease> = (0..6).map(|_| world.lease(&one("m"))).collect();
    unite(&mut world);
    assert_eq!(used(&world, "a", Metric::Concurrent), 4);
    assert_eq!(world.use_once(&one("m"), served()), "b");
    for lease in running {
        world.settle(&lease, Verdict::Unsent);
    }
    assert_eq!((used(&world, "a", Metric::Concurrent), used(&world, "b", Metric::Concurrent)), (0, 0));
    assert_eq!(world.pool.snapshot(world.now).ledger.in_flight, 0);
}

#[test]
fn what_runs_counts_against_a_limit_that_only_one_of_them_had() {
    let own =
        KeySpec { allowance: Allowance { concurrent: Some(2), ..Allowance::default() }, ..spec("a", None) };
    let pool = KeyPool::new(1, vec![own, spec("c", None)], Policy::default(), 42, start());
    let mut world = World { pool, now: start() };
    let running: Vec<Lease> = (0..2).map(|_| world.lease(&one("m"))).collect();
    unite(&mut world);
    assert_eq!(used(&world, "c", Metric::Concurrent), 2);
    world.refused(&one("m"));
    world.settle(&running[1], served());
    world.lease(&one("m"));
}

#[test]
fn the_longer_rest_holds_for_both_and_so_does_a_disabled_group() {
    let mut world = undeclared(&["a", "b", "c"]);
    world.hit("a", &ask("pro"), failed_for(Fault::RateLimited, 20));
    world.hit("c", &ask("pro"), failed_for(Fault::RateLimited, 60));
    unite(&mut world);
    world.pass(seconds(30));
    assert_eq!(world.serve(&ask("pro"), 2), ["b", "b"]);
    world.pass(seconds(40));
    let mut turns = world.serve(&ask("pro"), 3);
    turns.sort();
    assert_eq!(turns, ["a", "b", "c"]);
}

#[test]
fn what_belongs_to_either_is_served_by_both() {
    let mut world = undeclared(&["a", "b", "c"]);
    let file = |name: &str| Resource::new("file", name);
    let early = world.lease(&ask("pro"));
    assert_eq!(&*early.label, "a");
    let bind = |world: &mut World, name: &str, lease: &Lease| {
        let binding = Binding { resource: file(name), lifetime: seconds(3600), keepsake: None };
        world.pool.bind(&lease.group, &"app".into(), binding, world.now);
    };
    bind(&mut world, "before", &early);
    world.settle(&early, served());
    let late = world.lease(&ask("pro"));
    world.settle(&late, Verdict::Unsent);
    let slow = world.lease(&ask("pro"));
    assert_eq!(&*slow.label, "c");
    unite(&mut world);
    bind(&mut world, "after", &slow);
    let of = |name: &str| Ask { references: vec![file(name)], ..ask("pro") };
    let both = Ask { references: vec![file("before"), file("after")], ..ask("pro") };
    for ask in [of("before"), of("after"), both] {
        let mut turns = world.serve(&ask, 4);
        turns.sort();
        turns.dedup();
        assert!(turns.iter().all(|label| label != "b") && !turns.is_empty(), "{turns:?}");
    }
    world.pool.disable(&id("c"), world.now);
    assert_eq!(world.use_once(&of("after"), served()), "a");
}

#[test]
fn a_request_that_failed_under_the_old_name_goes_elsewhere() {
    let mut world = undeclared(&["a", "b", "c"]);
    let lease = world.lease(&ask("pro"));
    let tried = world.tried(&lease, TriedHow::Failed);
    world.settle(&lease, failed(Fault::ServerError));
    unite(&mut world);
    let again = Ask { tried: vec![tried], ..ask("pro") };
    assert_eq!(world.use_once(&again, served()), "b", "c is the project that failed");
}

#[test]
fn who_waits_for_one_of_them_is_served_by_the_other() {
    let mut world = undeclared(&["a", "c"]);
    let lease = world.lease(&ask("pro"));
    let binding = Binding { resource: Resource::new("file", "f"), lifetime: seconds(3600), keepsake: None };
    world.pool.bind(&lease.group, &"app".into(), binding, world.now);
    let hint = Hint { retry_after: Some(seconds(4)), needs_human: false, ..Hint::default() };
    world.settle(&lease, Verdict::Failed(Failure::of(Fault::KeyForbidden).at(Scope::Key).hinting(hint)));
    let patient = Ask { references: vec![Resource::new("file", "f")], patience: seconds(60), ..ask("pro") };
    assert!(matches!(world.pool.lease(&patient, world.now), Ok(Granted::Wait { .. })));
    let hint = Hint { group: Some("projects/1".into()), ..Hint::default() };
    let lease = world.lease(&ask("pro"));
    world.settle(&lease, Verdict::Failed(Failure::of(Fault::Poison).at(Scope::Nothing).hinting(hint)));
    assert!(world.pool.drain_resolved().is_empty(), "nobody knows yet whose a is");
    world.pass(seconds(5));
    world.pool.advance(world.now);
    let resolved = world.pool.drain_resolved();
    assert_eq!(resolved.len(), 1);
    let Ok(Granted::Lease(lease)) = &resolved[0].outcome else { panic!("{resolved:?}") };
    world.settle(&lease.clone(), naming("projects/1"));
    assert_eq!(groups(&world), ["projects/1", "projects/1"]);
    world.pool.disable(&id("a"), world.now);
    assert_eq!(world.use_once(&patient, served()), "c");
}

#[test]
fn a_key_without_a_group_joins_the_declared_one_of_its_project() {
    for order in [["a", "c"], ["c", "a"]] {
        let mut world = limited(&[("a", Some("team")), ("b", None), ("c", None)], per_minute(4));
        world.serve(&one("m"), 6);
        for label in order {
            world.hit(label, &listing(), naming("projects/1"));
        }
        assert_eq!(groups(&world), ["team".to_owned(), format!("key:{}", id("b")), "team".to_owned()]);
        assert_eq!(noticed(&mut world), [ONE_PROJECT]);
        assert_eq!(used(&world, "c", Metric::RequestsPerMinute), 4);
        assert_eq!(world.serve(&one("m"), 2), ["b", "b"]);
    }
}

#[test]
fn declared_groups_stay_as_they_are_and_are_warned_of() {
    let mut world = limited(
        &[("a", Some("one")), ("b", Some("one")), ("c", Some("two")), ("d", Some("three"))],
        Policy::default(),
    );
    for (label, project) in
        [("a", "projects/1"), ("b", "projects/2"), ("c", "projects/1"), ("d", "projects/3")]
    {
        world.hit(label, &listing(), naming(project));
    }
    let told = [
        "the keys of one are not one project: key 1 of projects/1 and key 2 of projects/2",
        "two and one are one project, projects/1: what one uses, the other lacks",
    ];
    assert_eq!(noticed(&mut world), told);
    assert_eq!(warnings(&world), told);
    assert_eq!(groups(&world), ["one", "one", "two", "three"]);
}

#[test]
fn a_restart_and_a_reload_keep_keys_together_and_declaring_it_ends_the_warning() {
    let mut world = limited(&[("a", None), ("b", None), ("c", None)], per_minute(6));
    let mut saved = world.pool.state();
    world.serve(&one("m"), 9);
    unite(&mut world);
    world.pool.save_changes(&mut saved);
    let mut rows = saved.take_unsaved(usize::MAX);
    rows.extend(world.pool.take_spent_rows(usize::MAX));
    let state = PoolState::from_rows(rows).unwrap();
    let keys = || ["a", "b", "c"].map(|label| spec(label, None)).to_vec();
    world.pool = KeyPool::restore(2, keys(), per_minute(6), 7, &state, world.now);
    assert_eq!(noticed(&mut world), [ONE_PROJECT], "whoever starts it is told");
    assert_eq!(used(&world, "a", Metric::RequestsPerMinute), 6);

    world.pool.reload(vec![spec("c", None), spec("a", None), spec("new", None)], per_minute(6), world.now);
    assert_eq!(warnings(&world), ["keys 1 and 2 are one project: this pool is 2 budgets, not 3"]);
    assert_eq!(noticed(&mut world), Vec::<String>::new(), "the same keys in other places are no news");
    assert_eq!(used(&world, "c", Metric::RequestsPerMinute), 6);

    let declared = vec![spec("a", Some("team")), spec("b", None), spec("c", Some("team"))];
    world.pool.reload(declared, per_minute(6), world.now);
    assert_eq!((warnings(&world).len(), used(&world, "a", Metric::RequestsPerMinute)), (0, 6));
    assert_eq!(world.pool.snapshot(world.now).keys[2].reported_group, Some("projects/1".into()));
}

/// As many as a gateway may have: nobody waits for it, and the log is not flooded.
#[test]
fn what_a_declared_group_turns_out_to_own_at_a_start_is_written_under_its_name() {
    let mut world = undeclared(&["a"]);
    let mut saved = world.pool.state();
    world.hit("a", &listing(), naming("projects/1"));
    let binding = Binding { resource: Resource::new("file", "f"), lifetime: seconds(3600), keepsake: None };
    world.pool.bind(&"projects/1".into(), &"app".into(), binding, world.now);
    world.pool.save_changes(&mut saved);
    let before = PoolState::from_rows(saved.take_unsaved(usize::MAX)).unwrap();
    let keys = vec![spec("a", Some("team"))];
    world.pool = KeyPool::restore(2, keys, Policy::default(), 7, &before, world.now);
    let mut saved = world.pool.state_after(before);
    let rows = saved.take_unsaved(usize::MAX);
    let row = rows.iter().find(|row| row.part == "binding").and_then(|row| row.value.as_deref());
    assert!(row.is_some_and(|row| row.contains("team")), "{rows:?}");
}

#[test]
fn thousands_of_keys_are_put_together() {
    const KEYS: usize = 2_000;
    let specs: Vec<KeySpec> = (0..KEYS).map(|key| spec(&format!("k{key}"), None)).collect();
    let policy = Policy { strategy: Strategy::PrimaryBackup, ..Policy::default() };
    let mut world = World { pool: KeyPool::new(1, specs.clone(), policy.clone(), 42, start()), now: start() };
    for key in 0..KEYS {
        // The first usable one is the one to be named, then it is out of the way.
        let lease = world.lease(&listing());
        assert_eq!(&*lease.label, format!("k{key}"));
        world.settle(&lease, naming(&format!("projects/{}", key % 400)));
        world.pool.disable(lease.key.id(), world.now);
    }
    assert_eq!(world.pool.snapshot(world.now).groups, 400);
    world.pool.drain_events();
    let state = world.pool.state();
    world.pool = KeyPool::restore(2, specs.clone(), policy.clone(), 7, &state, world.now);
    assert_eq!(world.pool.snapshot(world.now).groups, 400);
    let told = noticed(&mut world);
    assert_eq!((told.len(), warnings(&world).len()), (32, 400));
    assert_eq!(
        told[0],
        "keys 1, 401, 801, 1201 and 1601 are one project: this pool is 400 budgets, not 2000"
    );
    world.pool.reload(specs, policy, world.now);
    assert_eq!(world.pool.snapshot(world.now).groups, 400);
    assert_eq!(noticed(&mut world), Vec::<String>::new());
}

#[test]
fn storage_forgets_what_was_used_under_the_old_names() {
    let mut world = limited(&[("a", None), ("b", None), ("c", None)], per_minute(6));
    world.serve(&one("m"), 3);
    let before = world.pool.take_spent_rows(usize::MAX);
    assert_eq!(before.iter().filter(|row| row.value.is_some()).count(), 3);
    unite(&mut world);
    let after = world.pool.take_spent_rows(usize::MAX);
    let (kept, gone): (Vec<_>, Vec<_>) = after.iter().partition(|row| row.value.is_some());
    assert_eq!(kept.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["projects/1 m"]);
    let gone: Vec<&str> = gone.iter().map(|row| row.name.as_str()).collect();
    for label in ["a", "c"] {
        assert!(gone.contains(&format!("key:{} m", id(label)).as_str()), "{gone:?}");
    }
    assert!(!world.pool.has_unsaved_spent());
}

#[test]
fn what_a_caller_can_write_puts_no_keys_together() {
    let mut world = undeclared(&["a", "c"]);
    let hint = Hint { group: Some("projects/1".into()), ..Hint::default() };
    for _ in 0..2 {
        world.use_once(&ask("m"), Verdict::Failed(Failure::of(Fault::Caller).hinting(hint.clone())));
    }
    assert_eq!(world.pool.snapshot(world.now).groups, 2);
}

#[test]
fn every_strategy_goes_on_with_keys_that_became_one() {
    for strategy in [
        Strategy::RoundRobin,
        Strategy::Weighted,
        Strategy::PrimaryBackup,
        Strategy::LeastRecentlyUsed,
        Strategy::Health,
        Strategy::Headroom,
    ] {
        let policy = Policy { strategy, ..per_minute(4) };
        let keys = ["a", "b", "c"].map(|label| spec(label, None)).to_vec();
        let mut world = World { pool: KeyPool::new(1, keys, policy, 42, start()), now: start() };
        for key in ["a", "c"] {
            let others: Vec<_> = ["a", "b", "c"].into_iter().filter(|other| *other != key).collect();
            for other in &others {
                assert!(world.pool.disable(&id(other), world.now));
            }
            world.use_once(&listing(), naming("projects/1"));
            for other in &others {
                assert!(world.pool.enable(&id(other), world.now));
            }
        }
        assert_eq!(world.serve(&one("m"), 8).len(), 8, "two budgets of four: {strategy:?}");
        world.refused(&one("m"));
    }
}

#[test]
fn what_was_used_under_a_models_own_name_counts_in_its_bucket() {
    let mut world = undeclared(&["a"]);
    world.serve(&one("pro-latest"), 3);
    world.serve(&one("pro"), 2);
    let hint = Hint {
        retry_after: Some(seconds(1)),
        metric: Metric::RequestsPerDay,
        limit: Some(8),
        bucket: Some("pro".into()),
        ..Hint::default()
    };
    world.use_once(&one("pro-latest"), Verdict::Failed(Failure::of(Fault::RateLimited).hinting(hint)));
    assert_eq!(used(&world, "a", Metric::RequestsPerDay), 6);
    world.pass(seconds(3));
    assert_eq!(world.serve(&one("pro"), 2).len(), 2);
    world.refused(&one("pro-latest"));
}
