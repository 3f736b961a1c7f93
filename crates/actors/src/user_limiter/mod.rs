//! One actor for all users, around their quotas.

mod actor;
mod admission;
mod handle;
mod messages;
#[cfg(test)]
mod tests;

pub use admission::{Admission, LimiterRefusal};
pub use handle::{UserLimiter, start_limiter};
