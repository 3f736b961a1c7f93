//! The way of a line from the thread that logs to standard error.

use std::io::{self, Write};

use keygate_domain::Redactor;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};

/// Lines waiting for a slow reader. Beyond it lines are dropped: a log that cannot be written
/// must not slow a request down, nor grow.
const MOST_WAITING_LINES: usize = 8_192;

/// Hands lines to a thread of its own, which redacts and writes them.
pub(crate) fn non_blocking(
    writer: RedactingWriter<impl Write + Send + 'static>,
) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(MOST_WAITING_LINES)
        .thread_name("keygate-log")
        .finish(writer)
}

/// Takes secrets out of every line. Each `write` must be one whole line, as it is behind
/// [`non_blocking`]: a secret cut in two would not be found.
pub(crate) struct RedactingWriter<W> {
    redactor: Redactor,
    inner: W,
}

impl<W: Write> RedactingWriter<W> {
    /// Writes to `inner` what `redactor` leaves.
    pub(crate) fn new(redactor: Redactor, inner: W) -> Self {
        Self { redactor, inner }
    }
}

impl<W: Write> Write for RedactingWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.inner.write_all(&self.redactor.scrub(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
