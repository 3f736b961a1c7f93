//! Connections to the database: how they are made, and who has one when.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, install_default_drivers};
use sqlx::{AnyConnection, ConnectOptions as _, Connection as _};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};
use tokio::time::timeout;

use crate::place::Kind;
use crate::sqlite::Identity;
use crate::{StorageError, postgres, sqlite};

/// How long a connection may take to be made, or to say that it is alive. Less than the
/// bookkeeper's patience, so that it hears what is wrong.
const PATIENCE: Duration = Duration::from_secs(4);

/// How many read at the same time. The embedded database reads on a thread for each.
const READERS: usize = 3;

/// A connection for as long as it is somebody's turn.
pub(crate) type Turn<'a> = MappedMutexGuard<'a, AnyConnection>;

/// How a connection is made.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) kind: Kind,
    /// What errors name the database.
    pub(crate) database: String,
    options: AnyConnectOptions,
    role: Role,
    file: Option<Identity>,
}

/// Who is connected.
#[derive(Debug)]
enum Role {
    /// A gateway, or whoever must be alone, under a name that no other process has.
    Alone(String),
    /// A command beside it.
    Beside(String),
}

/// All connections of a process. One writes: whoever else wants to waits for its turn. Others only
/// read, so that a report over a year delays no write. In memory there is but one, which the
/// database lives in.
#[derive(Debug)]
pub(crate) struct Connections {
    pub(crate) door: Door,
    writer: Slot,
    readers: Vec<Slot>,
    next_reader: AtomicUsize,
}

type Slot = Mutex<Option<AnyConnection>>;

impl Connections {
    pub(crate) fn new(door: Door, is_in_memory: bool) -> Self {
        let readers = if is_in_memory { 0 } else { READERS };
        let readers = std::iter::repeat_with(Slot::default).take(readers).collect();
        Self { door, writer: Slot::default(), readers, next_reader: AtomicUsize::new(0) }
    }

    /// The connection that writes, when it is free.
    pub(crate) async fn writer(&self) -> Result<Turn<'_>, StorageError> {
        let writer = self.writer.lock().await;
        self.door.refuse_moved()?;
        self.turn(writer, true).await
    }

    /// One that reads: a free one, else the next in turn when it is free.
    pub(crate) async fn reader(&self) -> Result<Turn<'_>, StorageError> {
        if self.readers.is_empty() {
            return self.writer().await;
        }
        if let Some(free) = self.readers.iter().find_map(|slot| slot.try_lock().ok()) {
            return self.turn(free, false).await;
        }
        let next = self.next_reader.fetch_add(1, Ordering::Relaxed) % self.readers.len();
        self.turn(self.readers[next].lock().await, false).await
    }

    /// What somebody gave up waiting for may still be under way on a connection, and a server may
    /// have gone since: so each is asked whether it is alive, and made anew if not. So is one that
    /// takes itself to be in a transaction: a commit that found the disk full was undone by SQLite
    /// itself, which sqlx does not notice, and no other could ever begin on it.
    async fn turn<'a>(
        &self,
        mut slot: MutexGuard<'a, Option<AnyConnection>>,
        writes: bool,
    ) -> Result<Turn<'a>, StorageError> {
        if let Some(connection) = slot.as_mut() {
            let is_alive = matches!(timeout(PATIENCE, connection.ping()).await, Ok(Ok(())));
            if !is_alive || connection.is_in_transaction() {
                *slot = None;
            }
        }
        if slot.is_none() {
            *slot = Some(self.door.enter(writes).await?);
        }
        // It was put there just now.
        MutexGuard::try_map(slot, Option::as_mut).map_err(|_| self.door.silent())
    }

    /// Lets go of the database; what its log still holds is written into its file.
    pub(crate) async fn close(&self) {
        for slot in self.readers.iter().chain([&self.writer]) {
            if let Some(connection) = slot.lock().await.take() {
                // It is of no use to anybody any more, whatever it says.
                let _ = connection.close().await;
            }
        }
    }
}

impl Door {
    /// To a file, which must be there.
    pub(crate) fn to_file(path: &std::path::Path) -> Result<Self, StorageError> {
        let database = path.display().to_string();
        let door = Self::new(Kind::Sqlite, database, &sqlite::address(path), Role::Alone(String::new()))?;
        Ok(Self { file: Some(Identity::of(path)), ..door })
    }

    /// To memory.
    pub(crate) fn to_memory() -> Result<Self, StorageError> {
        let name = ":memory:";
        Self::new(Kind::Sqlite, name.to_owned(), "sqlite::memory:", Role::Alone(String::new()))
    }

    /// To a server: as the only gateway there, or beside it.
    pub(crate) fn to_server(url: &keygate_domain::DatabaseUrl, is_alone: bool) -> Result<Self, StorageError> {
        let life = format!("keygate/{}/{}", std::process::id(), uuid::Uuid::new_v4().simple());
        let role = if is_alone { Role::Alone(life) } else { Role::Beside(life) };
        Self::new(Kind::Postgres, url.to_string(), url.expose(), role)
    }

    fn new(kind: Kind, database: String, address: &str, role: Role) -> Result<Self, StorageError> {
        install_default_drivers();
        let options = address.parse::<AnyConnectOptions>();
        let options =
            options.map_err(|error| StorageError::of(&database, error))?.disable_statement_logging();
        Ok(Self { kind, database, options, role, file: None })
    }

    /// A new connection. On a server the one that writes holds the lock of the database: so nobody
    /// writes who does not, and a server that comes back is not written to by two.
    async fn enter(&self, writes: bool) -> Result<AnyConnection, StorageError> {
        match timeout(PATIENCE, self.enter_in_time(writes)).await {
            Ok(entered) => entered,
            Err(_elapsed) => Err(self.silent()),
        }
    }

    async fn enter_in_time(&self, writes: bool) -> Result<AnyConnection, StorageError> {
        let mut connection = self.options.connect().await.map_err(|error| self.failed(error))?;
        match (self.kind, &self.role) {
            (Kind::Sqlite, _) => sqlite::settle(&mut connection).await.map_err(|error| self.failed(error))?,
            (Kind::Postgres, Role::Alone(life) | Role::Beside(life)) => {
                postgres::settle(&mut connection, life).await.map_err(|error| self.failed(error))?;
                if writes && matches!(self.role, Role::Alone(_)) {
                    postgres::lock(&mut connection, life, &self.database).await?;
                }
            }
        }
        Ok(connection)
    }

    /// A file that was moved away or deleted would take all that is written along. That is not SQLite's
    /// to notice: it has the file open.
    fn refuse_moved(&self) -> Result<(), StorageError> {
        match &self.file {
            Some(file) if !file.is_there() => Err(StorageError::Moved { database: self.database.clone() }),
            Some(_) | None => Ok(()),
        }
    }

    pub(crate) fn failed(&self, error: sqlx::Error) -> StorageError {
        StorageError::of(&self.database, error)
    }

    fn silent(&self) -> StorageError {
        StorageError::Silent { database: self.database.clone() }
    }
}
