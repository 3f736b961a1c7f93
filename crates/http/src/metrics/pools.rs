//! How the keys of a provider stand.

use std::collections::BTreeSet;
use std::time::Duration;

use actix_web::rt::time::timeout;
use keygate_actors::{KeySupervisor, Vitals, clock};
use keygate_domain::{BucketName, GroupId, Moment};
use keygate_pool::{BreakerState, BudgetUse, KeySnapshot, KeyState, PoolSnapshot};
use keygate_telemetry::metrics::{Page, table};

/// Most keys of a provider that are told one by one; a pool may hold thousands.
const MOST_KEYS: usize = 100;

/// Most budgets of a provider that are told one by one: the fullest.
const MOST_BUDGETS: usize = 200;

/// How long a pool may take to answer. It does in microseconds; this is for one that is stuck.
const PATIENCE: Duration = Duration::from_secs(1);

/// The provider whose keys have a name of their own on existing dashboards.
const GEMINI: &str = "google";

pub(super) async fn tell(page: &mut Page, supervisor: &KeySupervisor) {
    let provider = supervisor.provider().as_str();
    vitals(page, supervisor.vitals());
    // What nobody counted yet is zero, so that its first step can be seen.
    for family in [&table::UPSTREAM_429, &table::REQUESTS_RUNNING, &table::STREAMS_RUNNING] {
        page.count(family, &[provider], 0);
    }
    // A pool that cannot tell is worth a number, and no reason to hide the others.
    let pool = timeout(PATIENCE, supervisor.observe()).await;
    let pool = pool.ok().and_then(Result::ok);
    page.flag(&table::POOL_UP, &[provider], pool.is_some());
    if let Some(pool) = pool {
        counts(page, provider, &pool);
        breakers(page, provider, &pool);
        for key in pool.keys.iter().take(MOST_KEYS) {
            one_key(page, provider, key);
        }
        budgets(page, provider, &pool.keys, clock::now());
    }
}

/// How an actor fares.
pub(super) fn vitals(page: &mut Page, vitals: &Vitals) {
    page.count(&table::ACTOR_RESTARTS, &[vitals.name()], u64::from(vitals.restarts()));
    page.count(&table::ACTOR_WAITING, &[vitals.name()], vitals.in_flight() as u64);
}

fn counts(page: &mut Page, provider: &str, pool: &PoolSnapshot) {
    let states = [
        (KeyState::Available, pool.counts.available),
        (KeyState::CoolingDown, pool.counts.cooling_down),
        (KeyState::Exhausted, pool.counts.exhausted),
        (KeyState::Disabled, pool.counts.disabled),
    ];
    for (state, keys) in states {
        page.count(&table::KEYS, &[provider, state.as_str()], keys as u64);
    }
    if provider == GEMINI {
        page.count(&table::GEMINI_AVAILABLE, &[], pool.counts.available as u64);
    }
    page.count(&table::GROUPS, &[provider], pool.groups as u64);
    page.count(&table::KEYS_DRAINING, &[provider], pool.draining as u64);
    page.count(&table::QUEUE_WAITING, &[provider], pool.waiting as u64);
    page.count(&table::BINDINGS, &[provider], pool.bindings as u64);
    page.count(&table::BINDINGS_MOST, &[provider], pool.most_bindings as u64);
    page.count(&table::LEASES_OUT, &[provider], pool.ledger.in_flight);
    let ledger = &pool.ledger;
    for (outcome, count) in
        [("settled", ledger.settled), ("refunded", ledger.refunded), ("lost", ledger.lost)]
    {
        page.count(&table::LEASES, &[provider, outcome], count);
    }
}

fn breakers(page: &mut Page, provider: &str, pool: &PoolSnapshot) {
    for state in [BreakerState::Open, BreakerState::HalfOpen, BreakerState::Recovering] {
        let count = pool.breakers.iter().filter(|breaker| breaker.state == state).count();
        page.count(&table::BREAKERS, &[provider, state.as_str()], count as u64);
    }
}

fn one_key(page: &mut Page, provider: &str, key: &KeySnapshot) {
    let (id, label) = (key.id.as_str(), &*key.label);
    let is_available = key.state == KeyState::Available;
    page.flag(&table::KEY_AVAILABLE, &[provider, id, label, key.group.as_str()], is_available);
    page.tell(&table::KEY_COOLDOWN, &[provider, id, label], key.cooldown_remaining.as_secs_f64());
    page.count(&table::KEY_HEALTH, &[provider, id, label], u64::from(key.health));
    for (outcome, count) in [
        ("served", key.served),
        ("failed", key.failed),
        ("refused", key.refused),
        ("lost", key.lost),
        ("unsent", key.unsent),
    ] {
        page.count(&table::KEY_ATTEMPTS, &[provider, id, label, outcome], count);
    }
}

/// A budget of a group.
type Budget<'a> = (&'a GroupId, &'a BucketName, &'a BudgetUse);

fn budgets(page: &mut Page, provider: &str, keys: &[KeySnapshot], now: Moment) {
    let mut told = BTreeSet::new();
    // All keys of a group tell the same budgets.
    let groups = keys.iter().filter(|key| told.insert(&key.group));
    let mut budgets: Vec<Budget<'_>> = groups
        .flat_map(|key| key.budgets.iter().map(move |of| (&key.group, of)))
        .flat_map(|(group, of)| of.uses.iter().map(move |one| (group, &of.bucket, one)))
        .filter(|(_, _, one)| one.remaining().is_some())
        .collect();
    budgets.sort_by(|one, other| share(other.2).total_cmp(&share(one.2)));
    for (group, bucket, one) in budgets.into_iter().take(MOST_BUDGETS) {
        let labels = [provider, group.as_str(), bucket.as_str(), one.metric.as_str()];
        page.count(&table::BUDGET_USED, &labels, one.used);
        page.count(&table::BUDGET_LIMIT, &labels, one.limit);
        page.tell(&table::BUDGET_RATIO, &labels, share(one));
        if let Some(at) = one.runs_out_at {
            page.tell(&table::BUDGET_RUNS_OUT, &labels, now.until(at).as_secs_f64());
        }
    }
}

/// A budget of nothing is used up.
fn share(one: &BudgetUse) -> f64 {
    if one.limit == 0 { 1.0 } else { one.used as f64 / one.limit as f64 }
}
