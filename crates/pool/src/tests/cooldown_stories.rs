//! What a failure takes out, for how long, and what stays open.

use keygate_domain::{BucketName, Failure, Fault, Hint, Metric, ModelName, Scope, Verdict};

use super::world::*;
use crate::{Ask, PoolEvent, PoolRefusal, Settled};

#[test]
fn a_daily_quota_waits_for_midnight_whatever_the_provider_says_of_retrying() {
    let mut world = World::of(&[("a", "p1")]);
    let failure = Failure::of(Fault::QuotaExhausted).hinting(per_day(None));
    let settled = world.hit("a", &ask("flash"), Verdict::Failed(failure));
    let Settled::Rested { until, .. } = settled else { panic!("{settled:?}") };
    assert_eq!(until.wall, wall("2026-07-02T07:00:00Z"));
    world.pass(seconds(5));
    assert!(world.wait(&ask("flash")) > 18.0 * 3600.0);
    world.now = world.now.at_wall(wall("2026-07-02T07:00:00Z"));
    assert_eq!(world.serve(&ask("flash"), 1), ["a"]);
}

#[test]
fn a_limited_model_leaves_the_others_open() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2")]);
    world.hit("a", &ask("pro"), failed_for(Fault::RateLimited, 30));
    assert_eq!(world.serve(&ask("pro"), 3), ["b", "b", "b"]);
    let mut flash = world.serve(&ask("flash"), 4);
    flash.sort();
    assert_eq!(flash, ["a", "a", "b", "b"]);
    world.hit("b", &ask("pro"), failed_for(Fault::RateLimited, 50));
    let wait = world.wait(&ask("pro"));
    assert!((30.0..33.0).contains(&wait), "the first of both: {wait}");
    world.serve(&ask("flash"), 2);
}

#[test]
fn one_refused_key_rests_its_whole_project() {
    let mut world = World::of(&[("a1", "p1"), ("a2", "p1"), ("b", "p2")]);
    world.hit("a1", &ask("pro"), failed(Fault::QuotaExhausted));
    assert_eq!(world.serve(&ask("pro"), 3), ["b", "b", "b"]);
}

#[test]
fn blocked_billing_rests_every_model_of_the_group() {
    let mut world = World::of(&[("a1", "p1"), ("a2", "p1")]);
    world.hit("a1", &ask("pro"), failed(Fault::GroupBlocked));
    let wait = world.wait(&ask("flash"));
    assert!((3600.0..=3960.0).contains(&wait), "{wait}");
    let wait = world.wait(&listing());
    assert!((3600.0..=3960.0).contains(&wait), "{wait}");
}

fn vague() -> Verdict {
    let hint = Hint { doubles_up_to: Some(seconds(120)), retry_after: Some(seconds(5)), ..Hint::default() };
    Verdict::Failed(Failure::of(Fault::RateLimited).hinting(hint))
}

/// The rest that the next vague refusal causes; waits it out.
fn next_rest(world: &mut World) -> f64 {
    world.use_once(&ask("pro"), vague());
    let wait = world.wait(&ask("pro"));
    world.pass(std::time::Duration::from_secs_f64(wait + 1e-6));
    wait
}

#[test]
fn repeated_vague_refusals_double_up_to_the_cap_and_a_success_starts_afresh() {
    let mut world = World::of(&[("a", "p1")]);
    for expected in [5.0, 10.0, 20.0, 40.0, 80.0, 120.0, 120.0] {
        let rest = next_rest(&mut world);
        assert!((expected..=expected * 1.1).contains(&rest), "{rest} instead of {expected}");
    }
    world.use_once(&ask("pro"), served());
    let rest = next_rest(&mut world);
    assert!((5.0..=5.5).contains(&rest), "{rest}");
}

#[test]
fn answers_to_requests_sent_side_by_side_are_one_incident() {
    let mut world = World::of(&[("a", "p1")]);
    let leases: Vec<_> = (0..10).map(|_| world.lease(&ask("pro"))).collect();
    for lease in &leases[..9] {
        world.settle(lease, vague());
    }
    world.settle(&leases[9], served());
    let wait = world.wait(&ask("pro"));
    assert!((5.0..=5.5).contains(&wait), "ten answers doubled nothing: {wait}");
    let told = world.events().len();
    assert_eq!(told, 1, "one incident is told once");
    world.pass(seconds(6));
    let rest = next_rest(&mut world);
    assert!((10.0..=11.0).contains(&rest), "the success was older than the incident: {rest}");
}

