//! From the schema a database has to the one this version knows.
//!
//! Each step is one transaction together with the number of the schema, so that a start that was
//! cut off is taken up where it was. A change of the JSON in a row that an earlier version would
//! misread is a step too: earlier versions then refuse the database instead.

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

use crate::StorageError;
use crate::place::Kind;

/// The steps; the first leads to schema 1.
const STEPS: &[&str] = &[
    include_str!("../migrations/0001_pool_state.sql"),
    include_str!("../migrations/0002_ledger.sql"),
    include_str!("../migrations/0003_tokens.sql"),
    include_str!("../migrations/0004_audit.sql"),
    include_str!("../migrations/0005_answers.sql"),
    include_str!("../migrations/0006_notes.sql"),
    include_str!("../migrations/0007_user_days.sql"),
];

/// The latest schema known.
pub(crate) const LATEST: u32 = STEPS.len() as u32;

/// Where PostgreSQL keeps the number of the schema; SQLite has a place for it in the file's head.
pub(crate) const SCHEMA_TABLE: &str = "keygate_schema";

/// The schema a database of ours has; 0 is an empty one.
pub(crate) async fn schema_of(connection: &mut AnyConnection, kind: Kind) -> sqlx::Result<u32> {
    let number = match kind {
        Kind::Sqlite => "PRAGMA user_version",
        Kind::Postgres => "SELECT version FROM keygate_schema",
    };
    let found = sqlx::query_scalar::<_, i64>(number).fetch_optional(connection).await?;
    Ok(found.and_then(|found| found.try_into().ok()).unwrap_or_default())
}

/// Takes the steps from schema `from` to schema `to`.
pub(crate) async fn migrate(
    connection: &mut AnyConnection,
    kind: Kind,
    from: u32,
    to: u32,
) -> sqlx::Result<()> {
    let missing = (1..=to).zip(STEPS).filter(|(number, _)| *number > from);
    for (number, step) in missing {
        let mut transaction = connection.begin_with(kind.begin_writing()).await?;
        if kind == Kind::Postgres {
            // A large table takes as long as it takes.
            sqlx::raw_sql("SET LOCAL statement_timeout = 0").execute(&mut *transaction).await?;
        }
        sqlx::raw_sql(*step).execute(&mut *transaction).await?;
        sqlx::raw_sql(AssertSqlSafe(numbered(kind, number))).execute(&mut *transaction).await?;
        transaction.commit().await?;
    }
    Ok(())
}

fn numbered(kind: Kind, number: u32) -> String {
    match kind {
        Kind::Sqlite => format!("PRAGMA user_version = {number}"),
        Kind::Postgres => format!(
            "CREATE TABLE IF NOT EXISTS {SCHEMA_TABLE} (version BIGINT NOT NULL); \
             DELETE FROM {SCHEMA_TABLE}; INSERT INTO {SCHEMA_TABLE} VALUES ({number})"
        ),
    }
}

pub(crate) fn refuse_newer(database: &str, found: u32) -> Result<(), StorageError> {
    if found <= LATEST {
        return Ok(());
    }
    Err(StorageError::Newer { database: database.to_owned(), found, known: LATEST })
}

pub(crate) fn refuse_older(database: &str, found: u32) -> Result<(), StorageError> {
    if found >= LATEST {
        return Ok(());
    }
    Err(StorageError::Older { database: database.to_owned(), found, known: LATEST })
}
