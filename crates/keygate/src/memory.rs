//! What the gateway remembers from one process to the next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use keygate_actors::{
    AuditBook, Auditor, Bookkeeper, Clerks, Home, KeySupervisor, Ledger, LedgerSpec, Shelf, ShelfTrouble,
    start_auditor, start_bookkeeper, start_ledger,
};
use keygate_config::{ProviderConfig, StorageConfig, StoragePlace};
use keygate_domain::{AuditEntry, AuditPage, AuditRow, ProviderName};
use keygate_http::UsageBooks;
use keygate_pool::{PoolState, StateRow};
use keygate_storage::{Place, Storage, StorageError};
use tokio::time::timeout;
use uuid::Uuid;

use crate::last_signs::LastSigns;
use crate::ledger_keeping::{LedgerBooks, LedgerReader};

/// How long the end of the process waits for actors to end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long it waits for the disk: long enough for another program to let go of the database.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// What the pools of an earlier process remembered, by provider.
pub(crate) type Memories = BTreeMap<ProviderName, Arc<PoolState>>;

/// The database and who writes to it.
pub(crate) struct Memory {
    storage: Arc<Storage>,
    clerks: Clerks,
    bookkeeper: Bookkeeper,
    ledger: Ledger,
    auditor: Auditor,
    signs: LastSigns,
}

impl Memory {
    /// Opens the database and reads what pools remembered.
    pub(crate) async fn open(
        config: &StorageConfig,
        providers: &[ProviderConfig],
    ) -> Result<(Storage, Memories), StorageError> {
        let storage = Storage::open(&place(config)).await?;
        let mut memories = Memories::new();
        for provider in providers {
            let name = provider.adapter.name;
            memories.insert(name, Arc::new(storage.pool_state(name.as_str()).await?));
        }
        Ok((storage, memories))
    }

    /// Starts the bookkeeper and the ledger's clerk, on a thread that nothing else lives on: they wait
    /// for the disk.
    pub(crate) fn start(storage: Storage, config: &StorageConfig) -> std::io::Result<Self> {
        let storage = Arc::new(storage);
        let clerks = Clerks::start()?;
        let bookkeeper = start_bookkeeper(Arc::new(PoolShelf(Arc::clone(&storage))), &clerks.home());
        let books = Arc::new(LedgerBooks::new(Arc::clone(&storage), &place(config)));
        let (signs, unclean_end) = LastSigns::look(&place(config));
        let life = Uuid::new_v4().simple().to_string();
        let spec = LedgerSpec { life, retention: config.ledger_retention, unclean_end };
        let ledger = start_ledger(books, spec, &clerks.home());
        let auditor = start_auditor(Arc::new(Trail(Arc::clone(&storage))), &clerks.home());
        Ok(Self { storage, clerks, bookkeeper, ledger, auditor, signs })
    }

    /// Requests are served from here on: whoever starts after a process that was cut off must know of it.
    pub(crate) fn begin(&mut self) {
        self.signs.begin(self.ledger.clone(), &self.clerks.home());
    }

    /// The database itself, for what waits for it anyway.
    pub(crate) fn storage(&self) -> Arc<Storage> {
        Arc::clone(&self.storage)
    }

    pub(crate) fn auditor(&self) -> Auditor {
        self.auditor.clone()
    }

    pub(crate) fn bookkeeper(&self) -> Bookkeeper {
        self.bookkeeper.clone()
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.ledger.clone()
    }

    /// What is asked about what attempts cost.
    pub(crate) fn books(&self) -> UsageBooks {
        UsageBooks::new(Arc::new(LedgerReader::new(Arc::clone(&self.storage), self.clerks.home())))
    }

    /// The thread of clerks, where no request waits.
    pub(crate) fn clerks(&self) -> Home {
        self.clerks.home()
    }

    /// Writes down everything that `supervisors`, which are ending, still have to say.
    pub(crate) async fn close(self, supervisors: &[KeySupervisor]) {
        let ends = join_all(supervisors.iter().map(|supervisor| supervisor.vitals().until_ended()));
        // One that does not end is fetched from like one that lives on.
        let _ = timeout(LAST_WORDS, ends).await;
        if !self.bookkeeper.finish(LAST_WRITES).await {
            tracing::error!(
                event = "storage.lost",
                "what changed last could not be written and is forgotten"
            );
        }
        let is_written = self.ledger.finish(LAST_WRITES).await;
        if !is_written {
            tracing::error!(
                event = "ledger.lost",
                "the last rows of the ledger could not be written and are lost"
            );
        }
        if !self.auditor.finish(LAST_WRITES).await {
            tracing::error!(event = "audit.lost", "the end of the audit trail could not be written");
        }
        self.clerks.stop();
        if is_written {
            self.signs.end();
        }
        let _ = timeout(LAST_WRITES, self.storage.close()).await;
    }
}

/// Where the database is, in the words of who opens it.
pub(crate) fn place(config: &StorageConfig) -> Place {
    match &config.place {
        StoragePlace::File(path) => Place::File(path.clone()),
        StoragePlace::Memory => Place::Memory,
        StoragePlace::Server(url) => Place::Server(url.clone()),
    }
}

/// Where the bookkeeper puts what pools remember.
struct PoolShelf(Arc<Storage>);

#[async_trait]
impl Shelf for PoolShelf {
    async fn put(&self, provider: ProviderName, rows: &[StateRow]) -> Result<(), ShelfTrouble> {
        let saved = self.0.save_pool_rows(provider.as_str(), rows).await;
        saved.map_err(|error| ShelfTrouble::new(error.reason(), error))
    }
}

/// Where the auditor keeps the trail.
struct Trail(Arc<Storage>);

#[async_trait]
impl AuditBook for Trail {
    async fn append(&self, entries: &[AuditEntry]) -> Result<(), ShelfTrouble> {
        self.0.append_audit(entries).await.map_err(|error| ShelfTrouble::new(error.reason(), error))
    }

    async fn page(&self, page: AuditPage) -> Result<Vec<AuditRow>, ShelfTrouble> {
        self.0.audit_page(&page).await.map_err(|error| ShelfTrouble::new(error.reason(), error))
    }
}
