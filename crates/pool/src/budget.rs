//! Budgets: what a quota group used of each bucket, and from when on it may use more.
//!
//! A request is counted before it is sent and corrected by what the provider reports (reserve, settle).
//! The pool keeps a group that has nothing left of a bucket out of the bucket's lane, like one that
//! rests, until the moment at which a smallest request fits again.

mod amounts;
mod calendar_count;
mod estimates;
mod meter;
mod meters;
mod pace;
mod policy;
mod running;
mod saved;
mod sessions;
mod stop;
mod tally;
mod window;

pub(crate) use estimates::Estimates;
pub(crate) use meter::{BegunSession, Meter, Reservation, Room};
pub(crate) use meters::Meters;
pub use policy::Budgets;
pub(crate) use saved::SavedMeter;
pub use saved::SpentState;
pub(crate) use stop::Stop;
