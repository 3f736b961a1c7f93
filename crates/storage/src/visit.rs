//! Opening the database for a command, while a gateway may be running on it.

use std::path::Path;

use sqlx::sqlite::SqlitePoolOptions;
use tokio::time::{Duration, Instant, sleep};

use crate::inspect::{Found, create, examine, look_at, refuse_newer};
use crate::lock::Lock;
use crate::migrations::{LATEST, schema_of};
use crate::storage::{BUSY, claim, options};
use crate::{Place, Storage, StorageError};

/// How long a gateway that is starting may take to make the tables.
const START: Duration = Duration::from_secs(3);

/// The pause between two looks at one that is starting.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Storage {
    /// Opens the database for a command. A gateway that runs on it goes on; where none runs its schema
    /// is brought up to date, and with `makes_one` it is made.
    ///
    /// # Errors
    /// [`StorageError`] says what is in the way and what to do. What was found is then as it was.
    pub async fn visit(place: &Place, makes_one: bool) -> Result<Self, StorageError> {
        match place {
            Place::File(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                visit_file(&path, makes_one).await
            }
            Place::Memory => Self::open_memory().await,
        }
    }
}

async fn visit_file(path: &Path, makes_one: bool) -> Result<Storage, StorageError> {
    let give_up_at = Instant::now() + START;
    loop {
        let found = look_at(path)?;
        if found == Found::Nothing && !makes_one {
            return Err(StorageError::Missing { path: path.to_owned() });
        }
        match Lock::take(path) {
            Ok(lock) => return alone(path, found, lock).await,
            Err(StorageError::InUse { .. }) => {}
            Err(error) => return Err(error),
        }
        if let Some(storage) = beside(path, found).await? {
            return Ok(storage);
        }
        if Instant::now() >= give_up_at {
            return Err(StorageError::RunsOlder { path: path.to_owned() });
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// No gateway runs. The lock is held while the tables are made, and given back for one that starts.
async fn alone(path: &Path, found: Found, lock: Lock) -> Result<Storage, StorageError> {
    create(path)?;
    match found {
        Found::Nothing => claim(path).await.map_err(|error| StorageError::of(path, error))?,
        Found::Ours => examine(path).await?,
    }
    let mut storage = Storage::prepared(connections(path), path.to_owned(), Some(lock)).await?;
    storage.lock = None;
    Ok(storage)
}

/// A gateway runs, or another command makes the tables right now: then there is nothing yet.
async fn beside(path: &Path, found: Found) -> Result<Option<Storage>, StorageError> {
    if found == Found::Nothing {
        return Ok(None);
    }
    let storage = Storage { pool: connections(path), path: path.to_owned(), lock: None };
    let schema = async { schema_of(&mut *storage.pool.acquire().await?).await };
    let schema = schema.await.map_err(|error| storage.failed(error))?;
    refuse_newer(path, schema)?;
    if schema == LATEST { Ok(Some(storage)) } else { Ok(None) }
}

fn connections(path: &Path) -> sqlx::SqlitePool {
    SqlitePoolOptions::new().max_connections(1).acquire_timeout(2 * BUSY).connect_lazy_with(options(path))
}
