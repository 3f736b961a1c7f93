//! The repository of what attempts cost.
//!
//! Sums come from `usage_days` and, by user, from `usage_user_days`, which have far fewer rows, and from
//! the ledger for the parts of days at the ends of a report. All are written in one transaction.

mod days;
mod keeping;
mod plan_use;
mod sums;
mod text;
mod usage;

/// Days are those of UTC.
const DAY_MS: i64 = 86_400_000;

pub use plan_use::PlanUse;
