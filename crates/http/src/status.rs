//! What operators see of the pools.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use keygate_actors::{Ledger, clock};
use keygate_domain::{BucketName, Fault, GroupId, KeyId, Metric, Moment, Refusal, Role, Tier, UncleanEnd};
use keygate_journey::Lane;
use keygate_pool::{
    BreakerSnapshot, BreakerState, BudgetUse, KeyCounts, KeyReason, KeySnapshot, KeyState, PoolLedger,
    PoolSnapshot, RestingPart,
};
use serde::Serialize;

use crate::admin::{no_such_provider, unavailable};
use crate::learned_status::{StatedStatus, WarningStatus};
use crate::proxy::headers_of;
use crate::reader::reader;
use crate::rules::ConfigState;
use crate::worker::{OnDuty, Worker};
use crate::{error_response, request_id};

/// Counts of all pools.
pub(crate) async fn all_keys(request: HttpRequest, worker: OnDuty) -> HttpResponse {
    respond(&request, all(&worker, &request).await)
}

/// One pool, key by key.
pub(crate) async fn one_provider(
    request: HttpRequest,
    provider: web::Path<String>,
    worker: OnDuty,
) -> HttpResponse {
    respond(&request, one(&worker, &request, &provider).await)
}

pub(crate) fn respond(request: &HttpRequest, told: Result<impl Serialize, Refusal>) -> HttpResponse {
    let id = request_id::of(&headers_of(request.headers()));
    match told {
        Ok(body) => HttpResponse::Ok().insert_header(("x-request-id", id)).json(body),
        Err(refusal) => error_response::on_house(&refusal, &id),
    }
}

async fn all(worker: &Worker, request: &HttpRequest) -> Result<KeysStatus, Refusal> {
    reader(worker, request).await?;
    let config = ConfigStatus::of(&worker.rules.state);
    let status = if config.problem.is_some() { "degraded" } else { "ok" };
    let storage = StorageStatus::of(worker.storage_trouble());
    let ledger = LedgerStatus::of(&worker.house.ledger);
    let mut told = KeysStatus { status, api_keys: BTreeMap::new(), config, storage, ledger };
    let low_keys = usize::try_from(worker.rules.low_keys).unwrap_or(usize::MAX);
    for (name, lane) in &worker.house.lanes {
        // A supervisor that cannot tell is worth a word, and no reason to hide the others.
        let pool = snapshot(lane).await.ok();
        told.status = worse(told.status, pool.as_ref().map_or("degraded", |pool| health(pool, low_keys)));
        if let Some(pool) = pool {
            told.api_keys.insert(name.as_str(), pool.counts);
        }
    }
    told.status = worse(told.status, told.storage.status);
    told.status = worse(told.status, told.ledger.status);
    Ok(told)
}

/// A pool with as few as `low_keys` left, and more in all, is degraded.
fn health(pool: &PoolSnapshot, low_keys: usize) -> &'static str {
    let is_in_trouble = pool.breakers.iter().any(|breaker| breaker.state != BreakerState::Recovering);
    worse(health_of_keys(pool.counts, low_keys), if is_in_trouble { "degraded" } else { "ok" })
}

fn health_of_keys(counts: KeyCounts, low_keys: usize) -> &'static str {
    match counts.available {
        0 => "down",
        available if available <= low_keys && counts.total > available => "degraded",
        _ => "ok",
    }
}

fn worse(one: &'static str, other: &'static str) -> &'static str {
    let rank = |word| ["ok", "degraded", "down"].iter().position(|w| *w == word);
    if rank(one) >= rank(other) { one } else { other }
}

async fn one(worker: &Worker, request: &HttpRequest, provider: &str) -> Result<ProviderStatus, Refusal> {
    reader(worker, request).await?;
    let lane = worker.house.lane_called(provider).ok_or_else(|| no_such_provider(provider))?;
    let pool = snapshot(lane).await?;
    let now = clock::now();
    let ages = worker.herald.ages();
    let since = |key: &KeyId| ages.get(&lane.adapter.name)?.get(key).copied();
    let status =
        |key: KeySnapshot| KeyStatus { in_use_since: since(&key.id), ..KeyStatus::of(key, lane, now) };
    Ok(ProviderStatus {
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
    })
}

