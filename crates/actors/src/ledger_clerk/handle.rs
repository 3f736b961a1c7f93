//! The ledger as everyone else sees it.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::actor::LedgerClerk;
use super::counts::{Counters, LedgerCounts};
use super::entry::{Closing, LedgerEntry, OpenEntry};
use super::messages::{Finish, ReadNotices};
use super::shelf::LedgerShelf;
use crate::Home;
use crate::tray::{Tray, tray};

/// Most rows on their way: some 20 MiB. What ends beyond it is counted and forgotten.
const MOST_WAITING: u64 = 50_000;

/// Starts the clerk, whose rows have ids that begin with `life`: unlike those of any other process. Its home
/// must be none that requests wait for.
pub fn start_ledger(shelf: Arc<dyn LedgerShelf>, life: String, home: &Home) -> Ledger {
    let counters = Counters::default();
    let its_counters = counters.clone();
    let (tray, notices) = tray();
    let address = home.start(move || LedgerClerk::new(shelf, life, notices, its_counters));
    Ledger { desk: Arc::new(Desk { address, tray, counters }) }
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

    /// Has everything written down that has ended. False if that failed or took longer than `patience`.
    pub async fn finish(&self, patience: Duration) -> bool {
        let (done, answer) = oneshot::channel();
        self.desk.address.do_send(Finish { done });
        timeout(patience, answer).await.is_ok_and(|answer| answer.unwrap_or(false))
    }

    pub(super) fn post(&self, closing: Box<Closing>) {
        let Desk { address, tray, counters } = &*self.desk;
        counters.closed(closing.outcome());
        if counters.waits(MOST_WAITING) {
            tray.lay(*closing, || {
                let address = address.clone();
                move || address.do_send(ReadNotices)
            });
        }
    }
}
