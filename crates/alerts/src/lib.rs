//! What is worth an alert, who is told of it and when.
//!
//! Alerts are told by how things are, not by what happens: whoever watches says what is wrong by now
//! ([`Condition`]), and the [`AlertBook`] finds out what is new, what is over, and which channel has not
//! been told yet. So nothing is told twice because it happened twice, and what a channel missed while it
//! failed is made up for.

mod book;
mod channel;
mod condition;
mod forecast;
mod house;
mod kind;
mod letter;
mod of_pool;
mod settings;
mod shown;
mod standing;
#[cfg(test)]
mod tests;

pub use book::{AlertBook, Change, SavedBook};
pub use channel::{Channel, MailTarget, SecretUrl, Target};
pub use condition::{AlertId, Condition};
pub use forecast::in_words as forecast_in_words;
pub use house::{HouseCondition, of_house};
pub use kind::{AlertKind, Severity};
pub use letter::{Letter, Notice, Phase};
pub use of_pool::{KeysSeen, PoolWatch, of_pool};
pub use settings::AlertSettings;
pub use shown::{AlertsShown, ChannelShown, ChannelState, OpenAlert};
