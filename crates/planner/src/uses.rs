//! How much of each budget was used, as the provider counts.

use std::time::Duration;

use keygate_domain::{Allowance, Metric};

use crate::BudgetUse;
use crate::provider::{Kind, Provider};

/// Every budget of every bucket, over all groups.
pub(crate) fn budget_uses(
    provider: &Provider,
    groups: usize,
    buckets: &[String],
    span: Duration,
) -> Vec<BudgetUse> {
    let all = buckets.iter().enumerate();
    let all = all.flat_map(|bucket| Allowance::METRICS.map(|metric| (bucket, metric)));
    all.filter_map(|((bucket, name), metric)| budget_use(provider, groups, (bucket, name), metric, span))
        .collect()
}

fn budget_use(
    provider: &Provider,
    groups: usize,
    (bucket, name): (usize, &str),
    metric: Metric,
    span: Duration,
) -> Option<BudgetUse> {
    let meters = (0..groups).flat_map(|group| provider.meters(group, bucket));
    let meters: Vec<_> = meters.filter(|meter| meter.metric == metric).collect();
    let limit: u64 = meters.iter().map(|meter| meter.limit).sum();
    let total: u64 = meters.iter().map(|meter| meter.total).sum();
    let peak = meters.iter().map(|meter| meter.peak as f64 / meter.limit.max(1) as f64).reduce(f64::max)?;
    let periods = periods(Kind::of(metric), span);
    let granted = |periods: f64| (limit.max(1) as f64 * periods).max(f64::MIN_POSITIVE);
    Some(BudgetUse {
        bucket: name.to_owned(),
        metric,
        groups: meters.len(),
        limit,
        // A span that begins within a period has more of them than its length says.
        mean_share: periods.map(|periods| (total as f64 / granted(periods)).min(peak)),
        peak_share: periods.map(|_| peak),
    })
}

/// How many periods a span has; milliseconds for what runs at the same time.
fn periods(kind: Kind, span: Duration) -> Option<f64> {
    let seconds = span.as_secs_f64();
    match kind {
        Kind::Minute => Some(seconds / 60.0),
        Kind::Day => Some(seconds / 86_400.0),
        // A mean month of the calendar.
        Kind::Month => Some(seconds / (86_400.0 * 30.436_875)),
        Kind::Running => Some(seconds * 1000.0),
        Kind::Interval => None,
    }
}
