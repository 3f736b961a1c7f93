//! Makes the free calls that find out whether disabled keys work again.

mod actor;
mod errand;
mod handle;
mod messages;
#[cfg(test)]
mod tests;

pub use errand::Errand;
pub use handle::{Prober, start_prober};
pub(crate) use messages::Probed;
