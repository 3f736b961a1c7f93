//! The simulator over real sockets, seen by a client that looks at bytes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "all of this is test code; its deadline for conditions is real time"
)]

mod anam;
mod client;
mod control;
mod errors;
mod faults;
mod gemini;
mod interactions;
mod kept;
mod live;
mod quota;
mod resources;
