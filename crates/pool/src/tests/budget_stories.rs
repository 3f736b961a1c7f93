//! Budgets as operators meet them.

use std::collections::BTreeMap;
use std::time::Duration;

use keygate_domain::{Allowance, Failure, Fault, Hint, KeySpec, Metric, ModelName, Reset, Spend, Verdict};

use super::world::{World, a_session, ask, seconds, served, session, spec, start};
use crate::{Ask, Budgets, KeyPool, KeyState, Lease, Policy, PoolRefusal, Skip, Strategy};

fn world(keys: Vec<KeySpec>, budgets: Budgets) -> World {
    let policy = Policy { budgets, ..Policy::default() };
    World { pool: KeyPool::new(1, keys, policy, 42, start()), now: start() }
}

fn per_minute(requests: u64) -> Allowance {
    Allowance { requests_per_minute: Some(requests), ..Allowance::default() }
}

fn one(model: &str) -> Ask {
    Ask { estimate: Spend { requests: 1, input_tokens: 10, output_tokens: 0 }, ..ask(model) }
}

fn limited(keys: Vec<KeySpec>, default: Allowance) -> World {
    world(keys, Budgets { default, ..Budgets::default() })
}

#[test]
fn keys_of_one_group_share_its_minute_and_models_do_not() {
    let mut world = limited(vec![spec("a", Some("g")), spec("b", Some("g"))], per_minute(3));
    assert_eq!(world.serve(&one("m"), 3).len(), 3);
    let wait = world.wait(&one("m"));
    assert!((60.4..60.6).contains(&wait), "a minute and the margin: {wait}");
    assert_eq!(world.serve(&one("other"), 3).len(), 3, "another model has a budget of its own");
    world.pass(Duration::from_secs_f64(wait));
    assert_eq!(world.serve(&one("m"), 3).len(), 3);
}

#[test]
fn an_exhausted_group_is_passed_over_and_says_so() {
    let mut world = limited(vec![spec("a", None), spec("b", None)], per_minute(1));
    assert_eq!(world.serve(&one("m"), 2), ["a", "b"]);
    let decision = world.pool.explain(&one("m"), world.now);
    let is_over = |skip: &Option<Skip>| {
        matches!(skip, Some(Skip::OverBudget { metric: Metric::RequestsPerMinute, .. }))
    };
    assert!(decision.keys.iter().all(|key| is_over(&key.skip)), "{decision:?}");
    let budgets = &world.pool.snapshot(world.now).keys[0].budgets;
    assert_eq!((budgets[0].uses[0].used, budgets[0].uses[0].limit), (1, 1));
    assert!(world.events().is_empty(), "a full budget is no incident");
}

#[test]
fn a_model_and_a_group_may_have_limits_of_their_own() {
    let models = BTreeMap::from([(ModelName::from("pro"), per_minute(1))]);
    let own = KeySpec { allowance: per_minute(4), ..spec("rich", None) };
    let mut world =
        world(vec![own], Budgets { default: per_minute(2), models: models.clone(), ..Budgets::default() });
    assert_eq!(world.serve(&one("pro"), 4).len(), 4, "the group's own limits come first");
    let mut world =
        self::world(vec![spec("a", None)], Budgets { default: per_minute(2), models, ..Budgets::default() });
    assert_eq!(world.serve(&one("pro"), 1).len(), 1);
    world.refused(&one("pro"));
    assert_eq!(world.serve(&one("flash"), 2).len(), 2);
}

#[test]
fn what_was_not_sent_comes_back_and_what_was_used_counts() {
    let tokens = Allowance { input_tokens_per_minute: Some(100), ..Allowance::default() };
    let mut world = limited(vec![spec("a", None)], tokens);
    let wanting =
        |input_tokens| Ask { estimate: Spend { requests: 1, input_tokens, output_tokens: 0 }, ..ask("m") };
    let first = world.lease(&wanting(90));
    world.refused(&wanting(20));
    world.settle(&first, Verdict::Unsent);
    let second = world.lease(&wanting(90));
    world.settle(&second, Verdict::Served(Spend { requests: 1, input_tokens: 30, output_tokens: 500 }));
    let third = world.lease(&wanting(60));
    world.settle(&third, served());
    let used = world.pool.snapshot(world.now).keys[0].budgets[0].uses[0].used;
    assert!(used <= 100, "{used}");
}

#[test]
fn a_batch_counts_as_many_requests_as_it_has() {
    let mut world = limited(vec![spec("a", None)], per_minute(10));
    let batch = |requests| Ask { estimate: Spend { requests, ..Spend::default() }, ..ask("m") };
    let lease = world.lease(&batch(8));
    world.settle(&lease, Verdict::Served(Spend { requests: 8, ..Spend::default() }));
    let PoolRefusal::Resting { retry_after, .. } = world.refused(&batch(3)) else { panic!("no rest") };
    assert!(retry_after > seconds(59));
    world.lease(&batch(2));
}

#[test]
fn only_so_many_run_at_the_same_time() {
    let concurrent = Allowance { concurrent: Some(2), ..Allowance::default() };
    let mut world = limited(vec![spec("a", None)], concurrent);
    let running: Vec<Lease> = (0..2).map(|_| world.lease(&one("m"))).collect();
    world.refused(&one("m"));
    world.settle(&running[0], served());
    world.lease(&one("m"));
    world.refused(&one("m"));
}

