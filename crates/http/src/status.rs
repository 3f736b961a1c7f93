//! What operators see of the pools and of the house around them, in one look.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use keygate_actors::{Ledger, clock};
use keygate_domain::{KeyId, Refusal, UncleanEnd};
use keygate_journey::Lane;
use keygate_pool::{BreakerState, KeyCounts, PoolSnapshot};
use serde::Serialize;

use crate::admin::{no_such_provider, unavailable};
use crate::pool_status::ProviderStatus;
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
    let ages = worker.herald.ages();
    let in_use_since = |key: &KeyId| ages.get(&lane.adapter.name)?.get(key).copied();
    Ok(ProviderStatus::of(snapshot(lane).await?, lane, in_use_since, clock::now()))
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
