//! The actor that writes down what must outlive the process, behind everybody's back.

mod actor;
mod agenda;
mod handle;
mod messages;
mod shelf;
mod spool;
#[cfg(test)]
mod tests;

pub use handle::{Bookkeeper, start_bookkeeper};
pub use shelf::{Shelf, ShelfTrouble};

pub(crate) use handle::Condition;
pub(crate) use messages::TakeUnsaved;
