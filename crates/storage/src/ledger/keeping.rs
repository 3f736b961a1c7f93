//! Writing rows, forgetting them, and whether they balance.

use std::collections::BTreeSet;

use keygate_domain::{LedgerBalance, LedgerRow};
use sqlx::any::AnyArguments;
use sqlx::error::DatabaseError;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AssertSqlSafe, Connection as _};

use super::DAY_MS;
use super::days::Days;
use super::text::kept;
use crate::place::Kind;
use crate::sql::{number, values};
use crate::{Storage, StorageError};

const COLUMNS: &str = "id, time_ms, request_id, client, user_name, provider, model, key_id, key_group, operation, \
     status, outcome, fault, attempt, input_tokens, output_tokens, thought_tokens, cached_tokens, total_tokens, \
     is_estimated, latency_ms, first_byte_ms, source";
const COLUMN_COUNT: usize = 23;

/// Rows of one statement.
const AT_ONCE: usize = 128;

const FORGET: &str = "DELETE FROM ledger WHERE id IN \
                      (SELECT id FROM ledger WHERE time_ms < $1 ORDER BY time_ms LIMIT $2)";

const FORGET_DAYS: [&str; 2] =
    ["DELETE FROM usage_days WHERE day < $1", "DELETE FROM usage_user_days WHERE day < $1"];

const BALANCE: &str = "SELECT outcome, COUNT(*) FROM ledger GROUP BY outcome";

/// Rows forgotten in one step: a fraction of a second of writing.
const FORGOTTEN_AT_ONCE: u32 = 5_000;

impl Storage {
    /// Writes rows, all or none, and says how many of them were new. A row that was written before
    /// stays as it is.
    ///
    /// # Errors
    /// What the database said.
    pub async fn write_ledger(&self, rows: &[LedgerRow]) -> Result<u64, StorageError> {
        let mut connection = self.writer().await?;
        // To look first takes a fifth of the time of writing, and nearly always all are new.
        let written = match write(&mut connection, self.kind(), rows, Seen::None).await {
            Err(error) if is_there(&error) => write(&mut connection, self.kind(), rows, Seen::Perhaps).await,
            written => written,
        };
        written.map_err(|error| self.failed(error))
    }

    /// Forgets days that ended before `before_ms`, the oldest rows first and not too many at once; says
    /// how many. To be asked again until it says 0, with pauses in which others can write.
    ///
    /// # Errors
    /// What the database said.
    pub async fn forget_ledger(&self, before_ms: i64) -> Result<u64, StorageError> {
        let mut connection = self.writer().await?;
        let forgotten = forget(&mut connection, before_ms.div_euclid(DAY_MS)).await;
        forgotten.map_err(|error| self.failed(error))
    }

    /// What became of all attempts that are kept.
    ///
    /// # Errors
    /// What the database said.
    pub async fn balance(&self) -> Result<LedgerBalance, StorageError> {
        let mut connection = self.reader().await?;
        let counts = sqlx::query_as::<_, (String, i64)>(BALANCE).fetch_all(&mut *connection).await;
        let mut balance = LedgerBalance::default();
        for (outcome, count) in counts.map_err(|error| self.failed(error))? {
            let count = u64::try_from(count).unwrap_or_default();
            balance.attempts += count;
            match outcome.as_str() {
                "settled" => balance.settled += count,
                "refunded" => balance.refunded += count,
                "lost" => balance.lost += count,
                // It shows: the sum does not hold.
                _ => {}
            }
        }
        Ok(balance)
    }
}

/// Which rows the database may have by now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// None; one that it has is an error.
    None,
    /// Any of them.
    Perhaps,
}

/// Whether it was refused because a row is there.
fn is_there(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(DatabaseError::is_unique_violation)
}

async fn write(
    connection: &mut AnyConnection,
    kind: Kind,
    rows: &[LedgerRow],
    seen: Seen,
) -> sqlx::Result<u64> {
    let mut transaction = connection.begin_with(kind.begin_writing()).await?;
    let mut days = Days::default();
    let mut met = BTreeSet::new();
    let mut new = 0;
    for rows in rows.chunks(AT_ONCE) {
        let mut rows: Vec<_> = rows.iter().collect();
        if seen == Seen::Perhaps {
            met.extend(written_before(&mut transaction, kind, &rows).await?);
            // The sums of days must count what is new, and that only.
            rows.retain(|row| met.insert(kept(&row.id)));
        }
        insert(&mut transaction, kind, &rows).await?;
        for row in &rows {
            days.add(row);
        }
        new += rows.len() as u64;
    }
    days.write(&mut transaction, kind).await?;
    transaction.commit().await?;
    Ok(new)
}

/// Which of these are there. Asking costs less than having the statement that writes tell which it wrote.
async fn written_before(
    connection: &mut AnyConnection,
    kind: Kind,
    rows: &[&LedgerRow],
) -> sqlx::Result<Vec<String>> {
    let statement = format!("SELECT id FROM ledger WHERE id IN (VALUES {})", values(kind, rows.len(), 1));
    let query = sqlx::query_scalar(AssertSqlSafe(statement));
    rows.iter().fold(query, |query, row| query.bind(kept(&row.id))).fetch_all(connection).await
}

async fn insert(connection: &mut AnyConnection, kind: Kind, rows: &[&LedgerRow]) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let statement =
        format!("INSERT INTO ledger ({COLUMNS}) VALUES {}", values(kind, rows.len(), COLUMN_COUNT));
    let query = rows.iter().fold(sqlx::query(AssertSqlSafe(statement)), |query, row| bind(query, row));
    query.execute(connection).await.map(drop)
}

/// Forgets what was before `day`: attempts, and when there are none left, the sums.
async fn forget(connection: &mut AnyConnection, day: i64) -> sqlx::Result<u64> {
    let rows = sqlx::query(FORGET).bind(day * DAY_MS).bind(i64::from(FORGOTTEN_AT_ONCE));
    let forgotten = rows.execute(&mut *connection).await?.rows_affected();
    if forgotten == 0 {
        for days in FORGET_DAYS {
            sqlx::query(days).bind(day).execute(&mut *connection).await?;
        }
    }
    Ok(forgotten)
}

type Insert<'q> = Query<'q, Any, AnyArguments>;

fn bind<'q>(query: Insert<'q>, row: &'q LedgerRow) -> Insert<'q> {
    query
        .bind(kept(&row.id))
        .bind(row.time_ms)
        .bind(kept(&row.request_id))
        .bind(kept(&row.client))
        .bind(kept(&row.user))
        .bind(kept(&row.provider))
        .bind(kept(&row.model))
        .bind(kept(&row.key_id))
        .bind(kept(&row.group))
        .bind(kept(&row.operation))
        .bind(i64::from(row.status))
        .bind(row.outcome.as_str())
        .bind(kept(&row.fault))
        .bind(i64::from(row.attempt))
        .bind(number(row.input_tokens))
        .bind(number(row.output_tokens))
        .bind(number(row.thought_tokens))
        .bind(number(row.cached_tokens))
        .bind(number(row.total_tokens))
        .bind(i64::from(row.is_estimated))
        .bind(number(row.latency_ms))
        .bind(row.first_byte_ms.map(number))
        .bind(row.source.as_str())
}
