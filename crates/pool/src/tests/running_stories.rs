//! Tokens that are told while their lease goes on.

use std::time::Duration;

use keygate_domain::{Allowance, Failure, Fault, KeySpec, Metric, Spend, Verdict};

use super::world::{World, ask, seconds, spec, start};
use crate::{Ask, Budgets, KeyPool, Policy, PoolRefusal};

fn talk() -> Ask {
    let estimate = Spend { requests: 1, input_tokens: 30, output_tokens: 0 };
    Ask { estimate, opens_session: true, hold: Duration::from_hours(1), ..ask("m") }
}

fn world(allowance: Allowance) -> World {
    let key = KeySpec { allowance, ..spec("a", None) };
    let budgets = Budgets { session_length: Duration::ZERO, ..Budgets::default() };
    let policy = Policy { budgets, ..Policy::default() };
    World { pool: KeyPool::new(1, vec![key], policy, 42, start()), now: start() }
}

fn limits() -> Allowance {
    Allowance {
        requests_per_minute: Some(100),
        input_tokens_per_minute: Some(1000),
        tokens_per_day: Some(100_000),
        concurrent: Some(5),
        ..Allowance::default()
    }
}

fn tokens(input_tokens: u64, output_tokens: u64) -> Spend {
    Spend { requests: 0, input_tokens, output_tokens }
}

fn used(world: &mut World, metric: Metric) -> u64 {
    let budgets = world.pool.snapshot(world.now).keys[0].budgets.clone();
    let of_metric = |uses: &crate::BudgetUse| uses.metric == metric;
    budgets[0].uses.iter().find(|uses| of_metric(uses)).map_or(0, |uses| uses.used)
}

#[test]
fn what_a_session_uses_counts_when_it_is_used() {
    let mut world = world(limits());
    let lease = world.lease(&talk());
    assert_eq!(used(&mut world, Metric::InputTokensPerMinute), 30, "what was thought of it");
    world.pass(seconds(50));
    world.pool.used_so_far(lease.id, tokens(400, 100), world.now);
    assert_eq!(used(&mut world, Metric::InputTokensPerMinute), 400, "what is known of it");
    world.pass(seconds(50));
    world.pool.used_so_far(lease.id, tokens(700, 100), world.now);
    assert_eq!(used(&mut world, Metric::InputTokensPerMinute), 1100);
    assert_eq!(used(&mut world, Metric::TokensPerDay), 1300);
    let refusal = world.refused(&talk());
    assert!(matches!(refusal, PoolRefusal::Resting { last_fault: Fault::RateLimited, .. }), "{refusal:?}");
    world.pass(seconds(12));
    world.settle(&lease, Verdict::Served(Spend { requests: 1, ..tokens(1200, 250) }));
    assert_eq!(used(&mut world, Metric::InputTokensPerMinute), 800, "the first have left their minute");
    assert_eq!(used(&mut world, Metric::TokensPerDay), 1450, "nothing counts twice");
    assert_eq!(used(&mut world, Metric::Concurrent), 0);
}

#[test]
fn what_was_used_stays_used_however_it_ends() {
    let ends = [
        Verdict::Abandoned,
        Verdict::Failed(Failure::of(Fault::RateLimited)),
        Verdict::Failed(Failure::of(Fault::Unreachable)),
    ];
    for end in ends {
        let mut world = world(limits());
        let lease = world.lease(&talk());
        world.pool.used_so_far(lease.id, tokens(400, 100), world.now);
        world.settle(&lease, end.clone());
        assert_eq!(used(&mut world, Metric::TokensPerDay), 500, "{end:?}");
    }
}

#[test]
fn a_lease_that_is_over_uses_nothing() {
    let mut world = world(limits());
    let lease = world.lease(&talk());
    world.settle(&lease, Verdict::Unsent);
    world.pool.used_so_far(lease.id, tokens(400, 100), world.now);
    assert_eq!(used(&mut world, Metric::TokensPerDay), 0);
}

#[test]
fn what_a_long_talk_used_says_nothing_of_how_the_next_begins() {
    let mut world = world(limits());
    for _ in 0..3 {
        let lease = world.lease(&talk());
        world.pool.used_so_far(lease.id, tokens(900, 0), world.now);
        world.settle(&lease, Verdict::Served(Spend { requests: 1, ..tokens(900, 0) }));
        world.pass(seconds(100));
    }
    let before = used(&mut world, Metric::InputTokensPerMinute);
    world.lease(&talk());
    assert_eq!(used(&mut world, Metric::InputTokensPerMinute) - before, 30);
}
