//! The log lines of reloading.

use keygate_http::{KeysChanged, ReloadReport};

/// Labels told one by one; thousands of keys may come at once.
const MOST_LABELS: usize = 20;

/// Another configuration is in force.
pub(super) fn reloaded(report: &ReloadReport) {
    let ReloadReport { changed, needs_restart, keys, warnings } = report;
    for warning in warnings {
        tracing::warn!(event = "config.warning", "{warning}");
    }
    for (provider, KeysChanged { added, removed, kept }) in keys {
        tracing::info!(
            event = "keys.reloaded",
            provider,
            added = listed(added),
            removed = listed(removed),
            kept,
            "keys reloaded"
        );
    }
    if changed.is_empty() {
        tracing::info!(event = "config.unchanged", "configuration read again, nothing changed");
    } else {
        tracing::info!(event = "config.reloaded", changed = changed.join(", "), "configuration reloaded");
    }
    if !needs_restart.is_empty() {
        tracing::warn!(
            event = "config.needs_restart",
            settings = needs_restart.join(", "),
            "changed settings need a restart to hold"
        );
    }
}

/// Another configuration is not valid.
pub(super) fn refused(problem: &str) {
    tracing::error!(
        event = "config.refused",
        "the new configuration is refused, the running one stays: {problem}"
    );
}

/// Another configuration could not be put in force.
pub(super) fn failed(why: &str) {
    tracing::error!(
        event = "config.failed",
        "the new configuration could not be put in force and is tried again: {why}"
    );
}

fn listed(labels: &[String]) -> String {
    let told = labels.iter().take(MOST_LABELS).map(String::as_str).collect::<Vec<_>>().join(", ");
    match labels.len().checked_sub(MOST_LABELS) {
        None | Some(0) => told,
        Some(more) => format!("{told} and {more} more"),
    }
}
