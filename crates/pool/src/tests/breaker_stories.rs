//! What opens a breaker, for what, and who does not pay for it.

use std::time::Duration;

use keygate_domain::{Failure, Fault, Hint, Verdict};

use super::trouble::*;
use super::world::*;
use crate::{Ask, BreakerState, KeyState, Lease, PoolEvent, PoolRefusal, TriedHow};

#[test]
fn a_storm_opens_one_breaker_for_its_model_and_cools_no_key() {
    let mut world = three();
    world.use_once(&ask("pro"), overloaded());
    assert_eq!(world.breakers(), [], "one group proves nothing");
    world.use_once(&ask("pro"), overloaded());
    assert_eq!(world.breaker(), (Some("pro".into()), BreakerState::Open));
    let wait = world.trouble(&ask("pro"));
    assert!((2.0..=2.2).contains(&wait), "{wait}");
    assert_eq!(world.states(), [KeyState::Available; 3]);
    let mut flash = world.serve(&ask("flash"), 3);
    flash.sort();
    assert_eq!(flash, ["a", "b", "c"], "another model goes on");
    let told = world.events();
    assert!(
        matches!(
            &told[..],
            [PoolEvent::BreakerOpened { bucket: Some(_), fault: Fault::Overloaded, reopened: 0, .. }]
        ),
        "{told:?}"
    );
}

#[test]
fn most_of_the_usable_groups_must_meet_it() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2"), ("c", "p3"), ("d", "p4"), ("e", "p5")]);
    world.storm("pro");
    assert_eq!(world.breakers(), [], "two of five");
    world.use_once(&ask("pro"), overloaded());
    assert_eq!(world.breaker(), (Some("pro".into()), BreakerState::Open), "three of five");
}

#[test]
fn groups_that_cannot_be_asked_have_no_say() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2"), ("c", "p3"), ("d", "p4"), ("e", "p5")]);
    world.hit("d", &ask("pro"), failed(Fault::KeyInvalid));
    world.hit("e", &ask("pro"), named());
    world.storm("pro");
    assert_eq!(world.breaker().1, BreakerState::Open, "two of three");
    assert_eq!(world.states()[3..], [KeyState::Disabled, KeyState::CoolingDown]);
}

#[test]
fn one_bad_group_among_healthy_ones_opens_nothing() {
    let mut world = three();
    for _ in 0..20 {
        world.hit("a", &ask("pro"), overloaded());
        world.pass(seconds(1));
    }
    assert_eq!(world.breakers(), []);
    for _ in 0..20 {
        world.hit("a", &ask("pro"), overloaded());
        world.hit("b", &ask("pro"), served());
        world.hit("c", &ask("pro"), overloaded());
        world.hit("b", &ask("pro"), served());
    }
    assert_eq!(world.breakers(), [], "a success in between counts against it");
}

#[test]
fn what_lies_further_apart_than_ten_seconds_does_not_add_up() {
    let mut world = three();
    for _ in 0..6 {
        world.use_once(&ask("pro"), overloaded());
        world.pass(Duration::from_millis(10_001));
    }
    assert_eq!(world.breakers(), []);
}

#[test]
fn a_pool_of_one_group_has_nobody_to_agree_with() {
    let mut world = World::of(&[("a1", "p1"), ("a2", "p1")]);
    for _ in 0..10 {
        world.use_once(&ask("pro"), overloaded());
    }
    assert_eq!(world.breakers(), []);
    assert!(world.pool.lease(&ask("pro"), world.now).is_ok());
}

#[test]
fn unnamed_429s_of_all_groups_are_the_providers_and_the_keys_are_released() {
    let mut world = three();
    world.hit("c", &ask("pro"), named());
    world.hit("a", &ask("pro"), unnamed());
    assert_eq!(world.states()[0], KeyState::CoolingDown, "alone it looks like its own quota");
    world.pass(seconds(3));
    world.hit("b", &ask("pro"), unnamed());
    assert_eq!(world.breaker(), (Some("pro".into()), BreakerState::Open));
    assert_eq!(
        world.states(),
        [KeyState::Available, KeyState::Available, KeyState::CoolingDown],
        "who named a quota goes on resting"
    );
    let wait = world.trouble(&ask("pro"));
    assert!((5.0..=5.5).contains(&wait), "the provider's own hint wins: {wait}");
    let told = world.events();
    assert!(
        told.iter().any(|event| matches!(event, PoolEvent::BreakerOpened { released: 1, .. })),
        "{told:?}"
    );
}

#[test]
fn answers_that_come_in_late_cool_no_key_either() {
    let mut world = three();
    let leases: Vec<Lease> = (0..9).map(|_| world.lease(&ask("pro"))).collect();
    for lease in &leases {
        world.settle(lease, unnamed());
    }
    assert_eq!(world.states(), [KeyState::Available; 3]);
    assert_eq!(world.breaker().1, BreakerState::Open);
    assert!(world.trouble(&ask("pro")) <= 5.5, "nine answers are one incident");
}

#[test]
fn a_rest_that_a_named_quota_joined_is_not_released() {
    let mut world = three();
    let leases: Vec<Lease> = (0..4).map(|_| world.lease(&ask("pro"))).collect();
    world.settle(&leases[0], unnamed());
    // A quota is named this time, its counter is not: the same place, and a shorter rest.
    world.settle(&leases[3], failed_for(Fault::RateLimited, 3));
    world.settle(&leases[1], unnamed());
    world.settle(&leases[2], unnamed());
    assert_eq!(world.breaker().1, BreakerState::Open);
    assert_eq!(world.states(), [KeyState::CoolingDown, KeyState::Available, KeyState::Available]);
}

