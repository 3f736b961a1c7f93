//! What telemetry is told to do. Plain values: reading files and variables is the caller's.

use std::time::Duration;

/// How the process logs and where its traces go.
#[derive(Clone, Debug)]
pub struct TelemetrySettings {
    /// How a log line looks.
    pub log_format: LogFormat,
    /// Which lines are written, in the language of `RUST_LOG`: `info`, `warn,keygate_http=debug`.
    /// The caller has already decided between `RUST_LOG`, `LOG_LEVEL` and the configuration.
    pub log_level: String,
    /// Where traces go; `None` means that no span is ever made.
    pub otlp: Option<OtlpSettings>,
    /// `service.version` of every span.
    pub service_version: String,
}

/// How a log line looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// One line for people; coloured on a terminal, unless `NO_COLOR` is set.
    #[default]
    Pretty,
    /// One JSON object a line, with `trace_id` and `span_id` of a sampled request.
    Json,
}

/// Where traces go.
#[derive(Clone, PartialEq, Debug)]
pub struct OtlpSettings {
    /// The receiver's base URL: `http://127.0.0.1:4317`. Over HTTP `/v1/traces` is added to it,
    /// unless it is there already.
    pub endpoint: String,
    /// The transport.
    pub protocol: OtlpProtocol,
    /// The share of requests traced, 0.0 to 1.0. A request that comes with a `traceparent` follows
    /// its flag instead.
    pub sample: f64,
    /// Most bytes of prompt and answer on a span; `None` keeps them in the house.
    pub content_bytes: Option<usize>,
    /// How often metrics are sent; `None` if they are not.
    pub metrics_every: Option<Duration>,
}

/// The transport of OTLP.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OtlpProtocol {
    /// gRPC, usually port 4317.
    #[default]
    Grpc,
    /// Protobuf over HTTP, usually port 4318.
    Http,
}
