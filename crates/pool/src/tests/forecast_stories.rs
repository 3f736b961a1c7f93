//! When a budget will run out, as operators are told.

use std::time::Duration;

use keygate_domain::{Allowance, Metric, Moment, Spend, Verdict};
use proptest::prelude::*;

use super::world::{World, ask, seconds, spec, start, wall};
use crate::{Ask, BudgetUse, Budgets, KeyPool, Policy};

fn world(default: Allowance) -> World {
    let policy = Policy { budgets: Budgets { default, ..Budgets::default() }, ..Policy::default() };
    World { pool: KeyPool::new(1, vec![spec("a", Some("g"))], policy, 42, start()), now: start() }
}

fn budget(world: &World, metric: Metric) -> BudgetUse {
    let snapshot = world.pool.snapshot(world.now);
    let found = snapshot.keys[0].budgets[0].uses.iter().find(|one| one.metric == metric).copied();
    found.expect("a budget")
}

/// Uses one request of `tokens` tokens every `gap`, for as long as `span`.
fn go_on(world: &mut World, gap: Duration, span: Duration, tokens: u64) {
    let end = world.now.after(span);
    while world.now < end {
        let estimate = Spend { requests: 1, input_tokens: 1, output_tokens: 0 };
        let lease = world.lease(&Ask { estimate, ..ask("m") });
        let spent = Spend { requests: 1, input_tokens: tokens / 2, output_tokens: tokens - tokens / 2 };
        world.settle(&lease, Verdict::Served(spent));
        world.pass(gap);
    }
}

fn per_day(requests: u64) -> Allowance {
    Allowance { requests_per_day: Some(requests), ..Allowance::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    /// Somebody who asks evenly runs out when it is said; and where midnight comes first nothing is.
    #[test]
    fn an_even_use_ends_when_it_is_foretold(gap in 5_u64..120, limit in 100_u64..6_000, watched in 10_u64..90) {
        let mut world = world(per_day(limit));
        let watched = seconds(watched * 60).min(seconds(gap * (limit - 1)));
        go_on(&mut world, seconds(gap), watched, 10);
        let told = budget(&world, Metric::RequestsPerDay).runs_out_at;
        let out = start().after(seconds(gap * limit));
        let midnight = Moment { wall: wall("2026-07-02T00:00:00Z"), ..out };
        let slack = world.now.until(out).mul_f64(0.05) + seconds(gap);
        if start().until(world.now) < seconds(300) {
            prop_assert_eq!(told, None, "watched for too short");
        } else if out.after(slack).wall < midnight.wall {
            let told = told.expect("it runs out");
            prop_assert!(told >= world.now);
            let off = told.mono.abs_diff(out.mono);
            prop_assert!(off <= slack, "{off:?} off, {slack:?} allowed");
        } else if out.wall > midnight.after(slack).wall {
            prop_assert_eq!(told, None, "it starts over before that");
        }
    }
}

#[test]
fn a_budget_that_ran_out_has_nothing_to_foretell() {
    let mut world = world(per_day(60));
    go_on(&mut world, seconds(10), seconds(600), 10);
    let told = budget(&world, Metric::RequestsPerDay);
    assert_eq!((told.used, told.runs_out_at), (60, None));
}

#[test]
fn whoever_stops_is_told_that_it_lasts() {
    let mut world = world(per_day(1_000));
    go_on(&mut world, seconds(10), seconds(3_600), 10);
    let told = budget(&world, Metric::RequestsPerDay).runs_out_at.expect("in two hours");
    assert!((6_000..7_000).contains(&world.now.until(told).as_secs()), "{:?}", world.now.until(told));
    world.pass(seconds(4 * 3_600));
    assert_eq!(budget(&world, Metric::RequestsPerDay).runs_out_at, None);
}

#[test]
fn a_months_tokens_are_foretold_from_days_and_not_from_an_hour() {
    let allowance = Allowance { tokens_per_month: Some(2_000_000), ..Allowance::default() };
    let mut world = world(allowance);
    go_on(&mut world, seconds(60), seconds(3 * 3_600), 300);
    assert_eq!(budget(&world, Metric::TokensPerMonth).runs_out_at, None, "nobody knows yet");
    // Twelve hours of work, twelve of sleep: half of 18,000 an hour.
    for _ in 0..2 {
        go_on(&mut world, seconds(60), seconds(9 * 3_600), 300);
        world.pass(seconds(12 * 3_600));
        go_on(&mut world, seconds(60), seconds(3 * 3_600), 300);
    }
    let told = budget(&world, Metric::TokensPerMonth).runs_out_at.expect("before the month ends");
    let days = world.now.until(told).as_secs_f64() / 86_400.0;
    assert!((5.0..10.0).contains(&days), "{days}");
}

#[test]
fn what_does_not_last_a_day_is_not_foretold() {
    let allowance = Allowance {
        requests_per_minute: Some(10),
        concurrent: Some(4),
        min_interval: Some(seconds(2)),
        ..Allowance::default()
    };
    let mut world = world(allowance);
    go_on(&mut world, seconds(10), seconds(1_200), 10);
    let lease = world.lease(&Ask { estimate: Spend { requests: 1, ..Spend::default() }, ..ask("m") });
    for metric in [Metric::RequestsPerMinute, Metric::Concurrent, Metric::MinInterval] {
        assert_eq!(budget(&world, metric).runs_out_at, None, "{metric:?}");
    }
    let interval = budget(&world, Metric::MinInterval);
    assert_eq!((interval.used, interval.remaining()), (1, None));
    assert_eq!(interval.resets_at, Some(world.now.after(seconds(2))));
    world.settle(&lease, super::world::served());
    world.pass(seconds(2));
    assert_eq!(
        (budget(&world, Metric::MinInterval).used, budget(&world, Metric::MinInterval).resets_at),
        (0, None)
    );
}

#[test]
fn another_process_knows_how_fast_it_went() {
    let mut world = world(per_day(1_000));
    go_on(&mut world, seconds(10), seconds(3_600), 10);
    let told = budget(&world, Metric::RequestsPerDay).runs_out_at.expect("in two hours");
    let spent = serde_json::to_string(&world.pool.spent()).expect("it can be written down");
    let mut next = self::world(per_day(1_000));
    // Another process has another origin of its monotonic clock.
    next.now = Moment { mono: seconds(3), ..world.now };
    next.pool = KeyPool::new(
        2,
        vec![spec("a", Some("g"))],
        Policy { budgets: Budgets { default: per_day(1_000), ..Budgets::default() }, ..Policy::default() },
        42,
        next.now,
    );
    next.pool.remember_spent(&serde_json::from_str(&spent).expect("it can be read back"));
    let after = budget(&next, Metric::RequestsPerDay).runs_out_at.expect("in two hours");
    assert!(told.wall.duration_since(after.wall).abs().as_secs() < 180, "{} or {}", told.wall, after.wall);
    let older = spent.replace(&spent[spent.find(",\"pace\"").unwrap()..=spent.find(']').unwrap()], "");
    next.pool.remember_spent(&serde_json::from_str(&older).expect("what earlier versions wrote"));
}
