//! Scenarios with other quotas: limits of another tier, or more groups.

use std::collections::BTreeSet;
use std::time::Duration;

use keygate_domain::{Allowance, Metric, ModelName};

use crate::scenario::{group_of, planned_key};
use crate::{LimitChange, Scenario};

/// The same with `factor` times as much of each of `metrics`, for every group and model.
pub(crate) fn scaled(scenario: &Scenario, metrics: &BTreeSet<Metric>, factor: f64) -> Scenario {
    let scale = |allowance: Allowance| times(allowance, metrics, factor);
    let mut other = scenario.clone();
    let budgets = &mut other.policy.budgets;
    budgets.default = scale(budgets.default);
    budgets.models.values_mut().for_each(|allowance| *allowance = scale(*allowance));
    other.keys.iter_mut().for_each(|spec| spec.allowance = scale(spec.allowance));
    other.granted = scale(other.granted);
    other
}

/// The same with `count` groups: those there are, over and over, each further one with one key of its own.
pub(crate) fn with_groups(scenario: &Scenario, count: usize) -> Scenario {
    let mut other = scenario.clone();
    let own = scenario.members().own;
    for (number, allowance) in (0..count).zip(own.iter().cycle()).skip(own.len()) {
        other.keys.push(planned_key(&format!("further-group-{}", number + 1), 1, *allowance));
    }
    other
}

/// Every metric that something limits.
pub(crate) fn limited(scenario: &Scenario) -> BTreeSet<Metric> {
    let budgets = &scenario.policy.budgets;
    let keys = scenario.keys.iter().map(|spec| &spec.allowance);
    let all = [&budgets.default, &scenario.granted].into_iter().chain(budgets.models.values()).chain(keys);
    all.flat_map(|allowance| {
        Allowance::METRICS.into_iter().filter(|metric| allowance.limit(*metric).is_some())
    })
    .collect()
}

/// Most changes that are told; there may be a group for each of thousands of keys.
const MOST_TOLD: usize = 32;

/// The limits in which two scenarios of the same groups differ.
pub(crate) fn changes(now: &Scenario, other: &Scenario) -> Vec<LimitChange> {
    let (mine, theirs) = (&now.policy.budgets, &other.policy.budgets);
    let everybody =
        [("every model".to_owned(), mine.default.or(now.granted), theirs.default.or(other.granted))];
    let other_model = |model: &ModelName| theirs.models.get(model).copied().unwrap_or_default();
    let models = mine.models.iter().map(|(model, own)| (model.to_string(), *own, other_model(model)));
    let keys = now.keys.iter().zip(&other.keys);
    let keys = keys.map(|(own, other)| (format!("group {}", group_of(own)), own.allowance, other.allowance));
    let all = everybody.into_iter().chain(models).chain(keys);
    let mut changes: Vec<LimitChange> = Vec::new();
    for (of, own, other) in all {
        for metric in Allowance::METRICS {
            let (Some(now), Some(needed)) = (own.limit(metric), other.limit(metric)) else { continue };
            let change = LimitChange { of: of.clone(), metric, now, needed };
            if now != needed && !changes.contains(&change) && changes.len() < MOST_TOLD {
                changes.push(change);
            }
        }
    }
    changes
}

fn times(allowance: Allowance, metrics: &BTreeSet<Metric>, factor: f64) -> Allowance {
    let by = |metric: Metric, limit: Option<u64>| {
        limit.map(|limit| if metrics.contains(&metric) { grown(limit, factor) } else { limit })
    };
    let shorter = |span: Duration| {
        if metrics.contains(&Metric::MinInterval) { span.div_f64(factor) } else { span }
    };
    Allowance {
        requests_per_minute: by(Metric::RequestsPerMinute, allowance.requests_per_minute),
        requests_per_day: by(Metric::RequestsPerDay, allowance.requests_per_day),
        input_tokens_per_minute: by(Metric::InputTokensPerMinute, allowance.input_tokens_per_minute),
        tokens_per_day: by(Metric::TokensPerDay, allowance.tokens_per_day),
        tokens_per_month: by(Metric::TokensPerMonth, allowance.tokens_per_month),
        concurrent: by(Metric::Concurrent, allowance.concurrent),
        min_interval: allowance.min_interval.map(shorter),
    }
}

#[expect(clippy::cast_sign_loss, reason = "neither factor is negative")]
fn grown(limit: u64, factor: f64) -> u64 {
    ((limit as f64 * factor).ceil() as u64).max(1)
}
