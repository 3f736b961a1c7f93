//! The open database.

use std::path::{Path, PathBuf};

use crate::connections::{Connections, Door, Turn};
use crate::migrations::{LATEST, migrate, refuse_newer, refuse_older, schema_of};
use crate::place::Kind;
use crate::sqlite::{self, Found, Lock};
use crate::{Place, StorageError, postgres};

/// The open database. Repositories are methods, a file each.
#[derive(Debug)]
pub struct Storage {
    connections: Connections,
    /// What was there when it was opened.
    found: u32,
    _lock: Option<Lock>,
}

impl Storage {
    /// Opens the database for a gateway, or whoever must be alone with it: makes it on the first
    /// start, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StorageError`] says what is in the way and what to do. What was found is then as it was.
    pub async fn open(place: &Place) -> Result<Self, StorageError> {
        Self::open_at(place, LATEST).await
    }

    /// The same with the schema of an earlier version, if nothing is there yet.
    pub(crate) async fn open_at(place: &Place, schema: u32) -> Result<Self, StorageError> {
        let storage = match place {
            Place::File(path) => Self::open_file(path).await?,
            Place::Memory => Self::over(Door::to_memory()?, true, None),
            Place::Server(url) => Self::over(Door::to_server(url, true)?, false, None),
        };
        storage.prepared(schema).await
    }

    /// Opens the database for a command, beside a gateway or alone. It must be there, with the schema
    /// of this version, and is not changed by being opened.
    ///
    /// # Errors
    /// [`StorageError`] says what is in the way and what to do.
    pub async fn visit(place: &Place) -> Result<Self, StorageError> {
        let storage = match place {
            Place::File(path) => {
                let path = absolute(path);
                if sqlite::look_at(&path)? == Found::Nothing {
                    return Err(StorageError::Missing { database: path.display().to_string() });
                }
                Self::over(Door::to_file(&path)?, false, None)
            }
            Place::Memory => return Err(StorageError::Missing { database: place.to_string() }),
            Place::Server(url) => Self::over(Door::to_server(url, false)?, false, None),
        };
        let found = storage.look().await?;
        let database = storage.connections.door.database.as_str();
        if found == 0 && storage.kind() == Kind::Postgres {
            return Err(StorageError::Missing { database: database.to_owned() });
        }
        refuse_older(database, found)?;
        Ok(Self { found, ..storage })
    }

    /// Opens the database for a command that writes, beside a gateway or alone. Where no gateway
    /// made it, or none of this version, it is made and brought up to date first.
    ///
    /// # Errors
    /// [`StorageError`] says what is in the way and what to do.
    pub async fn join(place: &Place) -> Result<Self, StorageError> {
        match Self::visit(place).await {
            Err(StorageError::Missing { .. } | StorageError::Older { .. }) => {
                Self::open(place).await?.close().await;
                Self::visit(place).await
            }
            visited => visited,
        }
    }

    /// The schema that was found, and the one that is there now; 0 is an empty database.
    pub fn schema(&self) -> (u32, u32) {
        (self.found, LATEST.max(self.found))
    }

    pub(crate) fn schema_found(&self) -> u32 {
        self.found
    }

    /// Writes what the log still holds into the file and lets go of it.
    pub async fn close(&self) {
        self.connections.close().await;
    }

    async fn open_file(path: &Path) -> Result<Self, StorageError> {
        let path = absolute(path);
        let found = sqlite::look_at(&path)?;
        let lock = Lock::take(&path)?;
        sqlite::create(&path)?;
        let door = Door::to_file(&path)?;
        match found {
            Found::Nothing => sqlite::claim(&path).await.map_err(|error| door.failed(error))?,
            Found::Ours => sqlite::examine(&path).await?,
        }
        Ok(Self::over(door, false, Some(lock)))
    }

    fn over(door: Door, is_in_memory: bool, lock: Option<Lock>) -> Self {
        Self { connections: Connections::new(door, is_in_memory), found: 0, _lock: lock }
    }

    /// What is there, looked at without changing it.
    async fn look(&self) -> Result<u32, StorageError> {
        let mut connection = self.writer().await?;
        let database = self.connections.door.database.as_str();
        match self.kind() {
            Kind::Postgres => postgres::look_at(&mut connection, database).await,
            Kind::Sqlite => {
                let found = schema_of(&mut connection, Kind::Sqlite).await;
                let found = found.map_err(|error| self.failed(error))?;
                refuse_newer(database, found)?;
                Ok(found)
            }
        }
    }

    async fn prepared(self, schema: u32) -> Result<Self, StorageError> {
        let found = self.look().await?;
        self.migrate(found, schema).await?;
        Ok(Self { found, ..self })
    }

    pub(crate) async fn migrate(&self, from: u32, to: u32) -> Result<(), StorageError> {
        let mut connection = self.writer().await?;
        let migrated = migrate(&mut connection, self.kind(), from, to).await;
        migrated.map_err(|error| self.failed(error))
    }

    pub(crate) fn kind(&self) -> Kind {
        self.connections.door.kind
    }

    pub(crate) fn database(&self) -> String {
        self.connections.door.database.clone()
    }

    /// The connection that writes, when it is free. One at a time: all writing of a process is in
    /// the order in which it was begun.
    pub(crate) async fn writer(&self) -> Result<Turn<'_>, StorageError> {
        self.connections.writer().await
    }

    /// A connection that reads, and delays no write.
    pub(crate) async fn reader(&self) -> Result<Turn<'_>, StorageError> {
        self.connections.reader().await
    }

    pub(crate) fn failed(&self, error: sqlx::Error) -> StorageError {
        self.connections.door.failed(error)
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
