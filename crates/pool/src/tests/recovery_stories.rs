//! How a provider that was in trouble is found to serve again, without a stampede.

use std::time::Duration;

use keygate_domain::{Failure, Fault, Hint, Metric, Verdict};

use super::trouble::*;
use super::world::*;
use crate::{Ask, BreakerState, KeyPool, KeyState, Policy, PoolEvent};

#[test]
fn one_request_finds_out_and_the_others_wait_for_it() {
    let mut world = three();
    world.storm("pro");
    let probe = world.probe(&ask("pro"));
    assert_eq!(world.breaker().1, BreakerState::HalfOpen);
    let wait = world.trouble(&ask("pro"));
    assert!(wait > 0.0 && wait <= 2.0, "short and honest: {wait}");
    world.settle(&probe, served());
    assert_eq!(world.breaker().1, BreakerState::Recovering);
    world.lease(&ask("pro"));
    world.pass(seconds(5));
    world.pool.advance(world.now);
    assert_eq!(world.breakers(), []);
    let told = world.events();
    assert!(
        matches!(
            &told[..],
            [
                PoolEvent::BreakerOpened { .. },
                PoolEvent::BreakerProbing { .. },
                PoolEvent::BreakerClosed { .. }
            ]
        ),
        "{told:?}"
    );
}

#[test]
fn a_probe_in_vain_opens_it_for_longer() {
    let mut world = three();
    world.storm("pro");
    let mut waits = Vec::new();
    for _ in 0..6 {
        waits.push(world.trouble(&ask("pro")));
        let probe = world.probe(&ask("pro"));
        world.settle(&probe, overloaded());
    }
    for (wait, expected) in waits.iter().zip([2.0, 4.0, 8.0, 16.0, 30.0, 30.0]) {
        assert!((expected..=expected * 1.1).contains(wait), "{waits:?}");
    }
    assert_eq!(world.states(), [KeyState::Available; 3]);
}

#[test]
fn a_probe_that_tells_nothing_makes_room_for_another() {
    for verdict in [Verdict::Abandoned, Verdict::Unsent, failed(Fault::Caller), named()] {
        let mut world = three();
        world.storm("pro");
        let probe = world.probe(&ask("pro"));
        world.settle(&probe, verdict.clone());
        assert_eq!(world.breaker().1, BreakerState::HalfOpen, "after {verdict:?}");
        assert!(world.lease(&ask("pro")).is_trial, "after {verdict:?}");
    }
}

#[test]
fn a_probe_whose_lease_expires_makes_room_too() {
    let mut world = three();
    world.storm("pro");
    let brief = Ask { hold: Duration::from_millis(500), ..ask("pro") };
    world.probe(&brief);
    assert!(world.trouble(&ask("pro")) > 0.6);
    world.pass(Duration::from_millis(500));
    assert!(world.lease(&ask("pro")).is_trial);
}

#[test]
fn the_beginning_of_a_stream_is_proof_enough() {
    let mut world = three();
    world.storm("pro");
    let probe = world.probe(&ask("pro"));
    world.pool.answered(probe.id, world.now);
    assert_eq!(world.breaker().1, BreakerState::Recovering);
    assert_eq!(world.breakers()[0].in_flight, 1);
    world.settle(&probe, served());
    assert_eq!(world.breakers()[0].in_flight, 0);
}

#[test]
fn recovery_is_no_stampede() {
    let mut world = three();
    world.storm("pro");
    let probe = world.probe(&ask("pro"));
    world.settle(&probe, served());
    let mut under_way = 0;
    let mut per_step = Vec::new();
    // A crowd that asks all the time, and a provider that takes its time.
    for _ in 0..9 {
        while world.pool.lease(&ask("pro"), world.now).is_ok() {
            under_way += 1;
        }
        per_step.push(under_way);
        world.pass(Duration::from_millis(500));
    }
    assert_eq!(per_step, [2, 2, 4, 8, 16, 32, 64, 128, 256]);
    world.pass(seconds(1));
    for _ in 0..2000 {
        world.lease(&ask("pro"));
    }
}

#[test]
fn a_provider_that_falls_again_while_it_recovers_is_left_alone_for_longer() {
    let mut world = three();
    world.storm("pro");
    let probe = world.probe(&ask("pro"));
    world.settle(&probe, served());
    world.storm("pro");
    let wait = world.trouble(&ask("pro"));
    assert!((4.0..=4.4).contains(&wait), "{wait}");
}

#[test]
fn a_breaker_survives_a_restart_and_an_operators_reset_ends_it() {
    let mut world = three();
    world.storm("pro");
    let probe = world.probe(&ask("pro"));
    world.settle(&probe, overloaded());
    let state = world.pool.state();
    let keys = vec![spec("a", Some("p1")), spec("b", Some("p2")), spec("c", Some("p3"))];
    let json = serde_json::to_string(&state).unwrap();
    let state = serde_json::from_str(&json).unwrap();
    world.pool = KeyPool::restore(2, keys, Policy::default(), 7, &state, world.now);
    let wait = world.trouble(&ask("pro"));
    assert!((4.0..=4.4).contains(&wait), "{wait}");
    let probe = world.probe(&ask("pro"));
    world.settle(&probe, overloaded());
    assert!(world.trouble(&ask("pro")) >= 8.0, "it goes on where it was");
    world.pool.reset(None, world.now);
    world.serve(&ask("pro"), 20);
    assert_eq!(world.breakers(), []);
}

#[test]
fn a_breaker_that_nobody_asks_to_pass_is_forgotten() {
    let mut world = three();
    let clean = world.pool.state();
    world.storm("pro");
    world.pass(seconds(3600));
    world.pool.advance(world.now);
    assert_eq!(world.breakers(), []);
    assert_eq!(world.pool.state(), clean);
}

#[test]
fn the_model_stays_in_trouble_when_the_provider_names_its_bucket() {
    let mut world = three();
    let lease = world.lease(&ask("pro-latest"));
    world.storm("pro-latest");
    let hint = Hint { bucket: Some("pro-3.1".into()), metric: Metric::RequestsPerMinute, ..Hint::default() };
    world.settle(&lease, Verdict::Failed(Failure::of(Fault::RateLimited).hinting(hint)));
    world.trouble(&ask("pro-latest"));
}
