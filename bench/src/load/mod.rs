//! The load: who sends when, and what came of it.

mod closed;
mod open;
mod plan;
mod tally;

pub use plan::{Plan, run};
pub use tally::Tally;
