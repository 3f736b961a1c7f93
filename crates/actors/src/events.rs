//! The only log lines of this crate. Keys are named by id and label, never by their secret.

mod telling;

use keygate_domain::{AuditAction, AuditEntry, BucketName, Fault, ProviderName};
use keygate_pool::{Lease, PoolEvent};
use tracing::{debug, error, info, warn};

pub(crate) use telling::{alert, bot_answered, bot_asked, channel_failed, keeper_cleared};

/// Most labels of keys in one line.
const MOST_LABELS: usize = 16;

/// Another key than the last one is in use.
pub(crate) fn rotated(provider: ProviderName, lease: &Lease) {
    debug!(
        event = "key.rotated",
        provider = provider.as_str(), key.id = %lease.key.id(), key.label = &*lease.label,
        "Rotated to API key index {}", lease.index
    );
}

/// What happened inside a pool.
pub(crate) fn in_pool(provider: ProviderName, event: &PoolEvent) {
    let provider = provider.as_str();
    match event {
        PoolEvent::KeyRested { index, id, label, operation, fault, until, reason } => warn!(
            event = "key.cooldown",
            provider, key.index = index, key.id = %id, key.label = &**label, operation = operation.as_deref(),
            fault = fault.as_str(), until = %until.wall, reason = &**reason, "API key is cooling down"
        ),
        PoolEvent::GroupRested { group, operation, fault, until, reason } => warn!(
            event = "group.cooldown",
            provider, group = group.as_str(), operation = operation.as_deref(), fault = fault.as_str(),
            until = %until.wall, reason = &**reason, "quota group is cooling down"
        ),
        PoolEvent::BucketRested { group, bucket, metric, fault, until, reason } => warn!(
            event = "bucket.cooldown",
            provider, group = group.as_str(), bucket = bucket.as_str(), metric = metric.as_str(), fault = fault.as_str(),
            until = %until.wall, reason = &**reason, "quota bucket is cooling down"
        ),
        PoolEvent::SessionsRested { group, fault, until, reason } => warn!(
            event = "sessions.full",
            provider, group = group.as_str(), fault = fault.as_str(), until = %until.wall, reason = &**reason,
            "all sessions of the quota group are taken"
        ),
        PoolEvent::KeyDisabled { id, label, fault, reason } => warn!(
            event = "key.disabled",
            provider, key.id = %id, key.label = &**label, fault = fault.map(Fault::as_str),
            reason = &**reason, "API key is disabled"
        ),
        PoolEvent::GroupDisabled { group, fault, reason } => warn!(
            event = "group.disabled",
            provider,
            group = group.as_str(),
            fault = fault.as_str(),
            reason = &**reason,
            "quota group is disabled"
        ),
        PoolEvent::BreakerOpened { bucket, fault, reason, until, reopened, released } => warn!(
            event = "breaker.opened",
            provider, bucket = bucket.as_ref().map(BucketName::as_str), fault = fault.as_str(),
            reason = &**reason, until = %until.wall, reopened, released,
            "the provider is in trouble, no key is blamed and nobody is sent there"
        ),
        upkeep @ (PoolEvent::LeaseExpired { .. }
        | PoolEvent::BindingsEvicted { .. }
        | PoolEvent::Dropped { .. }
        | PoolEvent::OrderRotated { .. }
        | PoolEvent::KeyProbed { .. }) => kept_up(provider, upkeep),
        told @ (PoolEvent::Noticed(_)
        | PoolEvent::GroupNamed { .. }
        | PoolEvent::LimitLearned { .. }
        | PoolEvent::TierLearned { .. }) => learned(provider, told),
        cured @ (PoolEvent::Recovered { .. }
        | PoolEvent::KeyEnabled { .. }
        | PoolEvent::KeyProvedGood { .. }
        | PoolEvent::GroupEnabled { .. }
        | PoolEvent::BreakerProbing { .. }
        | PoolEvent::BreakerClosed { .. }) => good_news(provider, cured),
    }
}

/// What a pool does for itself.
fn kept_up(provider: &str, event: &PoolEvent) {
    if let PoolEvent::LeaseExpired { lease, id, label, held } = event {
        warn!(
            event = "lease.lost", provider, key.id = %id, key.label = &**label, lease = lease.number, held = ?held,
            "a lease was never settled and counts as lost"
        );
    }
    if let PoolEvent::BindingsEvicted { count } = event {
        warn!(event = "bindings.forgotten", provider, count, "too many bindings, the oldest are forgotten");
    }
    if let PoolEvent::Dropped { count } = event {
        warn!(event = "pool.events_lost", provider, count, "events of the pool were lost");
    }
    if let PoolEvent::OrderRotated { first, label } = event {
        info!(
            event = "order.rotated", provider, key.id = %first, key.label = &**label,
            "the order of the keys rotated"
        );
    }
    if let PoolEvent::KeyProbed { id, label, fault, reason, next_at } = event {
        debug!(
            event = "key.probed", provider, key.id = %id, key.label = &**label, fault = fault.map(Fault::as_str),
            reason, next_at = next_at.map(|at| at.wall.to_string()),
            "disabled API key was probed and stays out"
        );
    }
}

