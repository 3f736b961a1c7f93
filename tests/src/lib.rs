//! The harness of the house tests: the real binary as a child process, simulated providers in this one.
//!
//! A test states its YAML and its environment and gets a gateway that listens; nothing of the machine's own
//! environment, working directory or fixed ports reaches it. The harness reports what goes wrong by panicking with
//! the gateway's log, because its only callers are tests.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "its only callers are tests, which report by panicking"
)]

mod binary;
mod keygate;
mod postgres;
mod providers;
mod time_lapse;
mod wait;

pub use binary::keygate_binary;
pub use keygate::{Exit, Keygate};
pub use keygate_simulator as sim;
pub use postgres::{PostgresDatabase, PostgresServer};
pub use providers::{SIMULATED_KEYS, configuration, simulator};
pub use time_lapse::time_lapse;
pub use wait::{PATIENCE, eventually};
