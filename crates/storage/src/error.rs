//! Why there is no database, and what an operator can do about it.

use std::io;

use thiserror::Error;

/// Why there is no database. Texts end with what to do next, and hold no password.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The folder of the file does not exist.
    #[error("there is no folder for the database {database}: create it, or set storage.url to another place")]
    NoFolder {
        /// The database.
        database: String,
    },
    /// There is none where one is needed.
    #[error("there is no database {database}: it is made when a gateway starts, or by `keygate db migrate`")]
    Missing {
        /// The database.
        database: String,
    },
    /// It is not where it was when it was opened.
    #[error(
        "the database {database} was moved away or replaced while it is in use: put it back, or start the gateway \
         again with the one that is there"
    )]
    Moved {
        /// The database.
        database: String,
    },
    /// The server does not have it.
    #[error("the server has no database {database}: create it (createdb), or name another in storage.url")]
    NotOnServer {
        /// The database.
        database: String,
    },
    /// The system does not let us write there.
    #[error(
        "the database {database} cannot be written: make it and its folder writable, or set storage.url to another \
         place"
    )]
    NotWritable {
        /// The database.
        database: String,
        /// What the system said.
        source: io::Error,
    },
    /// No space is left for it.
    #[error("the database {database} has no space left: free some on its disk")]
    Full {
        /// The database.
        database: String,
        /// What the database said.
        source: sqlx::Error,
    },
    /// Something else lies there.
    #[error("{database} is not a database of Keygate and was not touched: set storage.url to another place")]
    Foreign {
        /// What was found.
        database: String,
    },
    /// Another program's tables are there.
    #[error(
        "the schema {schema} of {database} has tables of another program ({table}) and was not touched: give \
         Keygate a database or a schema of its own"
    )]
    ForeignSchema {
        /// The database.
        database: String,
        /// The schema that new tables would go to.
        schema: String,
        /// One of the tables.
        table: String,
    },
    /// The database is damaged.
    #[error(
        "the database {database} is damaged and was not touched ({what}): restore a copy, or move it away to start with \
         an empty one"
    )]
    Damaged {
        /// The database.
        database: String,
        /// What is wrong with it.
        what: String,
    },
    /// A later version of the gateway wrote it.
    #[error(
        "the database {database} was written by a later version of Keygate (its schema is {found}, this version knows \
         {known}) and was not touched: start that version, or set storage.url to another place"
    )]
    Newer {
        /// The database.
        database: String,
        /// The schema it has.
        found: u32,
        /// The latest schema known here.
        known: u32,
    },
    /// An earlier version of the gateway wrote it, and it was not brought up to date since.
    #[error(
        "the database {database} was written by an earlier version of Keygate (its schema is {found}, this version \
         writes {known}): bring it up to date with `keygate db migrate`, or by starting this version's gateway"
    )]
    Older {
        /// The database.
        database: String,
        /// The schema it has.
        found: u32,
        /// The latest schema known here.
        known: u32,
    },
    /// Another gateway runs on it.
    #[error(
        "the database {database} is in use by another gateway{}: stop that one, or give this one a storage.url of its \
         own", holder.as_ref().map(|holder| format!(" ({holder})")).unwrap_or_default()
    )]
    InUse {
        /// The database.
        database: String,
        /// Which one, if that can be found out.
        holder: Option<String>,
    },
    /// Something is in it already.
    #[error(
        "the database {database} is not empty ({table} has rows) and was not touched: restore into a new one"
    )]
    NotEmpty {
        /// The database.
        database: String,
        /// A table that has rows.
        table: &'static str,
    },
    /// Another program keeps it locked.
    #[error("the database {database} is locked by another program: close that one and start again")]
    Locked {
        /// The database.
        database: String,
    },
    /// The server cannot be reached, or broke off.
    #[error(
        "the database {database} cannot be reached: start its server, or look at storage.url and at the network between"
    )]
    Unreachable {
        /// The database.
        database: String,
        /// What happened.
        source: sqlx::Error,
    },
    /// Connecting took too long.
    #[error("the database {database} does not answer: look at its server and at the network between")]
    Silent {
        /// The database.
        database: String,
    },
    /// The server does not let us in, or not do what must be done.
    #[error(
        "the server of the database {database} refuses ({what}): look at the user and the password in storage.url, and at that user's rights"
    )]
    Denied {
        /// The database.
        database: String,
        /// What it said.
        what: String,
    },
    /// Anything else the database said.
    #[error("the database {database} failed: look at its disk, or set storage.url to another place")]
    Failed {
        /// The database.
        database: String,
        /// What it said.
        source: sqlx::Error,
    },
}

