//! Tells people what is wrong. Looks by itself how things are, so that nobody waits for it or is held up by it.

mod courier;
mod handle;
mod key_ages;
mod round;
#[cfg(test)]
pub(crate) mod tests;
mod watch;

pub use courier::Courier;
pub use handle::{Herald, HeraldPost, herald};
pub use key_ages::{key_ages, key_ages_topic};
pub use watch::{HeraldWatch, WatchedPool};
