//! From the runs to tables and a verdict.

mod figures;
mod goals;
mod markdown;
mod measured;

pub use figures::Figures;
pub use goals::{Goal, goals};
pub use markdown::markdown;
pub use measured::{Line, Measured};
