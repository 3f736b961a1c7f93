//! A panic as a log line: in the log's format, and past the redactor like every other line.

use std::panic::{self, PanicHookInfo};

use tracing::error;

/// Sends what a panic says to the log instead of to standard error as it is.
pub(crate) fn to_log() {
    panic::set_hook(Box::new(|panicked| {
        let place = panicked.location().map(ToString::to_string).unwrap_or_default();
        error!(event = "process.panicked", place, "panicked: {}", said(panicked));
    }));
}

fn said<'p>(panicked: &'p PanicHookInfo<'_>) -> &'p str {
    panicked.payload_as_str().unwrap_or("without words")
}
