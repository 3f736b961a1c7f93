//! When a disabled key is asked after, and what the answer does to it.

use std::time::Duration;

use keygate_domain::{Failure, Fault, Hint, KeySpec, Moment, Verdict};

use super::world::*;
use crate::{KeyPool, KeyState, Policy, PoolEvent, PoolState, Probe, ProbePolicy, ProbingSnapshot, Strategy};

const MINUTE: Duration = Duration::from_mins(1);

fn three() -> World {
    World::of(&[("a", "p1"), ("b", "p2"), ("c", "p3")])
}

impl World {
    fn invalid(&mut self, label: &str) {
        self.hit(label, &ask("pro"), failed(Fault::KeyInvalid));
    }

    /// The next probe, and how long it took until it was due.
    fn probe_within(&mut self, most: Duration) -> Option<(Duration, Probe)> {
        let (began, end) = (self.now, self.now.after(most));
        loop {
            self.pool.advance(self.now);
            if let Some(probe) = self.pool.take_probe() {
                return Some((began.until(self.now), probe));
            }
            self.now = self.pool.next_wakeup().filter(|due| *due <= end)?;
        }
    }

    #[track_caller]
    fn next_probe(&mut self) -> (Duration, Probe) {
        self.probe_within(Duration::from_hours(24)).expect("a probe is due within a day")
    }

    fn probed(&mut self, probe: &Probe, verdict: &Verdict) {
        self.pool.probed(probe.id, verdict, self.now);
        assert!(self.pool.plans_probes_truly());
    }

    fn probing(&self, index: usize) -> ProbingSnapshot {
        self.pool.snapshot(self.now).keys[index].probing
    }

    fn reload_probing(&mut self, keys: Vec<KeySpec>, probe: ProbePolicy) {
        let policy = Policy { strategy: Strategy::RoundRobin, probe, ..Policy::default() };
        self.pool.reload(keys, policy, self.now);
        assert!(self.pool.plans_probes_truly());
    }
}

fn keys() -> Vec<KeySpec> {
    vec![spec("a", Some("p1")), spec("b", Some("p2")), spec("c", Some("p3"))]
}

/// That `wait` is `minutes`, or up to a tenth more.
#[track_caller]
fn is_about(wait: Duration, minutes: u32) {
    let least = MINUTE * minutes;
    assert!(wait >= least && wait <= least + least / 10, "{wait:?} instead of {minutes} min");
}

#[test]
fn a_key_that_works_again_is_back_and_it_is_told() {
    let mut world = three();
    world.invalid("a");
    world.events();
    let (wait, probe) = world.next_probe();
    is_about(wait, 10);
    assert_eq!(probe.key.id(), &id("a"));
    assert_eq!(world.states()[0], KeyState::Disabled, "asking alone changes nothing");
    world.probed(&probe, &served());
    assert_eq!(world.events(), [PoolEvent::KeyProvedGood { id: id("a"), label: "a".into() }]);
    assert_eq!(world.states(), [KeyState::Available; 3]);
    world.hit("a", &ask("pro"), served());
    assert_eq!(world.probing(0), ProbingSnapshot::default(), "a request proved it");
}

#[test]
fn a_key_that_stays_bad_is_asked_after_ever_more_slowly() {
    let mut world = three();
    world.invalid("a");
    for (number, minutes) in [10, 20, 40, 80, 160, 320, 360, 360].into_iter().enumerate() {
        let (wait, probe) = world.next_probe();
        is_about(wait, minutes);
        let told = world.probing(0);
        assert_eq!((told.probes, told.last_at, told.next_at), (number as u64 + 1, Some(world.now), None));
        world.events();
        world.probed(&probe, &failed(Fault::KeyInvalid));
        let next_at = world.probing(0).next_at;
        let events = world.events();
        let [PoolEvent::KeyProbed { fault: Some(Fault::KeyInvalid), next_at: told, .. }] = events.as_slice()
        else {
            panic!("{events:?}");
        };
        assert!(told.is_some() && *told == next_at);
    }
    assert_eq!(world.states()[0], KeyState::Disabled);
}

#[test]
fn an_answer_that_says_nothing_of_the_key_is_no_blame() {
    let mut world = three();
    world.invalid("a");
    for verdict in [
        failed(Fault::Unreachable),
        failed(Fault::Timeout),
        failed(Fault::ServerError),
        failed_for(Fault::RateLimited, 60),
        Verdict::Unsent,
        Verdict::Abandoned,
    ] {
        let (wait, probe) = world.next_probe();
        is_about(wait, 10);
        world.probed(&probe, &verdict);
        assert_eq!(world.states(), [KeyState::Disabled, KeyState::Available, KeyState::Available]);
    }
    let (_, probe) = world.next_probe();
    world.probed(&probe, &failed_for(Fault::RateLimited, 3600));
    is_about(world.next_probe().0, 60);
}

