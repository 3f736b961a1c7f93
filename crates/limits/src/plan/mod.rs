//! Plans: what a user may have in a day and in a month, and what is done about more.
//!
//! Days and months are those of UTC. What is asked for is reserved before it is sent and settled
//! with what it came to, so that calls side by side cannot overshoot.

mod account;
mod book;
mod calendar;
mod terms;

pub use account::{Amount, Used};
pub use book::{PlanBook, PlanExhausted, PlanStanding, Reservation};
pub use terms::{Allowed, Overage, Plan, PlanMetric, Plans, Price};