impl StorageError {
    /// In a word or two, for those who are told no more: nothing of where the database is.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotWritable { .. } | Self::NoFolder { .. } => "read-only",
            Self::Full { .. } => "full",
            Self::Locked { .. } => "locked",
            Self::InUse { .. } => "in use by another gateway",
            Self::Unreachable { .. } => "unreachable",
            Self::Silent { .. } => "slow",
            Self::Denied { .. } => "access denied",
            Self::Damaged { .. } => "damaged",
            Self::Missing { .. } | Self::NotOnServer { .. } | Self::Moved { .. } => "missing",
            Self::Foreign { .. }
            | Self::ForeignSchema { .. }
            | Self::Newer { .. }
            | Self::Older { .. }
            | Self::NotEmpty { .. }
            | Self::Failed { .. } => "failed",
        }
    }

    /// Sorts what was said by the codes of SQLite and PostgreSQL.
    pub(crate) fn of(database: &str, source: sqlx::Error) -> Self {
        let database = database.to_owned();
        if matches!(source, sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_)) {
            return Self::Unreachable { database, source };
        }
        let told = source.as_database_error();
        let code = told.and_then(sqlx::error::DatabaseError::code).unwrap_or_default().into_owned();
        // SQLSTATE always has five characters; the codes of SQLite are lower numbers.
        if code.len() == 5 {
            Self::of_server(database, &code, source)
        } else {
            Self::of_file(database, code.parse().unwrap_or_default(), source)
        }
    }

    /// By SQLite's primary result codes (sqlite.org/rescode.html).
    fn of_file(database: String, code: u32, source: sqlx::Error) -> Self {
        match code & 0xff {
            5 | 6 => Self::Locked { database },
            8 | 14 => Self::NotWritable { database, source: io::Error::other(told(&source)) },
            11 | 26 => Self::Damaged { database, what: told(&source) },
            13 => Self::Full { database, source },
            _ => Self::Failed { database, source },
        }
    }

    /// By SQLSTATE (postgresql.org/docs/current/errcodes-appendix.html).
    fn of_server(database: String, code: &str, source: sqlx::Error) -> Self {
        match code {
            "28P01" | "28000" | "42501" => Self::Denied { database, what: told(&source) },
            "3D000" => Self::NotOnServer { database },
            "25006" => Self::NotWritable { database, source: io::Error::other(told(&source)) },
            "53100" => Self::Full { database, source },
            "55P03" | "57014" | "40P01" => Self::Locked { database },
            "XX001" | "XX002" => Self::Damaged { database, what: told(&source) },
            _ if code.starts_with("08") || code.starts_with("57P") || code == "53300" => {
                Self::Unreachable { database, source }
            }
            _ => Self::Failed { database, source },
        }
    }
}

/// The database's own words, without sqlx's around them.
fn told(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

#[cfg(test)]
mod tests {
    use sqlx::{AnyConnection, Connection as _};

    use super::*;

    #[tokio::test]
    async fn a_full_disk_is_told_as_one() {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect("sqlite::memory:").await.unwrap();
        let small = "CREATE TABLE t (x TEXT); PRAGMA max_page_count = 3";
        sqlx::raw_sql(small).execute(&mut connection).await.unwrap();
        let large = sqlx::raw_sql("INSERT INTO t VALUES (hex(zeroblob(100000)))");
        let error = large.execute(&mut connection).await.unwrap_err();
        assert_eq!(StorageError::of("keygate.db", error).reason(), "full");
    }
}
