//! Has bots renew their sessions when a provider rate-limits, behind everybody's back.

mod errand;
mod handle;
mod round;
#[cfg(test)]
mod tests;

pub use errand::{KeeperErrand, RefreshWish};
pub use handle::{Keepers, KeepersPost, LimitMet, session_keepers};
