//! Calls to people's channels and to bots: webhooks, chat rooms, mail, session keepers.
//!
//! The only crate that knows the mail library. HTTP goes out by the one client of the house. Nothing in here
//! repeats, waits for its turn or decides who is told: that is the alert book's and the keeper's affair. What is
//! wrong is said without addresses and tokens, which are secrets.

mod bot;
mod digest;
mod mail;
mod messenger;
mod payload;
mod post;
mod signature;
mod token_file;
mod trouble;
mod zalo;

pub use bot::{BotCaller, RefreshCall};
pub use messenger::Messenger;
pub use signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER, signature};
pub use token_file::{TokenFile, TokenFileTrouble, Tokens};
pub use trouble::SendTrouble;
