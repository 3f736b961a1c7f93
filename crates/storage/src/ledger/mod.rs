//! The repository of what attempts cost.
//!
//! Sums by user come from the ledger itself, by an index that holds all they need. All other sums come
//! from `usage_days`, which has far fewer rows, and from the ledger for the parts of days at the ends
//! of a report. Both are written in one transaction.

mod days;
mod keeping;
mod plan_use;
mod text;
mod usage;

/// Days are those of UTC.
const DAY_MS: i64 = 86_400_000;

pub use plan_use::PlanUse;