#[test]
fn silence_is_given_up_and_a_late_answer_changes_nothing() {
    let mut world = three();
    world.invalid("a");
    let (_, probe) = world.next_probe();
    let (wait, again) = world.next_probe();
    assert!(wait >= 10 * MINUTE + Duration::from_secs(30), "{wait:?}");
    assert_ne!(probe.id, again.id);
    world.probed(&probe, &served());
    assert_eq!(world.states()[0], KeyState::Disabled);
    world.probed(&again, &served());
    assert_eq!(world.states()[0], KeyState::Available);
}

#[test]
fn a_key_that_only_the_free_call_finds_good_goes_on_where_its_waits_ended() {
    let mut world = three();
    world.invalid("a");
    for minutes in [10, 20, 40] {
        let (wait, probe) = world.next_probe();
        is_about(wait, minutes);
        world.probed(&probe, &served());
        world.invalid("a");
    }
    world.pool.enable(&id("a"), world.now);
    world.invalid("a");
    let (wait, probe) = world.next_probe();
    is_about(wait, 10);
    world.probed(&probe, &served());
    world.pool.reset(None, world.now);
    world.invalid("a");
    is_about(world.next_probe().0, 10);
}

#[test]
fn what_an_operator_took_out_is_never_asked_after() {
    let mut world = three();
    world.pool.disable(&id("a"), world.now);
    assert_eq!(world.probe_within(Duration::from_hours(100)), None);
    // Nor is one that a fault took out first.
    world.invalid("b");
    world.pool.disable(&id("b"), world.now);
    assert_eq!(world.probe_within(Duration::from_hours(100)), None);
    assert_eq!(world.probing(1), ProbingSnapshot::default());
}

#[test]
fn what_an_operator_decides_while_a_probe_is_under_way_holds() {
    let mut world = three();
    world.invalid("a");
    let (_, probe) = world.next_probe();
    world.pool.disable(&id("a"), world.now);
    world.probed(&probe, &served());
    assert_eq!(world.states()[0], KeyState::Disabled);
    world.invalid("b");
    let (_, probe) = world.next_probe();
    world.pool.reset(None, world.now);
    world.events();
    world.probed(&probe, &failed(Fault::KeyInvalid));
    assert_eq!((world.states()[1], world.events()), (KeyState::Available, vec![]));
}

#[test]
fn a_project_without_billing_is_for_humans() {
    let mut world = three();
    let hint = Hint { needs_human: true, ..Hint::default() };
    let barred = Failure::of(Fault::GroupBlocked).hinting(hint);
    world.hit("a", &ask("pro"), Verdict::Failed(barred));
    assert_eq!(world.states()[0], KeyState::Disabled);
    assert_eq!(world.probe_within(Duration::from_hours(100)), None);
}

#[test]
fn a_probe_brings_back_its_key_and_not_the_group_around_it() {
    let mut world = World::of(&[("a", "p1"), ("b", "p1"), ("c", "p3")]);
    world.invalid("a");
    let hint = Hint { needs_human: true, ..Hint::default() };
    world.hit("b", &ask("pro"), Verdict::Failed(Failure::of(Fault::GroupBlocked).hinting(hint)));
    let (_, probe) = world.next_probe();
    world.probed(&probe, &served());
    assert_eq!(world.states(), [KeyState::Disabled, KeyState::Disabled, KeyState::Available]);
    assert_eq!(world.probe_within(Duration::from_hours(100)), None);
}

#[test]
fn a_probe_draws_nothing_and_is_no_attempt() {
    let mut world = three();
    world.invalid("a");
    let before = world.pool.snapshot(world.now).ledger;
    let (_, probe) = world.next_probe();
    world.probed(&probe, &served());
    let after = world.pool.snapshot(world.now);
    assert_eq!(after.ledger, before);
    assert_eq!(after.keys[0].attempts, 1, "the one that disabled it");
}

#[test]
fn many_keys_are_asked_after_one_at_a_time_and_evenly_spread() {
    let labels: Vec<String> = (0..100).map(|number| format!("k{number}")).collect();
    let keys = labels.iter().map(|label| spec(label, None)).chain([spec("good", None)]);
    let mut world = World::with(keys.collect(), Strategy::RoundRobin);
    for label in &labels {
        world.invalid(label);
    }
    let mut asked = std::collections::BTreeSet::new();
    let mut last = None;
    for _ in 0..100 {
        let (_, probe) = world.next_probe();
        if let Some(last) = last.replace(world.now) {
            assert!(Moment::until(last, world.now) >= MINUTE, "60 an hour are one a minute");
        }
        asked.insert(probe.key.id().clone());
        assert_eq!(world.probe_within(Duration::from_secs(29)), None, "one at a time");
        world.probed(&probe, &failed(Fault::KeyInvalid));
    }
    assert!(asked.len() > 60, "those who wait come before those who were asked already: {}", asked.len());
}

