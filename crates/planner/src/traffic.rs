//! Who asks for what, and when.

use std::sync::Arc;
use std::time::Duration;

use keygate_domain::ModelName;

/// One request on its way to the gateway.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// When, since the scenario began.
    pub at: Duration,
    /// Whose, by position in [`Traffic::users`].
    pub user: u32,
    /// For which model, by position in [`Traffic::models`].
    pub model: u16,
    /// Tokens sent.
    pub input_tokens: u64,
    /// Tokens that the answer will have.
    pub output_tokens: u64,
}

/// A traffic that can be had again and again, each time the same.
pub trait Traffic {
    /// The names of its users.
    fn users(&self) -> &[Arc<str>];

    /// The models they ask for; at least one.
    fn models(&self) -> &[ModelName];

    /// Every request, in the order of time.
    fn arrivals(&self) -> Box<dyn Iterator<Item = Arrival> + '_>;
}
