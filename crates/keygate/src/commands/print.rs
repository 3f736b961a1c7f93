//! Printing for people and pipes.

use std::error::Error;
use std::io::{self, Write};

/// Writes a line to stdout. A reader that went away (`keygate schema | head`) is not an error.
pub(crate) fn line(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Writes a line to stderr, for what is not the command's result.
pub(crate) fn remark(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes why something failed to stderr, with what it came from.
pub(crate) fn failure(error: &dyn Error) {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    remark(&text);
}
