//! The sums of whole days.

use std::collections::BTreeMap;

use keygate_domain::{LedgerRow, UsageSums};
use sqlx::{AnyConnection, AssertSqlSafe};

use super::DAY_MS;
use super::text::kept;
use crate::place::Kind;
use crate::sql::{number, values};

const COLUMN_COUNT: usize = 13;

/// Rows of one statement.
const AT_ONCE: usize = 200;

/// What is summed up apart: day, client, key, model.
type Place = (i64, String, String, String);

/// What attempts add to the days they were on.
#[derive(Default)]
pub(super) struct Days(BTreeMap<Place, UsageSums>);

impl Days {
    pub(super) fn add(&mut self, row: &LedgerRow) {
        let place = (row.time_ms.div_euclid(DAY_MS), kept(&row.client), kept(&row.key_id), kept(&row.model));
        *self.0.entry(place).or_default() += sums_of(row);
    }

    /// Adds them to what is there.
    pub(super) async fn write(self, connection: &mut AnyConnection, kind: Kind) -> sqlx::Result<()> {
        let days: Vec<_> = self.0.into_iter().collect();
        for days in days.chunks(AT_ONCE) {
            let statement = format!(
                "INSERT INTO usage_days AS kept VALUES {} ON CONFLICT (day, client, key_id, model) DO UPDATE SET \
                 requests = kept.requests + excluded.requests, attempts = kept.attempts + excluded.attempts, \
                 errors = kept.errors + excluded.errors, \
                 input_tokens = kept.input_tokens + excluded.input_tokens, \
                 output_tokens = kept.output_tokens + excluded.output_tokens, \
                 thought_tokens = kept.thought_tokens + excluded.thought_tokens, \
                 cached_tokens = kept.cached_tokens + excluded.cached_tokens, \
                 total_tokens = kept.total_tokens + excluded.total_tokens, \
                 estimated_tokens = kept.estimated_tokens + excluded.estimated_tokens",
                values(kind, days.len(), COLUMN_COUNT)
            );
            let mut query = sqlx::query(AssertSqlSafe(statement));
            for ((day, client, key_id, model), sums) in days {
                query = query.bind(*day).bind(client.as_str()).bind(key_id.as_str()).bind(model.as_str());
                for sum in numbers(sums) {
                    query = query.bind(number(sum));
                }
            }
            query.execute(&mut *connection).await?;
        }
        Ok(())
    }
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

/// In the order of the table's columns.
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
