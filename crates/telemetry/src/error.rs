//! Why telemetry cannot start, wholly or in part.

use std::error::Error;

/// Why logging or tracing cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log level cannot be read. Fatal: an operator who asks for lines must get them.
    #[error(
        "cannot read the log level {level:?}; use error, warn, info, debug, trace, or target=level pairs as in \"info,keygate_http=debug\""
    )]
    LogLevel {
        /// What was asked for.
        level: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Something else in this process already receives its events.
    #[error("telemetry was already started in this process")]
    AlreadyStarted(#[source] tracing_subscriber::util::TryInitError),
    /// No trace can be sent. Never fatal: [`crate::start`] logs it and the process goes on.
    #[error("cannot send traces to {endpoint}")]
    Otlp {
        /// Where they should have gone.
        endpoint: String,
        /// Why they cannot.
        source: Box<dyn Error + Send + Sync>,
    },
}
