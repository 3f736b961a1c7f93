//! A folder with a database in it.

use std::fs;
use std::path::PathBuf;

use keygate_pool::StateRow;
use keygate_storage::{Place, Storage, StorageError};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection};

/// A folder that is gone at the end of the test.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Opens `keygate.db`.
    pub(crate) async fn open(&self) -> Result<Storage, StorageError> {
        Storage::open(&Place::File(self.path("keygate.db"))).await
    }

    /// Opens it as a command does.
    pub(crate) async fn visit(&self) -> Result<Storage, StorageError> {
        Storage::visit(&Place::File(self.path("keygate.db")), true).await
    }

    /// Opens and closes it, so that there is one.
    pub(crate) async fn with_database() -> Self {
        let folder = Self::new();
        folder.open().await.unwrap().close().await;
        folder
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(self.path("keygate.db")).unwrap()
    }

    /// The names of all files, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Another program's connection to it.
    pub(crate) async fn shell(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.path("keygate.db")).create_if_missing(true);
        options.connect().await.unwrap()
    }

    /// Lets another program run something on it.
    pub(crate) async fn run(&self, sql: &str) {
        let mut shell = self.shell().await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut shell).await.unwrap();
        shell.close().await.unwrap();
    }
}

pub(crate) fn row(part: &'static str, name: &str, value: Option<&str>) -> StateRow {
    StateRow { part: part.into(), name: name.to_owned(), value: value.map(str::to_owned) }
}