#[test]
fn what_failed_long_ago_is_no_repetition() {
    let mut world = World::of(&[("a", "p1")]);
    next_rest(&mut world);
    world.pass(seconds(2 * 3600));
    let rest = next_rest(&mut world);
    assert!((5.0..=5.5).contains(&rest), "{rest}");
}

#[test]
fn a_shorter_rest_never_shortens_a_longer_one() {
    let mut world = World::of(&[("a", "p1")]);
    let (first, second) = (world.lease(&ask("pro")), world.lease(&ask("pro")));
    let third = world.lease(&ask("pro"));
    world.settle(&first, failed_for(Fault::RateLimited, 100));
    let long = world.wait(&ask("pro"));
    world.settle(&second, failed_for(Fault::RateLimited, 1));
    world.settle(&third, served());
    let after = world.wait(&ask("pro"));
    assert!((after - long).abs() < 1e-9, "{after} instead of {long}");
}

#[test]
fn an_invalid_key_stays_out_until_it_is_reset() {
    let mut world = World::of(&[("a", ""), ("b", "")]);
    let settled = world.hit("a", &ask("pro"), failed(Fault::KeyInvalid));
    assert_eq!(settled, Settled::Disabled { scope: Scope::Key, fault: Fault::KeyInvalid });
    world.pass(seconds(400 * 24 * 3600));
    assert_eq!(world.serve(&ask("pro"), 2), ["b", "b"]);
    world.hit("b", &ask("pro"), failed(Fault::KeyInvalid));
    assert_eq!(world.refused(&ask("pro")), PoolRefusal::Disabled { last_fault: Fault::KeyInvalid });
    assert_eq!(world.pool.reset(Some(&[id("a")]), world.now), 1);
    assert_eq!(world.serve(&ask("pro"), 2), ["a", "a"]);
    assert_eq!(world.pool.reset(None, world.now), 1);
    assert_eq!(world.serve(&ask("pro"), 2), ["b", "a"]);
}

#[test]
fn a_project_that_needs_a_human_is_out_with_all_its_keys() {
    let mut world = World::of(&[("a1", "p1"), ("a2", "p1"), ("b", "p2")]);
    let hint = Hint { needs_human: true, reason: "project suspended", ..Hint::default() };
    let verdict = Verdict::Failed(Failure::of(Fault::GroupBlocked).hinting(hint));
    world.hit("a1", &ask("pro"), verdict);
    assert_eq!(world.serve(&ask("flash"), 2), ["b", "b"]);
    let told = world.events();
    assert!(
        matches!(&told[..], [PoolEvent::GroupDisabled { group, reason, .. }]
            if group.as_str() == "p1" && reason == "project suspended"),
        "{told:?}"
    );
    assert!(world.pool.enable(&id("a2"), world.now));
    let mut all = world.serve(&ask("flash"), 3);
    all.sort();
    assert_eq!(all, ["a1", "a2", "b"]);
}

#[test]
fn a_key_without_a_permission_is_spared_for_that_operation_only() {
    let mut world = World::of(&[("a1", "p1"), ("a2", "p1")]);
    world.hit("a1", &ask("pro"), failed(Fault::KeyForbidden));
    assert_eq!(world.serve(&ask("flash"), 2), ["a2", "a2"], "the same operation");
    let mut listings = world.serve(&listing(), 4);
    listings.sort();
    assert_eq!(listings, ["a1", "a1", "a2", "a2"]);
    world.pass(seconds(661));
    let mut all = world.serve(&ask("flash"), 2);
    all.sort();
    assert_eq!(all, ["a1", "a2"]);
}

#[test]
fn a_busy_group_opens_no_session_until_a_slot_frees() {
    let mut world = World::of(&[("a", "org")]);
    world.hit("a", &session(), failed(Fault::Busy));
    let wait = world.wait(&session());
    assert!((10.0..=11.0).contains(&wait), "{wait}");
    assert_eq!(world.serve(&listing(), 1), ["a"], "reads go on");
    world.pool.session_ended(&"org".into(), &a_session("s"), world.now);
    assert_eq!(world.serve(&session(), 1), ["a"]);
}

#[test]
fn an_operation_can_rest_for_a_whole_group() {
    let mut world = World::of(&[("a1", "p1"), ("a2", "p1")]);
    let failure = Failure::of(Fault::QuotaExhausted).at(Scope::GroupRoute);
    world.hit("a1", &listing(), Verdict::Failed(failure));
    assert!(world.wait(&listing()) >= 3600.0);
    world.serve(&ask("pro"), 2);
}