#[test]
fn rests_from_before_the_incident_stay() {
    let mut world = three();
    world.hit("a", &ask("pro"), unnamed());
    world.hit("b", &ask("pro"), served());
    world.pass(seconds(1));
    world.hit("b", &ask("pro"), unnamed());
    world.hit("c", &ask("pro"), unnamed());
    assert_eq!(world.breaker().1, BreakerState::Open);
    assert_eq!(world.states(), [KeyState::CoolingDown, KeyState::Available, KeyState::Available]);
}

#[test]
fn several_models_without_any_success_are_the_whole_provider() {
    let mut world = three();
    world.storm("pro");
    world.storm("flash");
    assert_eq!(world.breaker(), (None, BreakerState::Open));
    world.trouble(&listing());
    let probe = world.probe(&ask("lite"));
    world.trouble(&ask("pro"));
    world.settle(&probe, served());
    assert_eq!(world.breaker(), (None, BreakerState::Recovering));
    world.lease(&ask("pro"));
}

#[test]
fn several_models_beside_a_healthy_one_are_breakers_of_their_own() {
    let mut world = three();
    world.storm("pro");
    world.use_once(&ask("flash"), overloaded());
    world.use_once(&ask("lite"), served());
    world.use_once(&ask("flash"), overloaded());
    let buckets: Vec<_> = world.breakers().into_iter().filter_map(|breaker| breaker.bucket).collect();
    assert_eq!(buckets, ["flash".into(), "pro".into()]);
    world.serve(&ask("lite"), 3);
}

#[test]
fn an_operation_without_a_model_counts_by_itself() {
    let mut world = three();
    for _ in 0..2 {
        world.use_once(&session(), overloaded());
    }
    assert_eq!(world.breaker(), (Some("start_session".into()), BreakerState::Open));
    world.trouble(&session());
    world.serve(&listing(), 1);
}

/// The next attempt of a request that failed before.
fn again(world: &World, lease: &Lease) -> Ask {
    Ask { tried: vec![world.tried(lease, TriedHow::Failed)], ..ask("pro") }
}

#[test]
fn a_request_that_breaks_the_provider_wherever_it_goes_has_one_say() {
    for fault in [Fault::ServerError, Fault::Timeout] {
        let mut world = World::of(&[("a", "p1"), ("b", "p2")]);
        for _ in 0..3 {
            let first = world.lease(&ask("pro"));
            let second = world.lease(&again(&world, &first));
            world.pass(seconds(6));
            world.settle(&first, failed(fault));
            world.settle(&second, failed(fault));
            assert_eq!(world.breakers(), [], "one request with {fault:?}");
        }
        world.use_once(&ask("pro"), failed(Fault::ServerError));
        world.use_once(&ask("pro"), failed(Fault::ServerError));
        assert_eq!(world.breaker().1, BreakerState::Open, "different requests agree");
    }
}

#[test]
fn a_caller_in_a_hurry_blames_nobody() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2")]);
    for _ in 0..10 {
        world.use_once(&ask("pro"), failed(Fault::Timeout));
    }
    assert_eq!(world.breakers(), []);
}

#[test]
fn dead_connections_count_from_a_requests_second_on() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2")]);
    let side_by_side: Vec<Lease> = (0..10).map(|_| world.lease(&ask("pro"))).collect();
    for lease in &side_by_side {
        world.settle(lease, failed(Fault::Unreachable));
    }
    assert_eq!(world.breakers(), [], "all of them were kept for too long");
    for lease in &side_by_side[..2] {
        let second = again(&world, lease);
        world.use_once(&second, failed(Fault::Unreachable));
    }
    assert_eq!(world.breaker().1, BreakerState::Open);
}

#[test]
fn a_place_the_provider_does_not_serve_is_no_keys_fault() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2")]);
    let location = || {
        let hint = Hint { may_be_providers: true, ..Hint::default() };
        Verdict::Failed(Failure::of(Fault::Unreachable).hinting(hint))
    };
    world.use_once(&ask("pro"), location());
    world.use_once(&ask("pro"), location());
    assert_eq!(world.breaker().1, BreakerState::Open);
}

#[test]
fn disabled_and_resting_keys_are_told_before_the_breaker() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2")]);
    let (last, late) = (world.lease(&ask("pro")), world.lease(&ask("pro")));
    world.storm("pro");
    world.settle(&last, named());
    world.trouble(&ask("pro"));
    world.settle(&late, named());
    let wait = world.wait(&ask("pro"));
    assert!(wait >= 40.0, "both rest longer than the breaker stands: {wait}");
    world.pool.disable(&id("a"), world.now);
    world.pool.disable(&id("b"), world.now);
    assert!(matches!(world.refused(&ask("pro")), PoolRefusal::Disabled { .. }));
}

#[test]
fn explaining_is_asking() {
    let mut world = three();
    world.storm("pro");
    let explained = world.pool.explain(&ask("pro"), world.now).answer.unwrap_err();
    assert_eq!(explained, world.refused(&ask("pro")));
    assert!(explained.retry_after().is_some());
}
