//! The ledger as everyone else sees it.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use keygate_domain::UncleanEnd;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::actor::LedgerClerk;
use super::counts::{Counters, LedgerCounts};
use super::entry::{Closing, LedgerEntry, OpenEntry};
use super::messages::{Finish, KeepFor, ReadNotices};
use super::shelf::LedgerShelf;
use crate::Home;
use crate::tray::{Tray, tray};

/// Most rows on their way: some 20 MiB. What ends beyond it is counted and forgotten.
const MOST_WAITING: u64 = 50_000;

/// How long the clerk may leave rows unread. It gathers them anyway, and each look at them takes a worker's
/// thread off its core where there are no more cores than workers; but what they hold is the worker's memory,
/// which is to come back while it is still in that core's cache.
const READ_WITHIN: Duration = Duration::from_millis(10);

/// What the ledger is begun with.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LedgerSpec {
    /// What the ids of rows begin with: unlike those of any other process.
    pub life: String,
    /// How long rows are kept; without it for ever.
    pub retention: Option<Duration>,
    /// That the process before this one ended in the middle of it all.
    pub unclean_end: Option<UncleanEnd>,
}

/// Starts the clerk. Its home must be none that requests wait for.
pub fn start_ledger(shelf: Arc<dyn LedgerShelf>, spec: LedgerSpec, home: &Home) -> Ledger {
    let LedgerSpec { life, retention, unclean_end } = spec;
    let counters = Counters::default();
    let its_counters = counters.clone();
    let (tray, notices) = tray(READ_WITHIN);
    let address = home.start(move || LedgerClerk::new(shelf, life, retention, notices, its_counters));
    Ledger { desk: Arc::new(Desk { address, tray, counters, unclean_end }) }
}

/// Takes down what attempts cost. Cheap to clone. Telling it something never waits and never fails.
#[derive(Clone, Debug)]
pub struct Ledger {
    desk: Arc<Desk>,
}

#[derive(Debug)]
struct Desk {
    address: Addr<LedgerClerk>,
    tray: Tray<Closing>,
    counters: Counters,
    unclean_end: Option<UncleanEnd>,
}

impl Ledger {
    /// An attempt begins.
    pub fn open(&self, entry: LedgerEntry) -> OpenEntry {
        let number = self.desk.counters.opened();
        OpenEntry::new(entry, number, self.clone())
    }

    /// What was counted since the process began.
    pub fn counts(&self) -> LedgerCounts {
        self.desk.counters.read()
    }

    /// What is known of a process before this one that ended in the middle of it all.
    pub fn unclean_end(&self) -> Option<UncleanEnd> {
        self.desk.unclean_end
    }

    /// Keeps rows for so long from here on; without a time for ever.
    pub fn keep_for(&self, retention: Option<Duration>) {
        self.desk.address.do_send(KeepFor(retention));
    }

    /// Has everything written down that has ended. False if that failed or took longer than `patience`.
    pub async fn finish(&self, patience: Duration) -> bool {
        let (done, answer) = oneshot::channel();
        self.desk.address.do_send(Finish { done });
        timeout(patience, answer).await.is_ok_and(|answer| answer.unwrap_or(false))
    }

    pub(super) fn post(&self, closing: Box<Closing>) {
        let Desk { address, tray, counters, unclean_end: _ } = &*self.desk;
        counters.closed(closing.outcome());
        if counters.waits(MOST_WAITING) {
            tray.lay(*closing, || {
                let address = address.clone();
                move || address.do_send(ReadNotices)
            });
        }
    }
}
