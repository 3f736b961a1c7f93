//! Why there is no database, and what an operator can do about it.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why there is no database. Texts end with what to do next.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The folder of the file does not exist.
    #[error("there is no folder for the database {path}: create it, or set storage.url to another place")]
    NoFolder {
        /// The database.
        path: PathBuf,
    },
    /// The system does not let us write there.
    #[error(
        "the database {path} cannot be written: make it and its folder writable, or set storage.url to another \
         place"
    )]
    NotWritable {
        /// The database.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else lies there.
    #[error("{path} is not a database of Keygate and was not touched: set storage.url to another place")]
    Foreign {
        /// What was found.
        path: PathBuf,
    },
    /// The database is damaged.
    #[error(
        "the database {path} is damaged and was not touched ({what}): restore a copy, or move it away to start with \
         an empty one"
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A later version of the gateway wrote it.
    #[error(
        "the database {path} was written by a later version of Keygate (its schema is {found}, this version knows \
         {known}) and was not touched: start that version, or set storage.url to another place"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// The schema it has.
        found: u32,
        /// The latest schema known here.
        known: u32,
    },
    /// Another gateway runs on it.
    #[error(
        "the database {path} is in use by another gateway{}: stop that one, or give this one a storage.url of its \
         own", holder.map(|id| format!(" (process {id})")).unwrap_or_default()
    )]
    InUse {
        /// The database.
        path: PathBuf,
        /// Its process id, if that can be read.
        holder: Option<u32>,
    },
    /// There is none yet.
    #[error("there is no database {path} yet: start the gateway, or make a token, and there will be one")]
    Missing {
        /// Where it would be.
        path: PathBuf,
    },
    /// The gateway that runs on it knows less than this program.
    #[error(
        "the gateway that runs on the database {path} is of an earlier version of Keygate than this command: restart \
         it with this version"
    )]
    RunsOlder {
        /// The database.
        path: PathBuf,
    },
    /// Another program keeps it locked.
    #[error("the database {path} is locked by another program: close that one and start again")]
    Locked {
        /// The database.
        path: PathBuf,
    },
    /// Anything else the database said.
    #[error("the database {path} failed: look at its disk, or set storage.url to another place")]
    Failed {
        /// The database.
        path: PathBuf,
        /// What it said.
        source: sqlx::Error,
    },
}

impl StorageError {
    /// Sorts what the database said by SQLite's primary result codes (sqlite.org/rescode.html).
    pub(crate) fn of(path: &std::path::Path, source: sqlx::Error) -> Self {
        let path = path.to_owned();
        let code = source.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
        match code.map(|code| code & 0xff) {
            Some(11 | 26) => Self::Damaged { path, what: told(&source) },
            Some(5 | 6) => Self::Locked { path },
            Some(8 | 14) => Self::NotWritable { path, source: io::Error::other(told(&source)) },
            _ => Self::Failed { path, source },
        }
    }
}

/// The database's own words, without sqlx's around them.
fn told(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}
