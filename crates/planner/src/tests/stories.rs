//! What a reader of the report would notice.

use std::time::Duration;

use keygate_domain::{Allowance, Metric};
use keygate_limits::UserPolicy;

use super::world::{HOUR, Listed, per_minute, run, scenario, shape, waiting};
use crate::{Profile, Scenario, Shape};

#[test]
fn a_burst_beyond_the_minute_is_refused_by_the_pool_and_no_429_comes() {
    let burst = Listed::at((0..30).map(|number| f64::from(number) * 0.1));
    let report = run(&scenario(per_minute(10)), &burst);
    assert_eq!((report.served, report.refused_by_pool, report.provider_429s), (20, 10, 0));
    let first = report.binds_first.unwrap();
    assert_eq!((first.metric, first.bucket.as_str()), (Metric::RequestsPerMinute, "flash"));
    assert_eq!(report.binding.iter().map(|binding| binding.refused).sum::<u64>(), 10);
    let of_minute = &report.budgets[0];
    assert_eq!((of_minute.groups, of_minute.limit, of_minute.peak_share), (2, 20, Some(1.0)));
}

#[test]
fn who_comes_a_little_early_waits_and_is_served() {
    let twice = Listed::at([0.0, 0.0, 58.0, 70.0]);
    let report = run(&scenario(per_minute(1)), &twice);
    assert_eq!((report.served, report.waits.waited), (4, 1));
    assert!((2400..=2600).contains(&report.waits.max_ms), "the margin included: {:?}", report.waits);
    assert_eq!(report.binding[0].delayed, 1);
    let without = run(&waiting(scenario(per_minute(1)), Duration::ZERO), &twice);
    assert_eq!((without.served, without.refused_by_pool), (3, 1));
}

#[test]
fn an_impatient_caller_hangs_up_and_leaves_the_queue() {
    let impatient = Scenario { patience: Some(Duration::from_secs(1)), ..scenario(per_minute(1)) };
    let report = run(&Scenario { latency: Duration::ZERO, ..impatient }, &Listed::at([0.0, 0.0, 58.0, 61.0]));
    assert_eq!((report.served, report.hung_up, report.refused_by_pool), (3, 1, 0));
}

#[test]
fn a_users_own_limit_is_told_apart_and_comes_first() {
    let per_user = UserPolicy { requests_per_minute: 5, burst: 5, ..UserPolicy::default() };
    let report = run(&Scenario { per_user, ..scenario(per_minute(1)) }, &Listed::at((0..9).map(f64::from)));
    assert_eq!((report.refused_by_user.per_minute, report.refused_by_pool, report.served), (4, 3, 2));
    assert!((report.p_refused - 3.0 / 5.0).abs() < 1e-9, "of those whom their users may make");
}

#[test]
fn limits_that_nobody_configured_are_met_and_learned() {
    let granted =
        Allowance { requests_per_minute: Some(10), requests_per_day: Some(100), ..Allowance::default() };
    let unknowing = Scenario { granted, ..scenario(Allowance::default()) };
    let report = run(&unknowing, &shape(60.0));
    assert!((2..60).contains(&report.provider_429s), "{report:?}");
    assert_eq!(report.served, 200, "two groups' days");
    let knowing = Scenario { granted: Allowance::default(), ..scenario(granted) };
    assert_eq!(run(&knowing, &shape(60.0)).provider_429s, 0);
}

#[test]
fn the_first_and_the_worst_budget_may_be_two() {
    let both =
        Allowance { requests_per_minute: Some(10), requests_per_day: Some(200), ..Allowance::default() };
    let report = run(&scenario(both), &shape(60.0));
    assert_eq!(report.binds_first.map(|first| first.metric), Some(Metric::RequestsPerMinute));
    assert_eq!(report.binding[0].metric, Metric::RequestsPerDay);
    let of_day = report.budgets.iter().find(|budget| budget.metric == Metric::RequestsPerDay).unwrap();
    assert_eq!(of_day.peak_share, Some(1.0));
}

/// Erlang's formula for calls that find all lines busy and go.
#[test]
fn what_runs_at_the_same_time_is_lost_as_erlang_says() {
    let lines = 4;
    let limit = Allowance { concurrent: Some(lines / 2), ..Allowance::default() };
    let patient = waiting(scenario(limit), Duration::ZERO);
    // 10 a minute for 18 s each: 3 at a time on the average.
    let long = Scenario { latency: Duration::from_secs(18), span: HOUR * 12, ..patient };
    let report = run(&long, &Shape { span: HOUR * 12, ..shape(10.0) });
    let terms = |k: u64| (1..=k).fold(1.0, |term, line| term * 3.0 / line as f64);
    let erlang = terms(lines) / (0..=lines).map(terms).sum::<f64>();
    assert!((report.p_refused - erlang).abs() < 0.02, "{} instead of {erlang}", report.p_refused);
    assert_eq!(report.binds_first.map(|first| first.metric), Some(Metric::Concurrent));
    let mean = report.budgets[0].mean_share.unwrap();
    assert!((mean - 3.0 * (1.0 - erlang) / lines as f64).abs() < 0.03, "{mean}");
}

#[test]
fn sessions_occupy_their_group_until_they_end() {
    let limit = Allowance { concurrent: Some(3), ..Allowance::default() };
    let mut sessions =
        Scenario { session_length: Some(Duration::from_mins(3)), span: HOUR * 12, ..scenario(limit) };
    sessions.policy.budgets.session_length = HOUR * 2;
    let report = run(&sessions, &Shape { span: HOUR * 12, ..shape(3.0) });
    assert_eq!(report.provider_429s, 0);
    assert_eq!(report.budgets[0].bucket, "start_session");
    assert!(report.p_refused > 0.3, "9 at a time on the average do not fit 6: {}", report.p_refused);
    assert!(report.budgets[0].mean_share.unwrap() > 0.7, "{report:?}");
}

#[test]
fn the_hours_of_the_report_are_those_of_the_traffic() {
    let zone = jiff::tz::TimeZone::get("Asia/Jakarta").unwrap();
    let span = HOUR * 24;
    let office = Shape { zone: zone.clone(), profile: Profile::OFFICE, span, ..shape(5.0) };
    let report = run(&Scenario { span, zone, ..scenario(per_minute(4)) }, &office);
    let busiest = report.hours.iter().max_by_key(|hour| hour.requests).unwrap();
    assert!((9..=15).contains(&busiest.hour), "{busiest:?}");
    assert!(report.hours[3].refused == 0 && busiest.refused > 0);
}

#[test]
fn without_keys_everything_is_refused() {
    let report = run(&Scenario { keys: Vec::new(), ..scenario(per_minute(10)) }, &shape(1.0));
    assert_eq!((report.served, report.refused_by_pool), (0, report.requests));
    assert!(report.binds_first.is_none());
}
