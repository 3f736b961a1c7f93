//! Printing for people and pipes.

use std::io::{self, Write};

/// Writes a line to stdout. A reader that went away (`keygate schema | head`) is not an error.
pub(crate) fn line(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Writes a line to stderr, for what is not the command's result.
pub(crate) fn remark(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
