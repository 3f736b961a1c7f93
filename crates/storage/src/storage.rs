//! The open database.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqlitePool};

use crate::inspect::{APPLICATION_ID, Found, create, examine, look_at};
use crate::lock::Lock;
use crate::migrations::{LATEST, migrate, schema_of};
use crate::{Place, StorageError};

/// How long a write waits for another program that writes. Nothing but the bookkeeper waits.
const BUSY: Duration = Duration::from_secs(2);

/// The open database. Repositories are methods, a file each.
#[derive(Debug)]
pub struct Storage {
    pub(crate) pool: SqlitePool,
    /// What errors name it.
    pub(crate) path: PathBuf,
    _lock: Option<Lock>,
}

impl Storage {
    /// Opens the database, makes it on the first start, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StorageError`] says what is in the way and what to do. What was found is then as it was.
    pub async fn open(place: &Place) -> Result<Self, StorageError> {
        match place {
            Place::File(path) => Self::open_file(path).await,
            Place::Memory => Self::open_memory().await,
        }
    }

    /// Opens the database for a command, also while a gateway runs on it.
    ///
    /// # Errors
    /// As [`Storage::open`]; [`StorageError::InUse`] only when the gateway that runs is of another version.
    pub async fn visit(place: &Place) -> Result<Self, StorageError> {
        match (Self::open(place).await, place) {
            (Err(StorageError::InUse { path, holder }), Place::File(_)) => Self::join(path, holder).await,
            (opened, _) => opened,
        }
    }

    /// Opens what a gateway has open, and changes nothing about it.
    async fn join(path: PathBuf, holder: Option<u32>) -> Result<Self, StorageError> {
        let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(2 * BUSY);
        let pool = pool.connect_lazy_with(options(&path));
        let schema = async { schema_of(&mut *pool.acquire().await?).await };
        match schema.await.map_err(|error| StorageError::of(&path, error))? {
            LATEST => Ok(Self { pool, path, _lock: None }),
            _ => Err(StorageError::InUse { path, holder }),
        }
    }

    async fn open_file(path: &Path) -> Result<Self, StorageError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let found = look_at(&path)?;
        let lock = Lock::take(&path)?;
        create(&path)?;
        match found {
            Found::Nothing => claim(&path).await.map_err(|error| StorageError::of(&path, error))?,
            Found::Ours => examine(&path).await?,
        }
        // One connection: all writing is the bookkeeper's, who does one thing at a time.
        let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(2 * BUSY);
        Self::prepared(pool.connect_lazy_with(options(&path)), path, Some(lock)).await
    }

    async fn open_memory() -> Result<Self, StorageError> {
        // The database lives as long as its only connection.
        let pool = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let options = SqliteConnectOptions::new().in_memory(true);
        Self::prepared(pool.connect_lazy_with(options), PathBuf::from(":memory:"), None).await
    }

    async fn prepared(pool: SqlitePool, path: PathBuf, lock: Option<Lock>) -> Result<Self, StorageError> {
        let prepared = async {
            let mut connection = pool.acquire().await?;
            migrate(&mut connection).await
        };
        let outcome = prepared.await;
        let storage = Self { pool, path, _lock: lock };
        outcome.map_err(|error| storage.failed(error))?;
        Ok(storage)
    }

    /// Writes what the log still holds into the file and lets go of it.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    pub(crate) fn failed(&self, error: sqlx::Error) -> StorageError {
        StorageError::of(&self.path, error)
    }
}

/// Marks an empty file as ours, before anything else is in it and before it has a write-ahead
/// log: so the mark can be read from the file's own bytes from then on.
async fn claim(path: &Path) -> sqlx::Result<()> {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await?;
    let mark = AssertSqlSafe(format!("PRAGMA application_id = {APPLICATION_ID}"));
    sqlx::raw_sql(mark).execute(&mut connection).await?;
    connection.close().await
}

/// `synchronous = NORMAL` with a write-ahead log: nothing that was committed is lost when the
/// process is killed, and the file is never torn. When the *machine* loses its power, the last
/// commits the system had not written yet are lost (about half a minute on Linux): a rest that is
/// learned again by one refusal. `FULL` would make every rest wait for the disk instead.
fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(BUSY)
        .foreign_keys(true)
        .disable_statement_logging()
}
