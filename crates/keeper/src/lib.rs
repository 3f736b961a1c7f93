//! When a bot is asked to renew its session.
//!
//! A bot beside the chat backend loses its session just when the provider rate-limits. What follows from that
//! is decided here, on a clock that is handed in; the asking is done elsewhere.

mod credentials;
mod keeper;
mod settings;

pub use credentials::{BotCredentials, InvalidCookies};
pub use keeper::{Keeper, KeeperShown, KeeperState, Outcome, SavedKeeper};
pub use settings::{KeeperKind, KeeperSettings, OfficialAccount};
