//! The sums of whole days.

use std::collections::BTreeMap;

use keygate_domain::{LedgerRow, UsageSums};
use sqlx::{AnyConnection, AssertSqlSafe};

use super::DAY_MS;
use super::sums::{SUMS, numbers, of_attempt};
use super::text::kept;
use crate::place::Kind;
use crate::sql::{number, values};

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
        *self.by_key.entry((day, by_key.map(|text| kept(text)))).or_default() += of_attempt(row);
        *self.by_user.entry((day, by_user.map(|text| kept(text)))).or_default() += of_attempt(row);
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
    let added = SUMS.map(|sum| format!("{0} = kept.{0} + excluded.{0}", sum.column)).join(", ");
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
            query = numbers(*sums).into_iter().fold(query, |query, sum| query.bind(number(sum)));
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}