async fn snapshot(lane: &Lane) -> Result<PoolSnapshot, Refusal> {
    lane.supervisor.observe().await.map_err(unavailable)
}

// === what is told ===

#[derive(Serialize)]
struct KeysStatus {
    status: &'static str,
    api_keys: BTreeMap<&'static str, KeyCounts>,
    config: ConfigStatus,
    storage: StorageStatus,
    ledger: LedgerStatus,
}

/// Whether what must outlive the process is being written.
#[derive(Serialize)]
struct StorageStatus {
    status: &'static str,
    /// In a word or two, why not.
    reason: Option<&'static str>,
}

impl StorageStatus {
    fn of(trouble: Option<&'static str>) -> Self {
        Self { status: if trouble.is_none() { "ok" } else { "degraded" }, reason: trouble }
    }
}

/// What became of attempts since the process began, and of their rows. It balances: settled, refunded and
/// lost together are entered, spooled, waiting and dropped together.
#[derive(Serialize)]
struct LedgerStatus {
    status: &'static str,
    /// Attempts under way.
    open: u64,
    settled: u64,
    refunded: u64,
    lost: u64,
    /// Rows in the database.
    entered: u64,
    /// Rows in the file beside it.
    spooled: u64,
    waiting: u64,
    /// Rows that nothing had room for.
    dropped: u64,
    /// Rows that were older than `storage.ledger_retention`.
    forgotten: u64,
    /// That the last run was cut off, and what may be missing of it.
    unclean_end: Option<UncleanEnd>,
}

impl LedgerStatus {
    fn of(ledger: &Ledger) -> Self {
        let counts = ledger.counts();
        let is_well = counts.is_well && counts.dropped == 0;
        Self {
            status: if is_well { "ok" } else { "degraded" },
            open: counts.open(),
            settled: counts.settled,
            refunded: counts.refunded,
            lost: counts.lost,
            entered: counts.entered,
            spooled: counts.journaled,
            waiting: counts.waiting,
            dropped: counts.dropped,
            forgotten: counts.forgotten,
            unclean_end: ledger.unclean_end(),
        }
    }
}

/// Which configuration holds.
#[derive(Serialize)]
struct ConfigStatus {
    /// Since when.
    loaded_at: String,
    /// Why a newer one does not.
    problem: Option<String>,
    /// Settings that were changed and wait for a restart.
    needs_restart: Vec<String>,
}

impl ConfigStatus {
    fn of(state: &ConfigState) -> Self {
        Self {
            loaded_at: state.loaded_at.to_string(),
            problem: state.problem.clone(),
            needs_restart: state.needs_restart.clone(),
        }
    }
}

/// One pool. The first five fields are those that existing scripts read.
#[derive(Serialize)]
struct ProviderStatus {
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
    fn of(key: KeySnapshot, lane: &Lane, now: Moment) -> Self {
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
            in_use_since: None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_says_down_degraded_or_ok() {
        let counts = |total, available| KeyCounts { total, available, ..KeyCounts::default() };
        assert_eq!(health_of_keys(counts(3, 0), 1), "down");
        assert_eq!(health_of_keys(counts(3, 1), 1), "degraded");
        assert_eq!(health_of_keys(counts(1, 1), 1), "ok");
        assert_eq!(health_of_keys(counts(3, 2), 1), "ok");
        assert_eq!(health_of_keys(counts(3, 2), 2), "degraded");
        assert_eq!(health_of_keys(counts(3, 1), 0), "ok");
        assert_eq!(worse("degraded", "ok"), "degraded");
        assert_eq!(worse("degraded", "down"), "down");
    }
}
