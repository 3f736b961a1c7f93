//! Writes down who did what, behind everybody's back: a bounded queue to a round that lives with the clerks.

mod book;
mod gathering;
mod handle;
mod round;
#[cfg(test)]
mod tests;

pub use book::AuditBook;
pub use gathering::StrangeLogin;
pub use handle::{Auditor, audit_entry, start_auditor};
