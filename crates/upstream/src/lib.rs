//! The only crate that knows the HTTP client and the WebSocket protocol.
//!
//! It sends an adapter's request to one configured base URL and hands the answer back as it
//! comes. It retries nothing, follows no redirect and judges nothing: whether a request may be
//! sent again is the journey's question, and a redirect could lead off the provider's host.

mod answer;
mod client;
mod failure;
mod pipe;
mod websocket;

pub use answer::{BodyBroken, BodyLost, ErrorText, UpstreamAnswer};
pub use client::{ClientSettings, Connected, Upstream, UpstreamClient};
pub use failure::{ClientUnusable, SendFailure, SendFailureKind};
pub use pipe::{BrokenOff, PipeIn, PipedBody, Room, Unwanted, pipe};
pub use websocket::{
    Gone, Heard, Incoming, Lost, MOST_MESSAGE_BYTES, Message, Outgoing, WebSocket, accept_key,
};
