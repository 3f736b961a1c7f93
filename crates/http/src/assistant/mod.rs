//! The assistant: plain questions and plain answers, for backends without an SDK.
//!
//! A question becomes a native call of Gemini and goes the way of every other request ([`journey`]): there is
//! no second path to the provider, and everything that holds for a call holds for a question.
//!
//! [`journey`]: keygate_journey

mod asking;
mod batch;
mod events;
mod line_reader;
mod query;
mod question;
mod refusal;
mod reply;

pub(crate) use batch::batch;
pub(crate) use query::query;
