//! Where the ledger is kept and read: the database, and the spool beside it.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keygate_actors::{Home, LedgerShelf, ShelfTrouble};
use keygate_domain::{LedgerRow, UsageQuery, UsageReport};
use keygate_http::{UsageSource, UsageUnavailable};
use keygate_storage::{Place, Spool, Storage, StorageError};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How large the spool grows: some 600,000 rows.
const MOST_SPOOL_BYTES: u64 = 256 << 20;

/// What the files of a database on a server are called, in the working directory.
const SERVERS_FILES: &str = "keygate";

/// How long a report may take.
const REPORT_PATIENCE: Duration = Duration::from_secs(30);

/// A file beside the database, with this ending; there is none in memory.
pub(crate) fn beside(place: &Place, ending: &str) -> Option<PathBuf> {
    let mut name = match place {
        Place::File(path) => OsString::from(path),
        Place::Server(_) => OsString::from(SERVERS_FILES),
        Place::Memory => return None,
    };
    name.push(".");
    name.push(ending);
    Some(PathBuf::from(name))
}

/// Writes the ledger.
pub(crate) struct LedgerBooks {
    storage: Arc<Storage>,
    spool: Option<Spool>,
}

impl LedgerBooks {
    pub(crate) fn new(storage: Arc<Storage>, place: &Place) -> Self {
        Self { storage, spool: beside(place, "spool").map(|path| Spool::at(path, MOST_SPOOL_BYTES)) }
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

    async fn forget(&self, before_ms: i64) -> Result<u64, ShelfTrouble> {
        self.storage.forget_ledger(before_ms).await.map_err(trouble)
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
                    event = "usage.failed",
                    reason = error.reason(),
                    trouble = error.to_string(),
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
