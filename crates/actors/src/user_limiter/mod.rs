//! One actor for all users, around their quotas.

mod actor;
mod admission;
mod call;
mod crowd;
mod handle;
mod messages;
#[cfg(test)]
mod tests;

pub use admission::{Admission, LimiterRefusal};
pub use call::UserCall;
pub use handle::{UserLimiter, start_limiter};