/// What a provider told of a group, and what follows from it.
fn learned(provider: &str, event: &PoolEvent) {
    if let PoolEvent::Noticed(warning) = event {
        let labels: Vec<&str> = warning.keys().map(|key| &*key.label).take(MOST_LABELS).collect();
        let labels = (!labels.is_empty()).then(|| labels.join(", "));
        warn!(
            event = "pool.warning",
            provider,
            group = warning.group().as_str(),
            key.labels = labels,
            "{provider}: {warning}"
        );
    }
    if let PoolEvent::GroupNamed { group, name } = event {
        info!(
            event = "group.named",
            provider,
            group = group.as_str(),
            name = name.as_str(),
            "the provider named the quota group"
        );
    }
    if let PoolEvent::TierLearned { group, tier } = event {
        info!(
            event = "group.tier",
            provider,
            group = group.as_str(),
            tier = tier.as_str(),
            "the provider told the quota group's tier"
        );
    }
    if let PoolEvent::LimitLearned { group, bucket, metric, limit, before } = event {
        let metric = metric.as_str();
        if let Some(before) = before {
            let text = "the provider states another limit than before";
            warn!(
                event = "limit.changed",
                provider,
                group = group.as_str(),
                bucket = bucket.as_str(),
                metric,
                limit,
                before,
                "{text}"
            );
        } else {
            info!(
                event = "limit.stated",
                provider,
                group = group.as_str(),
                bucket = bucket.as_str(),
                metric,
                limit,
                "the provider stated a limit"
            );
        }
    }
}

fn good_news(provider: &str, event: &PoolEvent) {
    match event {
        PoolEvent::Recovered { group, key, bucket, fault } => {
            let (id, label) = key.as_ref().map(|(id, label)| (tracing::field::display(id), &**label)).unzip();
            let bucket = bucket.as_ref().map(BucketName::as_str);
            info!(
                event = "pool.recovered",
                provider,
                group = group.as_str(),
                key.id = id,
                key.label = label,
                bucket,
                fault = fault.as_str(),
                "recovered"
            );
        }
        PoolEvent::KeyEnabled { id, label } => {
            info!(event = "key.enabled", provider, key.id = %id, key.label = &**label, "API key is enabled");
        }
        PoolEvent::KeyProvedGood { id, label } => {
            info!(
                event = "key.proved_good", provider, key.id = %id, key.label = &**label,
                "API key recovered by probe"
            );
        }
        PoolEvent::GroupEnabled { group } => {
            info!(event = "group.enabled", provider, group = group.as_str(), "quota group is enabled");
        }
        PoolEvent::BreakerProbing { bucket } => debug!(
            event = "breaker.probing",
            provider,
            bucket = bucket.as_ref().map(BucketName::as_str),
            "one request finds out whether the provider serves again"
        ),
        PoolEvent::BreakerClosed { bucket, after } => info!(
            event = "breaker.closed",
            provider, bucket = bucket.as_ref().map(BucketName::as_str), after = ?after,
            "the provider is in trouble no longer"
        ),
        PoolEvent::OrderRotated { .. }
        | PoolEvent::KeyRested { .. }
        | PoolEvent::GroupRested { .. }
        | PoolEvent::BucketRested { .. }
        | PoolEvent::SessionsRested { .. }
        | PoolEvent::KeyDisabled { .. }
        | PoolEvent::KeyProbed { .. }
        | PoolEvent::GroupDisabled { .. }
        | PoolEvent::BreakerOpened { .. }
        | PoolEvent::LeaseExpired { .. }
        | PoolEvent::BindingsEvicted { .. }
        | PoolEvent::Noticed(_)
        | PoolEvent::GroupNamed { .. }
        | PoolEvent::LimitLearned { .. }
        | PoolEvent::TierLearned { .. }
        | PoolEvent::Dropped { .. } => {}
    }
}

/// A machine panicked; its actor restarts.
pub(crate) fn panicked(actor: &str) {
    error!(event = "actor.panicked", actor, "the machine panicked, the actor restarts");
}

