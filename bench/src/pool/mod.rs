//! The key pool by itself: what a request costs in it, with few keys and with thousands.

mod cases;
mod queues;
mod table;
mod world;

pub use cases::{Case, Row, cases, memory};
pub use queues::queues;
pub use table::{Goal, goals, print};
