//! One pool, key by key, as status tells it.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use keygate_domain::{BucketName, Fault, GroupId, KeyId, Metric, Moment, Role, Tier};
use keygate_journey::Lane;
use keygate_pool::{
    BreakerSnapshot, BreakerState, BudgetUse, KeyReason, KeySnapshot, KeyState, PoolLedger, PoolSnapshot,
    RestingPart,
};
use serde::Serialize;

use crate::learned_status::{StatedStatus, WarningStatus};

/// One pool. The first five fields are those that existing scripts read.
#[derive(Serialize)]
pub(crate) struct ProviderStatus {
    total_keys: usize,
    available_keys: usize,
    failed_keys: usize,
    current_index: usize,
    keys: Vec<KeyStatus>,
    provider: &'static str,
    groups: usize,
    draining: usize,
    ledger: PoolLedger,
    breakers: Vec<BreakerStatus>,
    waiting: usize,
    warnings: Vec<WarningStatus>,
    restarts: u32,
}

impl ProviderStatus {
    /// `in_use_since` says when a gateway saw a key first.
    pub(crate) fn of(
        pool: PoolSnapshot,
        lane: &Lane,
        in_use_since: impl Fn(&KeyId) -> Option<Timestamp>,
        now: Moment,
    ) -> Self {
        let status = |key: KeySnapshot| {
            let since = in_use_since(&key.id);
            KeyStatus::of(key, lane, since, now)
        };
        Self {
            total_keys: pool.counts.total,
            available_keys: pool.counts.available,
            failed_keys: pool.counts.total - pool.counts.available,
            current_index: pool.current_index.unwrap_or_default(),
            keys: pool.keys.into_iter().map(status).collect(),
            provider: lane.adapter.name.as_str(),
            groups: pool.groups,
            draining: pool.draining,
            ledger: pool.ledger,
            breakers: pool.breakers.into_iter().map(|breaker| BreakerStatus::of(breaker, now)).collect(),
            waiting: pool.waiting,
            warnings: pool.warnings.into_iter().map(WarningStatus::from).collect(),
            restarts: lane.supervisor.vitals().restarts(),
        }
    }
}

/// A breaker that keeps requests from a provider in trouble.
#[derive(Serialize)]
pub(crate) struct BreakerStatus {
    /// The model, or the operation where there is no model; `null` is the whole provider.
    model: Option<BucketName>,
    state: BreakerState,
    fault: Fault,
    reason: Cow<'static, str>,
    since: String,
    /// When the next request may pass; `null` when one may now.
    retry_at: Option<String>,
    remaining: u64,
    reopened: u32,
    in_flight: usize,
}

/// One key; the first five fields likewise.
#[derive(Serialize)]
struct KeyStatus {
    index: usize,
    key_preview: String,
    is_failed: bool,
    failed_at: Option<i64>,
    cooldown_remaining: u64,
    /// When it can be used again, if time cures it.
    until: Option<String>,
    id: KeyId,
    label: Arc<str>,
    group: GroupId,
    reported_group: Option<GroupId>,
    tier: Option<Tier>,
    stated_limits: Vec<StatedStatus>,
    role: Role,
    weight: u32,
    health: u8,
    state: KeyState,
    reason: Option<KeyReason>,
    resting: Vec<RestStatus>,
    budgets: Vec<BudgetStatus>,
    counts: AttemptCounts,
    /// Free calls made with it since a fault disabled it.
    probes: u64,
    last_probe_at: Option<String>,
    next_probe_at: Option<String>,
    /// When a gateway with this database saw it first; `null` until that is noted.
    in_use_since: Option<Timestamp>,
}

#[derive(Serialize)]
struct RestStatus {
    model: Option<BucketName>,
    operation: Option<Cow<'static, str>>,
    sessions: bool,
    metric: Metric,
    fault: Fault,
    reason: Cow<'static, str>,
    remaining: u64,
    until: String,
}

/// One budget of the key's group.
#[derive(Serialize)]
pub(crate) struct BudgetStatus {
    model: BucketName,
    metric: Metric,
    used: u64,
    limit: u64,
    remaining: Option<u64>,
    resets_at: Option<String>,
    /// When it is used up if it goes on like lately, where that is before it starts over.
    runs_out_at: Option<String>,
}

impl BudgetStatus {
    pub(crate) fn of(bucket: &BucketName, one: &BudgetUse) -> Self {
        let told = |at: Option<Moment>| at.map(|at| at.wall.to_string());
        Self {
            model: bucket.clone(),
            metric: one.metric,
            used: one.used,
            limit: one.limit,
            remaining: one.remaining(),
            resets_at: told(one.resets_at),
            runs_out_at: told(one.runs_out_at),
        }
    }
}

#[derive(Serialize)]
struct AttemptCounts {
    in_flight: u64,
    attempts: u64,
    served: u64,
    failed: u64,
    refused: u64,
    lost: u64,
    unsent: u64,
}

impl KeyStatus {
    fn of(key: KeySnapshot, lane: &Lane, in_use_since: Option<Timestamp>, now: Moment) -> Self {
        let until = (!key.cooldown_remaining.is_zero()).then(|| now.after(key.cooldown_remaining));
        let budgets = key.budgets.iter();
        let budgets = budgets.flat_map(|of| of.uses.iter().map(|one| BudgetStatus::of(&of.bucket, one)));
        Self {
            index: key.index,
            key_preview: key.key.preview(lane.adapter.public_key_prefixes),
            is_failed: key.state != KeyState::Available,
            failed_at: key.failed_at.map(Timestamp::as_second),
            cooldown_remaining: ceiled(key.cooldown_remaining),
            until: until.map(|at| at.wall.to_string()),
            id: key.id,
            label: key.label,
            group: key.group,
            reported_group: key.reported_group,
            tier: key.tier,
            stated_limits: key.stated_limits.into_iter().map(StatedStatus::from).collect(),
            role: key.role,
            weight: key.weight,
            health: key.health,
            state: key.state,
            reason: key.reason,
            resting: key.resting.into_iter().map(|part| RestStatus::of(part, now)).collect(),
            budgets: budgets.collect(),
            counts: AttemptCounts {
                in_flight: key.in_flight,
                attempts: key.attempts,
                served: key.served,
                failed: key.failed,
                refused: key.refused,
                lost: key.lost,
                unsent: key.unsent,
            },
            probes: key.probing.probes,
            last_probe_at: key.probing.last_at.map(|at| at.wall.to_string()),
            next_probe_at: key.probing.next_at.map(|at| at.wall.to_string()),
            in_use_since,
        }
    }
}

impl RestStatus {
    fn of(part: RestingPart, now: Moment) -> Self {
        Self {
            model: part.bucket,
            operation: part.operation,
            sessions: part.sessions,
            metric: part.metric,
            fault: part.fault,
            reason: part.reason,
            remaining: ceiled(now.until(part.until)),
            until: part.until.wall.to_string(),
        }
    }
}

impl BreakerStatus {
    pub(crate) fn of(breaker: BreakerSnapshot, now: Moment) -> Self {
        Self {
            model: breaker.bucket,
            state: breaker.state,
            fault: breaker.fault,
            reason: breaker.reason,
            since: breaker.since.wall.to_string(),
            retry_at: breaker.retry_at.map(|at| at.wall.to_string()),
            remaining: breaker.retry_at.map_or(0, |at| ceiled(now.until(at))),
            reopened: breaker.reopened,
            in_flight: breaker.in_flight,
        }
    }
}

pub(crate) fn ceiled(span: std::time::Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}
