//! The adapter as the journey uses it: through its catalogue entry, without a network.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers included")]

mod asking;
mod calls;
mod engines;
mod faults;
mod free_call;
mod management;
mod refusals;
mod signalling;
mod starting_abroad;