#[test]
fn the_providers_faults_cost_no_key_anything() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2")]);
    for fault in [Fault::Overloaded, Fault::ServerError, Fault::Timeout, Fault::Unreachable, Fault::Caller] {
        assert_eq!(world.hit("a", &ask("pro"), failed(fault)), Settled::Ended);
    }
    assert_eq!(world.pool.snapshot(world.now).counts.available, 2);
    assert_eq!(world.events(), []);
}

#[test]
fn a_minute_and_a_day_are_counted_apart() {
    let mut world = World::of(&[("a", "p1")]);
    let (minute, day) = (world.lease(&ask("pro")), world.lease(&ask("pro")));
    let per_minute =
        Hint { retry_after: Some(seconds(20)), metric: Metric::RequestsPerMinute, ..Hint::default() };
    world.settle(&day, Verdict::Failed(Failure::of(Fault::QuotaExhausted).hinting(per_day(None))));
    world.settle(&minute, Verdict::Failed(Failure::of(Fault::RateLimited).hinting(per_minute)));
    assert!(world.wait(&ask("pro")) > 18.0 * 3600.0);
    assert_eq!(world.pool.snapshot(world.now).keys[0].resting.len(), 2);
    world.pass(seconds(30));
    assert_eq!(world.pool.snapshot(world.now).keys[0].resting.len(), 1);
    assert!(world.wait(&ask("pro")) > 18.0 * 3600.0);
}

#[test]
fn models_that_share_a_bucket_rest_together_once_the_provider_says_so() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2"), ("c", "p3")]);
    world.hit("b", &ask("pro-latest"), failed_for(Fault::RateLimited, 500));
    let hint = per_day(Some("pro-3.1"));
    world.hit("a", &ask("pro-latest"), Verdict::Failed(Failure::of(Fault::QuotaExhausted).hinting(hint)));
    assert_eq!(world.serve(&ask("pro-latest"), 2), ["c", "c"], "b's rest is not forgotten");
    assert_eq!(world.serve(&ask("pro-3.1"), 2), ["c", "c"]);
    assert_eq!(world.lease(&ask("pro-latest")).bucket, Some(BucketName::from("pro-3.1")));
    assert_eq!(world.lease(&ask("flash")).bucket, Some(BucketName::from("flash")));
    assert_eq!(world.lease(&listing()).bucket, None);
}

#[test]
fn limits_and_names_that_the_provider_states_are_told_once() {
    let mut world = World::of(&[("a", "")]);
    let hint = Hint {
        retry_after: Some(seconds(1)),
        metric: Metric::RequestsPerMinute,
        limit: Some(15),
        group: Some("projects/123".into()),
        ..Hint::default()
    };
    for _ in 0..2 {
        let failure = Failure::of(Fault::RateLimited).hinting(hint.clone());
        world.hit("a", &ask("pro"), Verdict::Failed(failure));
        world.pass(seconds(2));
    }
    let told = world.events();
    let names = told.iter().filter(
        |event| matches!(event, PoolEvent::GroupNamed { name, .. } if name.as_str() == "projects/123"),
    );
    let limits = told.iter().filter(|event| matches!(event, PoolEvent::LimitLearned { limit: 15, .. }));
    assert_eq!((names.count(), limits.count()), (1, 1), "{told:?}");
    assert_eq!(world.pool.snapshot(world.now).keys[0].reported_group, Some("projects/123".into()));
}

#[test]
fn a_group_with_too_many_rests_rests_as_a_whole() {
    let mut world = World::of(&[("a", "p1")]);
    for model in 0..300 {
        let ask = ask(&format!("made-up-{model}"));
        if world.pool.lease(&ask, world.now).is_err() {
            break;
        }
        world.hit("a", &ask, failed_for(Fault::RateLimited, 60));
    }
    assert!(world.pool.snapshot(world.now).keys[0].resting.len() <= 257);
    assert!(world.wait(&ask("another")) <= 66.0);
    world.pass(seconds(67));
    world.serve(&ask("another"), 1);
}

#[test]
fn names_of_models_are_bounded() {
    let mut world = World::of(&[("a", "p1")]);
    for model in 0..3000 {
        world.serve(&ask(&format!("made-up-{model}")), 1);
    }
    let name = ModelName::from("made-up-2999");
    let lease = world.lease(&Ask { model: Some(name), ..ask("any") });
    assert_eq!(lease.bucket, Some(BucketName::from("made-up-2999")));
}
