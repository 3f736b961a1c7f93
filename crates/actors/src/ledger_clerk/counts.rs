//! How many attempts there were and what became of them: the ledger balances at every moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use keygate_domain::Outcome;

/// Counts since the process began, to be read without asking anybody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LedgerCounts {
    /// Attempts that began.
    pub opened: u64,
    /// Those that were served.
    pub settled: u64,
    /// Those that cost nothing.
    pub refunded: u64,
    /// Those of which nobody knows what they cost.
    pub lost: u64,
    /// Rows in the database.
    pub entered: u64,
    /// Rows in the journal, for as long as the database cannot be written to.
    pub journaled: u64,
    /// Rows on their way.
    pub waiting: u64,
    /// Rows for which neither database nor journal nor memory had room.
    pub dropped: u64,
    /// Rows that were old enough to be forgotten, of earlier processes too.
    pub forgotten: u64,
    /// Whether the database is written to. If not, it is tried again until it is.
    pub is_well: bool,
}

impl LedgerCounts {
    /// Attempts that have not ended.
    pub fn open(&self) -> u64 {
        self.opened.saturating_sub(self.closed())
    }

    /// Attempts that have ended.
    pub fn closed(&self) -> u64 {
        self.settled + self.refunded + self.lost
    }

    /// Those that wait for nothing any more: written down, or dropped.
    pub fn done(&self) -> u64 {
        self.entered + self.journaled + self.dropped
    }

    /// Whether every attempt that ended is in one place. Counts are read one after the other, so that a
    /// row that moves meanwhile may be seen twice or not at all: ask again before believing it.
    pub fn balances(&self) -> bool {
        self.closed() == self.done() + self.waiting
    }
}

/// The counters behind [`LedgerCounts`].
#[derive(Clone, Debug, Default)]
pub(super) struct Counters(Arc<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    opened: AtomicU64,
    settled: AtomicU64,
    refunded: AtomicU64,
    lost: AtomicU64,
    entered: AtomicU64,
    journaled: AtomicU64,
    waiting: AtomicU64,
    dropped: AtomicU64,
    forgotten: AtomicU64,
    is_troubled: AtomicBool,
}

impl Counters {
    pub(super) fn opened(&self) -> u64 {
        self.0.opened.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn closed(&self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Settled => &self.0.settled,
            Outcome::Refunded => &self.0.refunded,
            Outcome::Lost => &self.0.lost,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes a place among those that wait, if there are not `most` already.
    pub(super) fn waits(&self, most: u64) -> bool {
        let taken = self.0.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, |waiting| {
            (waiting < most).then_some(waiting + 1)
        });
        if taken.is_err() {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
        taken.is_ok()
    }

    pub(super) fn entered(&self, rows: usize) {
        self.leave(rows, &self.0.entered);
    }

    pub(super) fn journaled(&self, rows: usize) {
        self.leave(rows, &self.0.journaled);
    }

    pub(super) fn forgot(&self, rows: u64) {
        self.0.forgotten.fetch_add(rows, Ordering::Relaxed);
    }

    /// What was in the journal is in the database. Rows of an earlier process were never counted here.
    pub(super) fn replayed(&self) {
        let rows = self.0.journaled.swap(0, Ordering::AcqRel);
        self.0.entered.fetch_add(rows, Ordering::AcqRel);
    }

    /// True if it was well before.
    pub(super) fn troubled(&self) -> bool {
        !self.0.is_troubled.swap(true, Ordering::AcqRel)
    }

    /// True if it was not well before.
    pub(super) fn cured(&self) -> bool {
        self.0.is_troubled.swap(false, Ordering::AcqRel)
    }

    pub(super) fn read(&self) -> LedgerCounts {
        let read = |number: &AtomicU64| number.load(Ordering::Acquire);
        let Numbers {
            opened,
            settled,
            refunded,
            lost,
            entered,
            journaled,
            waiting,
            dropped,
            forgotten,
            is_troubled,
        } = &*self.0;
        LedgerCounts {
            opened: read(opened),
            settled: read(settled),
            refunded: read(refunded),
            lost: read(lost),
            entered: read(entered),
            journaled: read(journaled),
            waiting: read(waiting),
            dropped: read(dropped),
            forgotten: read(forgotten),
            is_well: !is_troubled.load(Ordering::Acquire),
        }
    }

    fn leave(&self, rows: usize, to: &AtomicU64) {
        let rows = rows as u64;
        to.fetch_add(rows, Ordering::AcqRel);
        self.0.waiting.fetch_sub(rows, Ordering::AcqRel);
    }
}
