//! What holds of every plan.

use std::time::Duration;

use keygate_domain::Allowance;
use keygate_limits::UserPolicy;
use keygate_pool::Strategy as Order;
use proptest::prelude::*;

use super::world::{HOUR, run, scenario, shape, waiting};
use crate::{Scenario, Shape, planned_keys};

fn allowance() -> impl Strategy<Value = Allowance> {
    (
        prop::option::of(1_u64..12),
        prop::option::of(20_u64..400),
        prop::option::of(500_u64..8_000),
        prop::option::of(20_000_u64..200_000),
        prop::option::of(1_u64..6),
        prop::option::of(100_u64..4_000),
    )
        .prop_map(|(minute, day, input, tokens, concurrent, interval)| Allowance {
            requests_per_minute: minute,
            requests_per_day: day,
            input_tokens_per_minute: input,
            tokens_per_day: tokens,
            tokens_per_month: None,
            concurrent,
            min_interval: interval.map(Duration::from_millis),
        })
}

fn order() -> impl Strategy<Value = Order> {
    prop::sample::select(vec![Order::RoundRobin, Order::Weighted, Order::LeastRecentlyUsed, Order::Headroom])
}

fn plans() -> impl Strategy<Value = (Scenario, Shape)> {
    let groups = (1_u32..4, 1_u32..3);
    let users = (5_u32..40, any::<bool>());
    let callers = (0.2_f64..12.0, 1_u32..8, 0_u64..2_000, prop::option::of(500_u64..20_000));
    let times = (0_u64..8_000, 100_u64..20_000, 1_u64..7, any::<u64>());
    (allowance(), order(), groups, users, callers, times).prop_map(
        |(allowance, order, (groups, keys), (per_user, is_limited), callers, times)| {
            let (rate, burst, gap, patience) = callers;
            let (max_wait, latency, hours, seed) = times;
            let span = HOUR * hours as u32;
            let mut plan = waiting(scenario(allowance), Duration::from_millis(max_wait));
            plan.policy.strategy = order;
            plan.keys = planned_keys(groups, keys);
            if is_limited {
                plan.per_user = UserPolicy { requests_per_minute: per_user, ..UserPolicy::default() };
            }
            plan.patience = patience.map(Duration::from_millis);
            plan.latency = Duration::from_millis(latency);
            (plan.span, plan.seed) = (span, seed);
            // Into the hour in which California's day ends.
            plan.starts = "2026-03-08T04:00:00Z".parse().unwrap();
            let burst_gap = Duration::from_millis(gap);
            let traffic = Shape { burst, burst_gap, span, seed, starts: plan.starts, ..shape(rate) };
            (plan, traffic)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 20, ..ProptestConfig::default() })]

    #[test]
    fn everything_is_accounted_for_and_budgets_that_are_the_grants_meet_no_429(
        (plan, traffic) in plans()
    ) {
        let report = run(&plan, &traffic);
        prop_assert_eq!(report.provider_429s, 0);
        for budget in &report.budgets {
            if let Some(peak) = budget.peak_share {
                // What alone is more than the limit is let in, and the tokens of answers come after.
                let is_requests = !format!("{:?}", budget.metric).contains("Tokens");
                prop_assert!(peak <= 1.0 || !is_requests, "{budget:?}");
            }
        }
    }

    #[test]
    fn the_same_plan_twice_is_the_same_report_twice((plan, traffic) in plans()) {
        prop_assert_eq!(run(&plan, &traffic), run(&plan, &traffic));
    }

    /// Of each single run chance may say otherwise by a few; of none by much.
    #[test]
    fn more_quota_never_refuses_notably_more((plan, traffic) in plans(), factor in 1.1_f64..4.0) {
        let more = crate::quota::scaled(&plan, &crate::quota::limited(&plan), factor);
        let (less, more) = (run(&plan, &traffic), run(&more, &traffic));
        let slack = 3 + less.requests / 50;
        prop_assert!(more.refused() <= less.refused() + slack, "{} then {}", less.refused(), more.refused());
    }
}
