//! The sums of whole days.

use std::collections::BTreeMap;

use keygate_domain::{LedgerRow, UsageSums};
use sqlx::{AnyConnection, AssertSqlSafe};

use super::DAY_MS;
use super::text::kept;
use crate::place::Kind;
use crate::sql::{number, values};

/// The sums of each day.
const SUMS: [&str; 9] = [
    "requests",
    "attempts",
    "errors",
    "input_tokens",
    "output_tokens",
    "thought_tokens",
    "cached_tokens",
    "total_tokens",
    "estimated_tokens",
];

/// Rows of one statement.
const AT_ONCE: usize = 200;

/// What attempts add to the days they were on.
#[derive(Default)]
pub(super) struct Days {
    /// By client, key and model.
    by_key: BTreeMap<(i64, [String; 3]), UsageSums>,
    /// By client and user.
    by_user: BTreeMap<(i64, [String; 2]), UsageSums>,
}

impl Days {
    pub(super) fn add(&mut self, row: &LedgerRow) {
        let day = row.time_ms.div_euclid(DAY_MS);
        let (by_key, by_user) = ([&row.client, &row.key_id, &row.model], [&row.client, &row.user]);
        *self.by_key.entry((day, by_key.map(|text| kept(text)))).or_default() += sums_of(row);
        *self.by_user.entry((day, by_user.map(|text| kept(text)))).or_default() += sums_of(row);
    }

    /// Adds them to what is there.
    pub(super) async fn write(self, connection: &mut AnyConnection, kind: Kind) -> sqlx::Result<()> {
        write("usage_days", "client, key_id, model", self.by_key, connection, kind).await?;
        write("usage_user_days", "client, user_name", self.by_user, connection, kind).await
    }
}

/// Adds sums to those of `table`, which are told apart by the day and by these columns.
async fn write<const N: usize>(
    table: &str,
    by: &str,
    days: BTreeMap<(i64, [String; N]), UsageSums>,
    connection: &mut AnyConnection,
    kind: Kind,
) -> sqlx::Result<()> {
    let added = SUMS.map(|sum| format!("{sum} = kept.{sum} + excluded.{sum}")).join(", ");
    let days: Vec<_> = days.into_iter().collect();
    for days in days.chunks(AT_ONCE) {
        let rows = values(kind, days.len(), 1 + N + SUMS.len());
        let statement = format!(
            "INSERT INTO {table} AS kept VALUES {rows} ON CONFLICT (day, {by}) DO UPDATE SET {added}"
        );
        let mut query = sqlx::query(AssertSqlSafe(statement));
        for ((day, place), sums) in days {
            query = query.bind(*day);
            query = place.iter().fold(query, |query, part| query.bind(part.as_str()));
            query = numbers(sums).into_iter().fold(query, |query, sum| query.bind(number(sum)));
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// One attempt as sums; says the same as the statement over the ledger.
fn sums_of(row: &LedgerRow) -> UsageSums {
    UsageSums {
        requests: u64::from(row.attempt == 1),
        attempts: 1,
        errors: u64::from(!row.fault.is_empty()),
        input_tokens: row.input_tokens,
        output_tokens: row.output_tokens,
        thought_tokens: row.thought_tokens,
        cached_tokens: row.cached_tokens,
        total_tokens: row.total_tokens,
        estimated_tokens: if row.is_estimated { row.total_tokens } else { 0 },
    }
}

/// In the order of [`SUMS`].
fn numbers(sums: &UsageSums) -> [u64; 9] {
    [
        sums.requests,
        sums.attempts,
        sums.errors,
        sums.input_tokens,
        sums.output_tokens,
        sums.thought_tokens,
        sums.cached_tokens,
        sums.total_tokens,
        sums.estimated_tokens,
    ]
}
