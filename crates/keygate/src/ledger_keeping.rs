//! Where the ledger is kept and read: the database, and the spool beside it.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use keygate_actors::{Home, LedgerShelf, ShelfTrouble, clock};
use keygate_domain::{LedgerRow, UsageQuery, UsageReport, UserId};
use keygate_http::{UsageSource, UsageUnavailable};
use keygate_limits::{Amount, Used};
use keygate_storage::{Place, PlanUse, Spool, Storage, StorageError};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How large the spool grows: some 600,000 rows.
const MOST_SPOOL_BYTES: u64 = 256 << 20;

/// The spool of a database on a server, in the working directory.
const SERVERS_SPOOL: &str = "keygate.spool";

/// How long a report may take.
const REPORT_PATIENCE: Duration = Duration::from_secs(30);

/// Where the spool of a database is; in memory there is none.
fn spool_path(place: &Place) -> Option<PathBuf> {
    match place {
        Place::File(path) => {
            let mut name = OsString::from(path);
            name.push(".spool");
            Some(PathBuf::from(name))
        }
        Place::Server(_) => Some(PathBuf::from(SERVERS_SPOOL)),
        Place::Memory => None,
    }
}

/// Writes the ledger.
pub(crate) struct LedgerBooks {
    storage: Arc<Storage>,
    spool: Option<Spool>,
}

impl LedgerBooks {
    pub(crate) fn new(storage: Arc<Storage>, place: &Place) -> Self {
        Self { storage, spool: spool_path(place).map(|path| Spool::at(path, MOST_SPOOL_BYTES)) }
    }
}

#[async_trait]
impl LedgerShelf for LedgerBooks {
    async fn enter(&self, rows: &[LedgerRow]) -> Result<(), ShelfTrouble> {
        self.storage.write_ledger(rows).await.map(drop).map_err(trouble)
    }

    async fn journal(&self, rows: &[LedgerRow]) -> Result<usize, ShelfTrouble> {
        let Some(spool) = self.spool.clone() else { return Ok(0) };
        let rows = rows.to_vec();
        on_disk(move || spool.append(&rows)).await
    }

    async fn replay(&self) -> Result<u64, ShelfTrouble> {
        // Asked even without anything to enter: whether it can be written to is the question.
        self.storage.write_ledger(&[]).await.map_err(trouble)?;
        let Some(spool) = self.spool.clone() else { return Ok(0) };
        let mut reader = on_disk({
            let spool = spool.clone();
            move || spool.read()
        })
        .await?;
        let mut entered = 0;
        loop {
            let (rows, read_on) = on_disk(move || Ok((reader.next_rows()?, reader))).await?;
            reader = read_on;
            if rows.is_empty() {
                break;
            }
            self.storage.write_ledger(&rows).await.map_err(trouble)?;
            entered += rows.len() as u64;
        }
        if reader.torn() > 0 {
            tracing::warn!(
                event = "spool.torn",
                lines = reader.torn(),
                "the ledger's spool held lines that were cut off; they are lost"
            );
        }
        on_disk(move || spool.clear()).await?;
        Ok(entered)
    }
}

async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ShelfTrouble> {
    match spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| ShelfTrouble::new("failed", error)),
        Err(panicked) => Err(ShelfTrouble::new("failed", panicked)),
    }
}

fn trouble(error: StorageError) -> ShelfTrouble {
    ShelfTrouble::new(error.reason(), error)
}

/// Reads the ledger, on the thread of clerks: connections belong to it.
pub(crate) struct LedgerReader {
    storage: Arc<Storage>,
    clerks: Home,
}

impl LedgerReader {
    pub(crate) fn new(storage: Arc<Storage>, clerks: Home) -> Self {
        Self { storage, clerks }
    }
}

#[async_trait]
impl UsageSource for LedgerReader {
    async fn usage(&self, query: UsageQuery) -> Result<UsageReport, UsageUnavailable> {
        let (told, answer) = oneshot::channel();
        let storage = Arc::clone(&self.storage);
        self.clerks.spawn(async move {
            // Who asked may be gone.
            let _ = told.send(timeout(REPORT_PATIENCE, storage.usage(&query)).await);
        });
        match answer.await {
            Ok(Ok(Ok(report))) => Ok(report),
            Ok(Ok(Err(error))) => {
                tracing::warn!(
                    event = "usage.failed", reason = error.reason(), trouble = %error,
                    "usage could not be told"
                );
                Err(UsageUnavailable)
            }
            Ok(Err(_elapsed)) => {
                tracing::warn!(event = "usage.slow", "usage could not be told: the report takes too long");
                Err(UsageUnavailable)
            }
            Err(_closing) => Err(UsageUnavailable),
        }
    }
}

/// What users had of their plans so far, in the day and month of UTC at hand.
pub(crate) async fn plan_use(storage: &Storage) -> Result<Vec<(UserId, Used)>, StorageError> {
    let (day, month) = beginnings(clock::now().wall);
    let found = storage.plan_use(day.as_millisecond(), month.as_millisecond()).await?;
    Ok(found.into_iter().map(used).collect())
}

fn used(found: PlanUse) -> (UserId, Used) {
    let amount = |(requests, tokens)| Amount { requests, tokens };
    (found.user, Used { day: amount(found.day), month: amount(found.month) })
}

fn beginnings(now: Timestamp) -> (Timestamp, Timestamp) {
    let today = now.to_zoned(TimeZone::UTC);
    let day = today.start_of_day().map_or(now, |midnight| midnight.timestamp());
    let month = today.first_of_month().and_then(|first| first.start_of_day());
    (day, month.map_or(day, |first| first.timestamp()))
}
