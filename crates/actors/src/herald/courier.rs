//! How a channel is told; whoever starts the herald knows it.

use async_trait::async_trait;
use keygate_alerts::{Channel, Letter};

/// Tells channels. It lives on the herald's thread and never leaves it, like the HTTP client in it.
#[async_trait(?Send)]
pub trait Courier: 'static {
    /// Tells a channel, once.
    ///
    /// # Errors
    /// Why it did not take it, in words without any secret.
    async fn deliver(&self, channel: &Channel, letter: &Letter) -> Result<(), String>;
}
