//! How a bot is asked; whoever starts the keepers knows it.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use keygate_keeper::{KeeperSettings, Outcome};

/// Why a bot is to renew its session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefreshWish {
    /// `rate_limited`, `quota_exhausted` or `scheduled`.
    pub reason: &'static str,
    /// Whose limit was met, if one was.
    pub provider: Option<&'static str>,
    /// When it was decided.
    pub at: Timestamp,
}

/// Asks bots. It lives on the keepers' thread and never leaves it, like the HTTP client in it.
#[async_trait(?Send)]
pub trait KeeperErrand: 'static {
    /// Has a session renewed.
    async fn renew(&self, keeper: &KeeperSettings, wish: &RefreshWish) -> Outcome;

    /// When it is to be renewed without anybody's need, if at all.
    fn due_in(&self, keeper: &KeeperSettings, now: Timestamp) -> Option<Duration>;
}
