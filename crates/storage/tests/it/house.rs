//! A database of each kind, to be opened by what is tested and by another program.

use keygate_domain::DatabaseUrl;
use keygate_storage::{Place, Storage};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

use crate::folder::Folder;
use crate::postgres::PostgresDatabase;

/// Which database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// A place with nothing in it; gone at the end of the test.
pub(crate) enum House {
    Sqlite(Folder),
    Postgres(PostgresDatabase),
}

impl House {
    pub(crate) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => Self::Sqlite(Folder::new()),
            Kind::Postgres => Self::Postgres(PostgresDatabase::empty()),
        }
    }

    pub(crate) fn place(&self) -> Place {
        match self {
            Self::Sqlite(folder) => Place::File(folder.path("keygate.db")),
            Self::Postgres(database) => server(&database.url),
        }
    }

    pub(crate) async fn open(&self) -> Storage {
        Storage::open(&self.place()).await.unwrap()
    }

    /// Opens it as a command does that writes, beside a gateway or alone.
    pub(crate) async fn join(&self) -> Storage {
        Storage::join(&self.place()).await.unwrap()
    }

    /// Lets another program run something on it.
    pub(crate) async fn run(&self, sql: &str) {
        let mut shell = self.shell().await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut shell).await.unwrap();
        shell.close().await.unwrap();
    }

    /// Another program's connection to it.
    pub(crate) async fn shell(&self) -> AnyConnection {
        sqlx::any::install_default_drivers();
        let address = match self {
            Self::Sqlite(folder) => format!("sqlite://{}", folder.path("keygate.db").display()),
            Self::Postgres(database) => database.url.clone(),
        };
        AnyConnection::connect(&address).await.unwrap()
    }

    /// A number that another program finds in it.
    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        let mut shell = self.shell().await;
        let number = sqlx::query_scalar(sql).fetch_one(&mut shell).await.unwrap();
        shell.close().await.unwrap();
        number
    }
}

pub(crate) fn server(url: &str) -> Place {
    Place::Server(DatabaseUrl::parse(url).unwrap())
}
