//! The fence around a machine: a panic inside it stays inside.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The machine panicked and must not be used again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Panicked;

/// Runs one call of a machine.
///
/// actix kills an actor whose handler panics, supervised or not, so the panic is caught here and
/// the actor stops itself; that its supervisor does restart, with the queue intact. Asserting
/// unwind safety is right because the caller throws the machine away after a panic.
pub(crate) fn fenced<T>(call: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| Panicked)
}
