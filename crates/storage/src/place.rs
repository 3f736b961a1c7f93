//! Where the database is.

use std::fmt;
use std::path::PathBuf;

use keygate_domain::DatabaseUrl;

/// Where the database is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// A file of SQLite. A relative path starts from the working directory.
    File(PathBuf),
    /// In memory: gone with the process. For demonstrations.
    Memory,
    /// On a PostgreSQL server.
    Server(DatabaseUrl),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Memory => f.write_str(":memory:"),
            Self::Server(url) => write!(f, "{url}"),
        }
    }
}

/// Which of the two databases, where they are not alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    /// Begins what writes. SQLite must not find out in the middle that somebody else writes.
    pub(crate) fn begin_writing(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// Begins what reads several times and must see one state.
    pub(crate) fn begin_reading(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN",
            Self::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }
}
