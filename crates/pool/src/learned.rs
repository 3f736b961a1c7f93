//! What providers told of the groups: their limits, and what an operator should know of them.

mod limits;
mod warning;

pub use limits::StatedLimit;
pub(crate) use limits::{SavedLimit, StatedLimits, Statement};
pub use warning::{KeyPlace, Warning};
