//! Prompts and answers on their way to the spans of their requests, where that is switched on.
//!
//! A worker only leaves bytes at the [`Desk`]; they are read, cleaned, cut and put on the span on the exporter's
//! thread, when the span is about to be sent. So a request never waits for it, and one whose trace is not sent
//! pays nothing. What is left there is bounded by bytes: where there is no room, a span says that its content is
//! missing.

mod desk;
mod inbox;
mod told;

pub use desk::ContentSlip;
pub(crate) use desk::{Desk, desk};
pub(crate) use inbox::Inbox;