#[test]
fn a_session_runs_on_until_it_ends_or_is_long_enough() {
    let concurrent = Allowance { concurrent: Some(1), ..Allowance::default() };
    let mut world = limited(vec![spec("a", Some("org"))], concurrent);
    let starting = Ask { estimate: Spend { requests: 1, ..Spend::default() }, ..session() };
    let first = world.lease(&starting);
    world.opened(&first, "s");
    world.settle(&first, served());
    world.refused(&starting);
    world.pool.session_ended(&"org".into(), &a_session("s"), world.now);
    let second = world.lease(&starting);
    world.settle(&second, served());
    let wait = world.wait(&starting);
    assert!((599.0..601.0).contains(&wait), "{wait}");
}

#[test]
fn starts_keep_their_distance() {
    let apart = Allowance { min_interval: Some(seconds(5)), ..Allowance::default() };
    let mut world = limited(vec![spec("a", None)], apart);
    let _first = world.lease(&one("m"));
    let wait = world.wait(&one("m"));
    assert!((4.9..5.1).contains(&wait), "{wait}");
    world.pass(seconds(5));
    world.lease(&one("m"));
}

#[test]
fn a_used_day_shows_as_exhausted_until_pacific_midnight() {
    let day = Allowance { requests_per_day: Some(1), ..Allowance::default() };
    let pacific = Reset::Midnight("America/Los_Angeles");
    let mut world =
        world(vec![spec("a", None)], Budgets { default: day, day: pacific, ..Budgets::default() });
    world.serve(&one("m"), 1);
    assert_eq!(world.states(), [KeyState::Exhausted]);
    // It is five in the morning there.
    let wait = world.wait(&one("m"));
    assert!((19.0 * 3600.0..19.0 * 3600.0 + 1.0).contains(&wait), "{wait}");
}

#[test]
fn a_limit_that_the_provider_states_holds_from_then_on() {
    let mut world = World::of(&[("a", ""), ("b", "")]);
    let hint = Hint {
        retry_after: Some(seconds(1)),
        metric: Metric::RequestsPerMinute,
        limit: Some(2),
        ..Hint::default()
    };
    world.hit("a", &one("m"), Verdict::Failed(Failure::of(Fault::RateLimited).hinting(hint)));
    world.pass(seconds(120));
    let mut of_a = 0;
    for _ in 0..12 {
        of_a += u32::from(world.use_once(&one("m"), served()) == "a");
    }
    assert_eq!(of_a, 2, "no third request is tried on it");
    world.pool.reset(None, world.now);
    let after = world.serve(&one("m"), 6);
    assert_eq!(after.iter().filter(|label| *label == "a").count(), 3, "a reset asks the provider anew");
}

#[test]
fn reset_gives_no_budget_back() {
    let mut world = limited(vec![spec("a", None)], per_minute(1));
    world.serve(&one("m"), 1);
    assert_eq!(world.pool.reset(None, world.now), 0);
    world.refused(&one("m"));
}

#[test]
fn listing_models_draws_nothing() {
    let mut world = limited(vec![spec("a", None)], per_minute(1));
    let listing = Ask { estimate: Spend { requests: 1, ..Spend::default() }, ..super::world::listing() };
    assert_eq!(world.serve(&listing, 5).len(), 5);
}

#[test]
fn headroom_uses_up_what_there_is_in_proportion() {
    let rich = KeySpec { allowance: per_minute(90), ..spec("rich", None) };
    let poor = KeySpec { allowance: per_minute(10), ..spec("poor", None) };
    let policy = Policy { strategy: Strategy::Headroom, ..Policy::default() };
    let mut world = World { pool: KeyPool::new(1, vec![rich, poor], policy, 42, start()), now: start() };
    let mut of_poor = 0;
    for _ in 0..50 {
        of_poor += u32::from(world.use_once(&one("m"), served()) == "poor");
        world.pass(Duration::from_millis(10));
    }
    assert!((4..=6).contains(&of_poor), "{of_poor} of 50");
    world.pass(seconds(120));
    let next: Vec<String> = world.serve(&one("m"), 2);
    assert!(next.contains(&"poor".to_owned()), "old use is over, both are whole again: {next:?}");
}

#[test]
fn what_runs_while_models_turn_out_to_share_a_bucket_ends_in_every_bucket() {
    let mut world = limited(vec![spec("a", None)], Allowance { concurrent: Some(2), ..Allowance::default() });
    let counts_in = |bucket: &str| {
        let hint = Hint { bucket: Some(bucket.into()), retry_after: Some(seconds(1)), ..Hint::default() };
        Verdict::Failed(Failure::of(Fault::RateLimited).hinting(hint))
    };
    let [first, runs_on] = [(); 2].map(|()| world.lease(&one("flash")));
    world.settle(&first, counts_in("pro"));
    world.pass(seconds(5));
    let another = world.lease(&one("flash"));
    world.settle(&another, counts_in("pro-3.1"));
    world.settle(&runs_on, served());
    world.pass(seconds(5));
    let both = [(); 2].map(|()| world.lease(&one("pro")));
    assert_eq!(both.map(|lease| lease.index), [0, 0], "nothing runs any more");
}