#[test]
fn a_reload_keeps_the_plan_and_brings_it_forward_if_waits_are_shorter() {
    let mut world = three();
    world.invalid("a");
    let planned = world.probing(0).next_at;
    world.reload_probing(keys(), ProbePolicy::default());
    assert_eq!(world.probing(0).next_at, planned);
    let quick = ProbePolicy { every: MINUTE, ..ProbePolicy::default() };
    world.reload_probing(keys(), quick);
    let (wait, probe) = world.next_probe();
    is_about(wait, 1);
    // While it is under way the key moves to another position; the answer finds it.
    world.reload_probing(vec![spec("b", Some("p2")), spec("a", Some("p1"))], quick);
    world.probed(&probe, &served());
    assert_eq!(world.states(), [KeyState::Available; 2]);
}

#[test]
fn switched_off_nobody_is_asked_after_and_switched_on_the_waits_begin() {
    let mut world = three();
    world.invalid("a");
    world.reload_probing(keys(), ProbePolicy { is_enabled: false, ..ProbePolicy::default() });
    assert_eq!(world.probing(0).next_at, None);
    assert_eq!(world.probe_within(Duration::from_hours(100)), None);
    world.now = world.now.after(Duration::from_hours(100));
    world.invalid("b");
    world.reload_probing(keys(), ProbePolicy::default());
    let both = [world.next_probe().1, {
        world.pass(MINUTE);
        world.next_probe().1
    }];
    assert!(both.iter().any(|probe| probe.key.id() == &id("a")), "{both:?}");
}

#[test]
fn the_answer_for_a_key_that_was_replaced_changes_nothing() {
    let mut world = three();
    world.invalid("a");
    let (_, probe) = world.next_probe();
    world.reload_probing(vec![spec("a, renewed", Some("p1")), spec("b", Some("p2"))], ProbePolicy::default());
    world.invalid("a, renewed");
    world.probed(&probe, &served());
    assert_eq!(world.states(), [KeyState::Disabled, KeyState::Available]);
    assert_eq!(world.next_probe().1.key.id(), &id("a, renewed"));
    // Nor is a probe sent whose key went before anybody fetched it.
    world.invalid("b");
    world.reload_probing(vec![spec("b", Some("p2"))], ProbePolicy::default());
    world.pass(Duration::from_hours(1));
    world.pool.advance(world.now);
    world.reload_probing(vec![spec("c", Some("p3"))], ProbePolicy::default());
    assert_eq!(world.pool.take_probe(), None);
}

fn restarted(world: &World, down_for: Duration) -> World {
    let json = serde_json::to_string(&world.pool.state()).unwrap();
    let state: PoolState = serde_json::from_str(&json).unwrap();
    let now = Moment { mono: Duration::from_secs(1), wall: world.now.after(down_for).wall };
    let after = World { pool: KeyPool::restore(2, keys(), Policy::default(), 7, &state, now), now };
    assert!(after.pool.plans_probes_truly());
    after
}

#[test]
fn a_restart_keeps_the_plan_and_how_slow_it_has_become() {
    let mut world = three();
    world.invalid("a");
    let (_, probe) = world.next_probe();
    world.probed(&probe, &failed(Fault::KeyInvalid));
    let before = world.probing(0);
    let mut after = restarted(&world, 5 * MINUTE);
    let kept = after.probing(0);
    assert_eq!(kept.probes, 1);
    assert_eq!(kept.next_at.map(|at| at.wall), before.next_at.map(|at| at.wall));
    let (wait, again) = after.next_probe();
    assert!(wait >= 15 * MINUTE && wait <= 17 * MINUTE, "{wait:?}");
    after.probed(&probe, &served());
    assert_eq!(after.states()[0], KeyState::Disabled, "an answer of another life changes nothing");
    after.probed(&again, &failed(Fault::KeyInvalid));
    is_about(after.next_probe().0, 40);
}

#[test]
fn a_start_is_no_storm() {
    let mut world = three();
    for _ in 0..3 {
        world.use_once(&ask("pro"), failed(Fault::KeyInvalid));
    }
    assert_eq!(world.states(), [KeyState::Disabled; 3]);
    let mut after = restarted(&world, Duration::from_hours(100));
    let mut waits = Vec::new();
    for _ in 0..3 {
        let (wait, probe) = after.next_probe();
        waits.push(wait);
        after.probed(&probe, &served());
    }
    assert!(waits.iter().all(|wait| *wait >= MINUTE), "{waits:?}");
    assert!(waits.iter().sum::<Duration>() <= 13 * MINUTE, "{waits:?}");
}

/// What versions before this one wrote knows of no probes.
#[test]
fn a_disabled_key_of_an_earlier_version_is_asked_after_too() {
    let mut world = three();
    world.invalid("a");
    let mut json = serde_json::to_value(world.pool.state()).unwrap();
    let saved = &mut json["keys"][id("a").as_str()];
    assert!(saved.as_object_mut().unwrap().remove("probing").is_some());
    let state: PoolState = serde_json::from_value(json).unwrap();
    world.pool = KeyPool::restore(2, keys(), Policy::default(), 7, &state, world.now);
    is_about(world.next_probe().0, 10);
}
