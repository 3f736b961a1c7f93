//! Logs, traces, metrics and their redaction: the only crate that knows OpenTelemetry.
//!
//! [`start`] installs what a process needs; [`spans`] makes the spans of a request, so that every
//! name and attribute stands in one place; [`metrics`] counts, and writes what a scraper reads.
//!
//! Three decisions shape it:
//! - **Spans are for traces, not for logs.** They live under the target [`spans::TARGET`], which
//!   the log leaves out unless its level names it. Without OTLP such a span is never made. A log
//!   event that needs the request id carries it as a field of its own.
//! - **A request is sampled once, before its first span.** An unsampled one gets a disabled root,
//!   and a disabled parent has disabled children: it pays for one random number, not for a tree
//!   that is thrown away at the end. See [`spans::root`].
//! - **Secrets are taken out at the door.** Log lines pass the redactor on the writer's thread,
//!   spans on the exporter's: neither costs a request anything, and no way leads around it.

mod content;
mod error;
mod export;
mod log;
pub mod metrics;
mod propagation;
mod sampling;
mod settings;
pub mod spans;
mod telemetry;

pub use content::ContentSlip;
pub use error::TelemetryError;
pub use export::{Deliveries, MetricsPush, MetricsSource};
pub use settings::{LogFormat, OtlpProtocol, OtlpSettings, TelemetrySettings};
pub use telemetry::{Telemetry, start};
