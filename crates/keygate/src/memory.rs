//! What the gateway remembers from one process to the next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use keygate_actors::{Bookkeeper, Clerks, Home, KeySupervisor, Shelf, ShelfTrouble, start_bookkeeper};
use keygate_config::{ProviderConfig, StorageConfig, StoragePlace};
use keygate_domain::ProviderName;
use keygate_pool::{PoolState, StateRow};
use keygate_storage::{Place, Storage, StorageError};
use tokio::time::timeout;

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
}

impl Memory {
    /// Opens the database and reads what pools remembered.
    pub(crate) async fn open(
        config: &StorageConfig,
        providers: &[ProviderConfig],
    ) -> Result<(Storage, Memories), StorageError> {
        let storage = Storage::open(&match &config.place {
            StoragePlace::File(path) => Place::File(path.clone()),
            StoragePlace::Memory => Place::Memory,
        })
        .await?;
        let mut memories = Memories::new();
        for provider in providers {
            let name = provider.adapter.name;
            memories.insert(name, Arc::new(storage.pool_state(name.as_str()).await?));
        }
        Ok((storage, memories))
    }

    /// Starts the bookkeeper, on a thread that nothing else lives on: it waits for the disk.
    pub(crate) fn start(storage: Storage) -> std::io::Result<Self> {
        let storage = Arc::new(storage);
        let clerks = Clerks::start()?;
        let bookkeeper = start_bookkeeper(Arc::new(PoolShelf(Arc::clone(&storage))), &clerks.home());
        Ok(Self { storage, clerks, bookkeeper })
    }

    pub(crate) fn bookkeeper(&self) -> Bookkeeper {
        self.bookkeeper.clone()
    }

    /// The database.
    pub(crate) fn storage(&self) -> Arc<Storage> {
        Arc::clone(&self.storage)
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
            tracing::error!("what changed last could not be written and is forgotten");
        }
        self.clerks.stop();
        let _ = timeout(LAST_WRITES, self.storage.close()).await;
    }
}

/// Where the bookkeeper puts what pools remember.
struct PoolShelf(Arc<Storage>);

#[async_trait]
impl Shelf for PoolShelf {
    async fn put(&self, provider: ProviderName, rows: &[StateRow]) -> Result<(), ShelfTrouble> {
        Ok(self.0.save_pool_rows(provider.as_str(), rows).await?)
    }
}
