//! What is summed up: over attempts in the ledger, over days, and of one attempt that is being written.

use keygate_domain::{LedgerRow, UsageSums};
use sqlx::Row as _;
use sqlx::any::AnyRow;

/// One of the sums.
pub(super) struct Sum {
    /// Its column in the tables of days.
    pub(super) column: &'static str,
    /// What an attempt in the ledger adds to it; [`of_attempt`] says the same.
    of_attempt: &'static str,
    place: fn(&mut UsageSums) -> &mut u64,
}

const fn sum(column: &'static str, of_attempt: &'static str, place: fn(&mut UsageSums) -> &mut u64) -> Sum {
    Sum { column, of_attempt, place }
}

/// All of them, in the order of the columns of the tables.
pub(super) const SUMS: [Sum; 9] = [
    sum("requests", "CASE WHEN attempt = 1 THEN 1 ELSE 0 END", |sums| &mut sums.requests),
    sum("attempts", "1", |sums| &mut sums.attempts),
    sum("errors", "CASE WHEN fault = '' THEN 0 ELSE 1 END", |sums| &mut sums.errors),
    sum("input_tokens", "input_tokens", |sums| &mut sums.input_tokens),
    sum("output_tokens", "output_tokens", |sums| &mut sums.output_tokens),
    sum("thought_tokens", "thought_tokens", |sums| &mut sums.thought_tokens),
    sum("cached_tokens", "cached_tokens", |sums| &mut sums.cached_tokens),
    sum("total_tokens", "total_tokens", |sums| &mut sums.total_tokens),
    sum("estimated_tokens", "is_estimated * total_tokens", |sums| &mut sums.estimated_tokens),
];

/// One attempt as sums.
pub(super) fn of_attempt(row: &LedgerRow) -> UsageSums {
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

/// The numbers, in the order of [`SUMS`].
pub(super) fn numbers(mut sums: UsageSums) -> [u64; SUMS.len()] {
    SUMS.map(|sum| *(sum.place)(&mut sums))
}

/// The columns of a statement that sums up attempts.
pub(super) fn over_attempts() -> String {
    added_up(|sum| sum.of_attempt)
}

/// The columns of a statement that sums up days.
pub(super) fn over_days() -> String {
    added_up(|sum| sum.column)
}

fn added_up(what: impl Fn(&Sum) -> &'static str) -> String {
    SUMS.map(|sum| format!("CAST(SUM({}) AS BIGINT)", what(&sum))).join(", ")
}

/// The sums of a line, of which the first is in its column `first`.
pub(super) fn read(row: &AnyRow, first: usize) -> sqlx::Result<UsageSums> {
    let mut sums = UsageSums::default();
    for (column, sum) in (first..).zip(SUMS) {
        // A sum over nothing is NULL.
        let number: Option<i64> = row.try_get(column)?;
        *(sum.place)(&mut sums) = number.and_then(|number| number.try_into().ok()).unwrap_or_default();
    }
    Ok(sums)
}
