//! One actor per provider, around its key pool.

mod actor;
mod gathering;
mod handle;
mod keeping;
mod lease;
mod messages;
mod probing;
mod spec;
#[cfg(test)]
pub(crate) mod tests;
mod waiting;
#[cfg(test)]
mod waiting_tests;

pub use handle::{KeySupervisor, start_supervisor};
pub use lease::{GroupPass, KeyLease, LeaseRefused, Leased};
pub use spec::SupervisorSpec;
