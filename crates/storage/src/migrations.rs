//! From the schema a database has to the one this version knows.
//!
//! Each step is one transaction together with the number of the schema, so that a start that was
//! cut off is taken up where it was. A change of the JSON in a row that an earlier version would
//! misread is a step too: earlier versions then refuse the database instead.

use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

/// The steps; the first leads to schema 1.
const STEPS: &[&str] =
    &[include_str!("../migrations/0001_pool_state.sql"), include_str!("../migrations/0002_answers.sql")];

/// The latest schema known.
pub(crate) const LATEST: u32 = STEPS.len() as u32;

/// The schema a database has; 0 is an empty one.
pub(crate) async fn schema_of(connection: &mut SqliteConnection) -> sqlx::Result<u32> {
    sqlx::query_scalar("PRAGMA user_version").fetch_one(connection).await
}

/// Takes the steps that are missing.
pub(crate) async fn migrate(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    let schema = schema_of(connection).await?;
    let missing = (1..).zip(STEPS).filter(|(number, _)| *number > schema);
    for (number, step) in missing {
        let mut transaction = connection.begin().await?;
        sqlx::raw_sql(*step).execute(&mut *transaction).await?;
        let numbered = AssertSqlSafe(format!("PRAGMA user_version = {number}"));
        sqlx::raw_sql(numbered).execute(&mut *transaction).await?;
        transaction.commit().await?;
    }
    Ok(())
}
