//! One actor that writes down what attempts cost, and what requests hand to it.

mod actor;
mod counts;
mod entry;
mod forgetting;
mod handle;
mod messages;
mod shelf;
mod spool;
#[cfg(test)]
mod tests;

pub use counts::LedgerCounts;
pub use entry::{LedgerEntry, OpenEntry};
pub use handle::{Ledger, LedgerSpec, start_ledger};
pub use shelf::LedgerShelf;
