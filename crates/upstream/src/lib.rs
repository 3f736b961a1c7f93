//! The only crate that knows the HTTP client.
//!
//! It sends an adapter's request to one configured base URL and hands the answer back as it
//! comes. It retries nothing, follows no redirect and judges nothing: whether a request may be
//! sent again is the journey's question, and a redirect could lead off the provider's host.

mod answer;
mod client;
mod failure;
mod pipe;

pub use answer::{BodyBroken, BodyLost, ErrorText, UpstreamAnswer};
pub use client::{ClientSettings, Upstream, UpstreamClient};
pub use failure::{ClientUnusable, SendFailure, SendFailureKind};
pub use pipe::{BrokenOff, PipeIn, PipedBody, Room, Unwanted, pipe};
