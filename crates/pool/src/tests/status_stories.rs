//! What status pages show.

use keygate_domain::{BucketName, Failure, Fault, Metric, Verdict};

use super::world::*;
use crate::KeyState::{Available, CoolingDown, Disabled, Exhausted};

#[test]
fn with_one_model_in_use_a_429_shows() {
    let mut world = World::of(&[("a1", "p1"), ("a2", "p1"), ("b", "p2")]);
    world.serve(&ask("pro"), 3);
    world.hit("a1", &ask("pro"), failed_for(Fault::RateLimited, 60));
    assert_eq!(world.states(), [CoolingDown, CoolingDown, Available]);
    let snapshot = world.pool.snapshot(world.now);
    let counts = snapshot.counts;
    assert_eq!((counts.total, counts.available, counts.cooling_down), (3, 1, 2));
    let key = &snapshot.keys[0];
    assert!((60.0..=66.0).contains(&key.cooldown_remaining.as_secs_f64()));
    assert_eq!(key.failed_at, Some(world.now.wall));
    assert_eq!(key.reason.as_ref().and_then(|reason| reason.fault), Some(Fault::RateLimited));
    world.pass(seconds(67));
    assert_eq!(world.states(), [Available; 3]);
    assert_eq!(world.pool.snapshot(world.now).keys[0].reason, None);
}

#[test]
fn with_another_model_in_use_the_key_is_available_and_lists_what_rests() {
    let mut world = World::of(&[("a", "p1")]);
    world.serve(&ask("flash"), 1);
    world.hit("a", &ask("pro"), failed_for(Fault::RateLimited, 600));
    assert_eq!(world.states(), [Available]);
    let key = &world.pool.snapshot(world.now).keys[0];
    assert_eq!(key.resting[0].bucket, Some(BucketName::from("pro")));
    assert_eq!(key.cooldown_remaining, seconds(0));
}

#[test]
fn a_model_not_used_for_an_hour_is_not_in_use() {
    let mut world = World::of(&[("a", "p1")]);
    world.serve(&ask("flash"), 1);
    world.pass(seconds(3000));
    world.hit("a", &ask("pro"), failed(Fault::QuotaExhausted));
    assert_eq!(world.states(), [Available]);
    world.pass(seconds(601));
    assert_eq!(world.states(), [Exhausted]);
}

#[test]
fn an_exhausted_day_shows_all_day_though_nothing_is_used() {
    let mut world = World::of(&[("a", "p1")]);
    let failure = Failure::of(Fault::QuotaExhausted).hinting(per_day(None));
    world.hit("a", &ask("pro"), Verdict::Failed(failure));
    world.pass(seconds(10 * 3600));
    assert_eq!(world.states(), [Exhausted]);
    let key = &world.pool.snapshot(world.now).keys[0];
    assert_eq!(key.resting[0].metric, Metric::RequestsPerDay);
    assert_eq!(key.cooldown_remaining, seconds(9 * 3600));
}

#[test]
fn a_429_shows_though_the_provider_counts_the_model_under_another_name() {
    let mut world = World::of(&[("a", "p1")]);
    let failure = Failure::of(Fault::QuotaExhausted).hinting(per_day(Some("pro-3.1")));
    world.hit("a", &ask("pro-latest"), Verdict::Failed(failure));
    assert_eq!(world.states(), [Exhausted]);
}

#[test]
fn reads_do_not_hide_that_the_model_rests() {
    let mut world = World::of(&[("a", "p1")]);
    world.hit("a", &ask("pro"), failed_for(Fault::RateLimited, 60));
    world.serve(&listing(), 1);
    assert_eq!(world.states(), [CoolingDown]);
}

#[test]
fn a_busy_group_shows_while_sessions_are_what_it_is_used_for() {
    let mut world = World::of(&[("a", "org")]);
    world.hit("a", &session(), failed(Fault::Busy));
    world.serve(&listing(), 1);
    assert_eq!(world.states(), [CoolingDown]);
    assert!(world.pool.snapshot(world.now).keys[0].resting[0].sessions);
    world.pool.session_ended(&"org".into(), &a_session("s"), world.now);
    assert_eq!(world.states(), [Available]);
}

#[test]
fn a_disabled_key_shows_why() {
    let mut world = World::of(&[("a", ""), ("b", "")]);
    world.hit("a", &ask("pro"), failed(Fault::KeyInvalid));
    world.pool.disable(&id("b"), world.now);
    assert_eq!(world.states(), [Disabled, Disabled]);
    let keys = world.pool.snapshot(world.now).keys;
    let faults: Vec<_> = keys.iter().map(|key| key.reason.as_ref().unwrap().fault).collect();
    assert_eq!(faults, [Some(Fault::KeyInvalid), None]);
    assert_eq!(keys[0].group.as_str(), format!("key:{}", keys[0].id));
    assert_eq!(keys[0].cooldown_remaining, seconds(0));
}

#[test]
fn the_first_of_several_resting_models_says_when_the_key_returns() {
    let mut world = World::of(&[("a", "p1")]);
    let (pro, flash) = (world.lease(&ask("pro")), world.lease(&ask("flash")));
    world.settle(&pro, failed(Fault::QuotaExhausted));
    world.settle(&flash, failed_for(Fault::RateLimited, 30));
    assert_eq!(world.states(), [CoolingDown]);
    let remaining = world.pool.snapshot(world.now).keys[0].cooldown_remaining.as_secs_f64();
    assert!((30.0..=33.0).contains(&remaining), "{remaining}");
}

#[test]
fn a_secret_is_in_no_snapshot() {
    let mut world = World::of(&[("a", "p1")]);
    world.hit("a", &ask("pro"), failed(Fault::KeyInvalid));
    let events = world.pool.clone().drain_events();
    let shown = format!(
        "{:?} {:?} {events:?} {}",
        world.pool.snapshot(world.now),
        world.pool,
        serde_json::to_string(&world.pool.state()).unwrap()
    );
    assert!(!shown.contains("secret of"), "{shown}");
}

#[test]
fn a_model_that_rests_for_a_minute_and_a_day_shows_the_day() {
    let mut world = World::of(&[("a", "p1")]);
    let (minute, day) = (world.lease(&ask("pro")), world.lease(&ask("pro")));
    world.settle(&minute, failed_for(Fault::RateLimited, 20));
    world.settle(&day, Verdict::Failed(Failure::of(Fault::QuotaExhausted).hinting(per_day(None))));
    assert_eq!(world.states(), [Exhausted]);
    assert_eq!(world.pool.snapshot(world.now).keys[0].cooldown_remaining, seconds(19 * 3600));
}