/// An actor is back.
pub(crate) fn restarted(actor: &str, restarts: u32) {
    warn!(event = "actor.restarted", actor, restarts, "the actor restarted");
}

/// What an actor kept could not be used.
pub(crate) fn state_lost(actor: &str) {
    error!(event = "actor.state_lost", actor, "what was kept could not be used, the machine starts empty");
}

/// An actor restarted too often.
pub(crate) fn beyond_repair(actor: &str, restarts: u32) {
    error!(
        event = "actor.beyond_repair",
        actor, restarts, "too many restarts within a minute, restarting does not cure it"
    );
}

/// What must outlive the process cannot be written.
pub(crate) fn storage_failed(reason: &str, trouble: &(dyn std::error::Error + 'static)) {
    error!(
        event = "storage.failed",
        reason,
        trouble = with_causes(trouble),
        "what must outlive the process cannot be written; requests are served, and it is tried again"
    );
}

/// A write takes long.
pub(crate) fn storage_slow() {
    warn!(
        event = "storage.slow",
        reason = "slow",
        "what must outlive the process is long in being written; requests are served, and it goes on"
    );
}

/// It is written again, but for rows that were dropped because too many waited.
pub(crate) fn storage_recovered(dropped: u64) {
    if dropped == 0 {
        info!(
            event = "storage.recovered",
            "what must outlive the process is written again, nothing is missing"
        );
    } else {
        error!(
            event = "storage.lost",
            dropped, "what must outlive the process is written again; what could not wait is missing"
        );
    }
}

/// Rows of the ledger do not reach the database; the journal keeps them.
pub(crate) fn ledger_failed(reason: &str, trouble: &(dyn std::error::Error + 'static)) {
    error!(
        event = "ledger.failed",
        reason,
        trouble = with_causes(trouble),
        "the ledger cannot be written to the database; it goes to its journal until it can"
    );
}

/// Nor do they reach the journal; memory keeps them, as long as it has room.
pub(crate) fn journal_failed(trouble: &(dyn std::error::Error + 'static)) {
    error!(
        event = "spool.failed",
        trouble = with_causes(trouble),
        "the journal of the ledger cannot be written either; it waits in memory"
    );
}

/// They reach the database again, those of the journal included.
pub(crate) fn ledger_recovered(replayed: u64, dropped: u64) {
    if dropped == 0 {
        info!(event = "ledger.recovered", replayed, "the ledger is in the database, nothing is missing");
    } else {
        error!(
            event = "ledger.lost",
            replayed, dropped, "the ledger is in the database, but for the rows that nothing had room for"
        );
    }
}

/// A round of forgetting is over.
pub(crate) fn ledger_forgot(rows: u64) {
    info!(
        event = "ledger.forgot",
        rows, "rows of the ledger that were older than storage.ledger_retention are forgotten"
    );
}

/// What is old stays for now.
pub(crate) fn forgetting_failed(reason: &str, trouble: &(dyn std::error::Error + 'static)) {
    warn!(
        event = "ledger.not_forgotten",
        reason,
        trouble = with_causes(trouble),
        "old rows of the ledger cannot be forgotten; it is tried again in a minute"
    );
}

fn with_causes(trouble: &(dyn std::error::Error + 'static)) -> String {
    let mut text = trouble.to_string();
    let mut cause = trouble.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

/// Somebody did something, or tried to. The same as a row of the audit trail.
pub(crate) fn audited(entry: &AuditEntry) {
    let AuditEntry { who, action, details, peer, request_id, count, .. } = entry;
    let (peer, request_id) = (peer.as_deref(), request_id.as_deref());
    let is_trouble = [
        AuditAction::LoginFailed,
        AuditAction::AdminRefused,
        AuditAction::ConfigRefused,
        AuditAction::EntriesLost,
    ]
    .iter()
    .any(|trouble| trouble.as_str() == action);
    if is_trouble {
        warn!(
            event = "audit.trouble",
            audit = true,
            who,
            action,
            details,
            peer,
            request_id,
            count,
            "audit: {action}"
        );
    } else {
        info!(event = "audit.entry", audit = true, who, action, details, peer, request_id, "audit: {action}");
    }
}

/// The audit trail cannot be written; what is to be written waits.
pub(crate) fn audit_failed(trouble: &(dyn std::error::Error + 'static)) {
    warn!(event = "audit.failed", "the audit trail cannot be written and waits: {trouble}");
}

/// It can be again.
pub(crate) fn audit_recovered() {
    info!(event = "audit.recovered", "the audit trail is written again");
}
