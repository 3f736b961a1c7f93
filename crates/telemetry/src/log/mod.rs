//! Log lines: which are written, what they look like, and who takes secrets out of them.

mod filter;
mod line;
mod panics;
mod writer;

pub(crate) use filter::filter;
pub(crate) use line::JsonLine;
pub(crate) use panics::to_log as panics_to_log;
pub(crate) use writer::{RedactingWriter, non_blocking};
