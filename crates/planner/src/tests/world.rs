//! A scenario with everything usual, to be changed.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use keygate_domain::{Allowance, ModelName, Reset};
use keygate_limits::{RetryPolicy, UserPolicy};
use keygate_pool::{Budgets, Policy, QueueBounds};

use crate::{Arrival, Profile, Report, Scenario, Shape, Traffic, planned_keys, rehearse};

pub(super) const HOUR: Duration = Duration::from_hours(1);

/// Two groups that may do as much as `allowance` says, and users without limits.
pub(super) fn scenario(allowance: Allowance) -> Scenario {
    let budgets = Budgets {
        default: allowance,
        day: Reset::Midnight("America/Los_Angeles"),
        month: Reset::MonthEnd("America/Los_Angeles"),
        ..Budgets::default()
    };
    Scenario {
        keys: planned_keys(2, 1),
        policy: Policy { budgets, ..Policy::default() },
        retry: RetryPolicy::default(),
        per_user: UserPolicy { requests_per_minute: 10_000, max_concurrent: 10_000, ..UserPolicy::default() },
        timeout: Duration::from_mins(2),
        patience: None,
        granted: Allowance::default(),
        latency: Duration::from_secs(2),
        session_length: None,
        starts: "2026-03-01T00:00:00Z".parse().unwrap(),
        span: HOUR,
        zone: TimeZone::UTC,
        seed: 1,
    }
}

pub(super) fn per_minute(requests: u64) -> Allowance {
    Allowance { requests_per_minute: Some(requests), ..Allowance::default() }
}

/// So many requests a minute on the average, of 50 users.
pub(super) fn shape(requests_per_minute: f64) -> Shape {
    Shape {
        users: Shape::users(50),
        requests_per_user_per_day: requests_per_minute * 1440.0 / 50.0,
        burst: 1,
        burst_gap: Duration::ZERO,
        profile: Profile::EVEN,
        zone: TimeZone::UTC,
        models: vec!["flash".into()],
        shares: vec![1.0],
        input_tokens: 500,
        output_tokens: 300,
        starts: "2026-03-01T00:00:00Z".parse().unwrap(),
        span: HOUR,
        seed: 1,
    }
}

pub(super) fn run(scenario: &Scenario, traffic: &dyn Traffic) -> Report {
    let report = rehearse(scenario, traffic, &mut |_| ControlFlow::Continue(()));
    balances(&report);
    report
}

/// Nothing is lost.
pub(super) fn balances(report: &Report) {
    let by_user = report.refused_by_user;
    assert_eq!(by_user.total, by_user.per_minute + by_user.burst + by_user.concurrent + by_user.users);
    let ends = report.served + by_user.total + report.refused() + report.timed_out;
    assert_eq!(report.requests, ends, "{report:?}");
    let hours = report.hours.iter();
    assert_eq!(hours.clone().map(|hour| hour.requests).sum::<u64>(), report.requests);
    assert_eq!(hours.map(|hour| hour.refused).sum::<u64>(), report.refused());
}

/// Requests one by one.
pub(super) struct Listed {
    users: Vec<Arc<str>>,
    models: Vec<ModelName>,
    arrivals: Vec<Arrival>,
}

impl Listed {
    /// At these seconds, of one user.
    pub(super) fn at(seconds: impl IntoIterator<Item = f64>) -> Self {
        let arrivals = seconds.into_iter().map(|at| Arrival {
            at: Duration::from_secs_f64(at),
            user: 0,
            model: 0,
            input_tokens: 100,
            output_tokens: 50,
        });
        Self { users: vec!["ada".into()], models: vec!["flash".into()], arrivals: arrivals.collect() }
    }
}

impl Traffic for Listed {
    fn users(&self) -> &[Arc<str>] {
        &self.users
    }

    fn models(&self) -> &[ModelName] {
        &self.models
    }

    fn arrivals(&self) -> Box<dyn Iterator<Item = Arrival> + '_> {
        Box::new(self.arrivals.iter().copied())
    }
}

/// The queue, or none.
pub(super) fn waiting(scenario: Scenario, max_wait: Duration) -> Scenario {
    let queue = QueueBounds { max_wait, ..scenario.policy.queue };
    Scenario { policy: Policy { queue, ..scenario.policy }, ..scenario }
}
