//! Has bots renew their sessions when a provider rate-limits, behind everybody's back.

mod errand;
mod handle;
mod noted;
mod round;
#[cfg(test)]
mod tests;

pub use errand::{KeeperErrand, RefreshWish};
pub use handle::{Keepers, KeepersPost, LimitMet, session_keepers};
pub use noted::KeepersNoted;
