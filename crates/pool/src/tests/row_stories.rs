//! What is written down of a pool, row by row, and when.

use keygate_domain::{Allowance, Binding, Failure, Fault, Hint, Keepsake, Resource, Spend, Verdict};

use super::world::*;
use crate::{Ask, Budgets, KeyPool, KeyState, Policy, PoolState, StateRow, Urgency};

fn names(rows: &[StateRow]) -> Vec<String> {
    rows.iter().map(|row| format!("{} {}", row.part, row.name)).collect()
}

/// Brings the state up to date and takes everything that is unsaved.
fn rows_after(world: &mut World, saved: &mut PoolState) -> Vec<StateRow> {
    world.pool.save_changes(saved);
    saved.take_unsaved(usize::MAX)
}

fn bind(world: &mut World, name: &str) {
    let resource = Resource::new("file", name);
    let keepsake = Keepsake::new(bytes::Bytes::from_static(b"{\"prompt\":\"private\"}"));
    let binding = Binding { resource, lifetime: seconds(60), keepsake };
    world.pool.bind(&"p1".into(), &"app".into(), binding, world.now);
}

#[test]
fn only_what_changed_is_written_and_in_its_hurry() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2")]);
    let mut saved = world.pool.state();
    world.serve(&ask("pro"), 3);
    assert_eq!((rows_after(&mut world, &mut saved), saved.unsaved()), (vec![], Urgency::Nothing));

    world.hit("a", &ask("pro"), failed(Fault::KeyInvalid));
    world.pool.save_changes(&mut saved);
    assert_eq!(saved.unsaved(), Urgency::AtOnce);
    assert_eq!(names(&saved.take_unsaved(10)), [format!("key {}", id("a"))]);
    assert_eq!(saved.unsaved(), Urgency::Nothing);

    bind(&mut world, "f/1");
    world.pool.save_changes(&mut saved);
    assert_eq!(saved.unsaved(), Urgency::Soon);
    let rows = saved.take_unsaved(10);
    assert_eq!(names(&rows), ["binding file/f/1"]);
    assert!(!rows[0].value.as_ref().unwrap().contains("private"), "keepsakes stay in memory: {rows:?}");
}

#[test]
fn those_in_a_hurry_come_first_and_the_rest_waits_its_turn() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2")]);
    let mut saved = world.pool.state();
    bind(&mut world, "1");
    bind(&mut world, "2");
    world.hit("b", &ask("pro"), failed_for(Fault::RateLimited, 60));
    world.pool.save_changes(&mut saved);
    // The key fares worse for it, which can wait.
    assert_eq!(names(&saved.take_unsaved(2)), ["group p2".to_owned(), format!("key {}", id("b"))]);
    assert_eq!(saved.unsaved(), Urgency::Soon);
    assert_eq!(names(&saved.take_unsaved(2)), ["binding file/1", "binding file/2"]);
}

#[test]
fn what_changed_twice_is_written_once_as_it_is_in_the_end() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2")]);
    let mut saved = world.pool.state();
    world.hit("a", &ask("pro"), failed(Fault::KeyInvalid));
    world.pool.save_changes(&mut saved);
    world.pool.reset(None, world.now);
    let rows = rows_after(&mut world, &mut saved);
    assert_eq!(rows, [StateRow { part: "key".into(), name: id("a").to_string(), value: None }]);
}

#[test]
fn a_row_of_a_later_version_with_one_more_field_is_read() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2")]);
    let mut saved = world.pool.state();
    world.hit("a", &ask("pro"), failed(Fault::KeyInvalid));
    let mut rows = rows_after(&mut world, &mut saved);
    let value = rows[0].value.as_mut().unwrap();
    *value = value.replacen('{', "{\"mood\":7,", 1);
    let read = PoolState::from_rows(rows).unwrap();
    assert_eq!(read, saved);
}

#[test]
fn a_row_that_is_not_understood_is_named() {
    for (part, name, value) in [("key", "4e1f", "no JSON"), ("mood", "x", "{}"), ("binding", "no kind", "{}")]
    {
        let row = StateRow { part: part.into(), name: name.into(), value: Some(value.into()) };
        let told = PoolState::from_rows([row]).unwrap_err().to_string();
        assert!(told.contains(part) && told.contains(name), "{told}");
    }
}

#[test]
fn rows_of_keys_that_left_stay_and_those_of_bindings_that_ended_go() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2")]);
    let mut saved = world.pool.state();
    world.hit("a", &ask("pro"), failed(Fault::KeyInvalid));
    bind(&mut world, "1");
    let disk = PoolState::from_rows(rows_after(&mut world, &mut saved)).unwrap();
    world.pass(seconds(61));
    let only_b = vec![spec("b", Some("p2"))];
    let pool = KeyPool::restore(2, only_b, Policy::default(), 7, &disk, world.now);
    let mut saved = pool.state_after(disk.clone());
    assert_eq!(names(&saved.take_unsaved(10)), ["binding file/1"]);
    let again = vec![spec("a", Some("p1")), spec("b", Some("p2"))];
    let pool = KeyPool::restore(3, again, Policy::default(), 7, &disk, world.now);
    assert_eq!(World { pool, now: world.now }.states(), [KeyState::Disabled, KeyState::Available]);
}

#[test]
fn what_storage_was_not_given_before_a_panic_is_given_after_it() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2")]);
    let mut saved = world.pool.state();
    let hint = Hint { retry_after: Some(seconds(60)), ..Hint::default() };
    world.hit("a", &ask("pro"), Verdict::Failed(Failure::of(Fault::RateLimited).hinting(hint)));
    world.pool.save_changes(&mut saved);
    let keys = vec![spec("a", Some("p1")), spec("b", Some("p2"))];
    let pool = KeyPool::restore(2, keys, Policy::default(), 7, &saved, world.now);
    let mut after = pool.state_after(saved);
    assert_eq!(after.unsaved(), Urgency::AtOnce);
    assert_eq!(names(&after.take_unsaved(10)), ["group p1".to_owned(), format!("key {}", id("a"))]);
}

#[test]
fn what_was_used_of_a_budget_outlives_the_process() {
    let per_minute = Allowance { requests_per_minute: Some(3), ..Allowance::default() };
    let policy =
        Policy { budgets: Budgets { default: per_minute, ..Budgets::default() }, ..Policy::default() };
    let keys = vec![spec("a", Some("p1"))];
    let pool = KeyPool::new(1, keys.clone(), policy.clone(), 7, start());
    let mut world = World { pool, now: start() };
    let one = Ask { estimate: Spend { requests: 1, ..Spend::default() }, ..ask("pro") };
    world.serve(&one, 2);
    assert!(world.pool.has_unsaved_spent());
    let rows = world.pool.take_spent_rows(10);
    assert_eq!(names(&rows), ["spent p1 pro"]);
    assert!(!world.pool.has_unsaved_spent());

    world.pass(seconds(30));
    let state = PoolState::from_rows(rows).unwrap();
    let pool = KeyPool::restore(2, keys, policy, 7, &state, world.now);
    let mut world = World { pool, now: world.now };
    world.serve(&one, 1);
    let wait = world.wait(&one);
    assert!((30.0..31.0).contains(&wait), "the first two are a minute old then: {wait}");
}
