//! How the gateway itself stands: the ledger, the disk, the cache, alerts, the configuration.

use keygate_actors::LedgerCounts;
use keygate_alerts::{AlertsShown, ChannelState, Severity};
use keygate_journey::{ResponseCache, Tallied, Tally};
use keygate_keeper::KeeperState;
use keygate_telemetry::metrics::{Page, table};

use super::pools;
use crate::front::Crew;
use crate::rules::{ConfigState, Posted};

pub(super) fn tell(page: &mut Page, crew: &Crew, posted: &Posted, tally: &Tally) {
    page.count(&table::BUILD_INFO, &[env!("CARGO_PKG_VERSION")], 1);
    pools::vitals(page, crew.limiter.vitals());
    let (users, most_users) = crew.limiter.crowd();
    page.count(&table::LIMITER_USERS, &[], users as u64);
    page.count(&table::LIMITER_USERS_MOST, &[], most_users as u64);
    let counts = crew.ledger.counts();
    ledger(page, &counts);
    for (part, is_well) in
        [("state", crew.bookkeeper.is_well()), ("ledger", counts.is_well), ("audit", crew.auditor.is_well())]
    {
        page.flag(&table::STORAGE_UP, &[part], is_well);
    }
    cache(page, posted.cache.as_ref(), tally);
    alerts(page, &crew.herald.shown());
    let keepers = crew.keepers.shown();
    let in_need = keepers.iter().filter(|keeper| keeper.state == KeeperState::NeedsLogin).count();
    page.count(&table::KEEPERS_NEED_LOGIN, &[], in_need as u64);
    configuration(page, &posted.rules.state);
}

fn ledger(page: &mut Page, counts: &LedgerCounts) {
    page.count(&table::LEDGER_ATTEMPTS, &[], counts.opened);
    page.count(&table::LEDGER_OPEN, &[], counts.open());
    page.flag(&table::LEDGER_BALANCED, &[], counts.balances());
    for (outcome, count) in
        [("settled", counts.settled), ("refunded", counts.refunded), ("lost", counts.lost)]
    {
        page.count(&table::LEDGER_OUTCOMES, &[outcome], count);
    }
    for (place, rows) in [("database", counts.entered), ("dropped", counts.dropped)] {
        page.count(&table::LEDGER_ROWS, &[place], rows);
    }
    for (place, rows) in [("waiting", counts.waiting), ("spool", counts.journaled)] {
        page.count(&table::LEDGER_PENDING, &[place], rows);
    }
}

fn cache(page: &mut Page, cache: Option<&ResponseCache>, tally: &Tally) {
    let Tallied { hits, misses, bypassed, stored } = tally.told();
    for (result, count) in [("hit", hits), ("miss", misses), ("bypass", bypassed)] {
        page.count(&table::CACHE_REQUESTS, &[result], count);
    }
    page.count(&table::STORED_ANSWERS, &[], stored);
    let (answers, bytes) = cache.map_or((0, 0), ResponseCache::size);
    page.count(&table::CACHE_ANSWERS, &[], answers);
    page.count(&table::CACHE_BYTES, &[], bytes);
}

fn alerts(page: &mut Page, shown: &AlertsShown) {
    for severity in [Severity::Info, Severity::Warning, Severity::Critical] {
        let open = shown.open.iter().filter(|alert| alert.severity == severity).count();
        page.count(&table::ALERTS_OPEN, &[severity.as_str()], open as u64);
    }
    let states =
        [("unused", ChannelState::Unused), ("ok", ChannelState::Ok), ("failing", ChannelState::Failing)];
    for (name, state) in states {
        let channels = shown.channels.iter().filter(|channel| channel.status == state).count();
        page.count(&table::ALERT_CHANNELS, &[name], channels as u64);
    }
}

fn configuration(page: &mut Page, state: &ConfigState) {
    page.flag(&table::CONFIG_UP, &[], state.problem.is_none());
    page.tell(&table::CONFIG_LOADED, &[], state.loaded_at.as_millisecond() as f64 / 1e3);
    page.count(&table::CONFIG_NEEDS_RESTART, &[], state.needs_restart.len() as u64);
}
