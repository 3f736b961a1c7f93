//! `telemetry:`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::or_default;
use crate::choice::LogLevel;
use crate::config::{LogFormat, OtlpProtocol};
use crate::setting::{Setting, Share};

/// Logs, traces and metrics.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TelemetrySection {
    /// Logs, on standard error.
    #[serde(deserialize_with = "or_default")]
    pub(crate) log: LogSection,
    /// Traces, sent as OTLP.
    #[serde(deserialize_with = "or_default")]
    pub(crate) otlp: OtlpSection,
    /// Whether `GET /metrics` tells Prometheus what was counted.
    pub(crate) metrics: Setting<bool>,
}

impl Default for TelemetrySection {
    fn default() -> Self {
        Self { log: LogSection::default(), otlp: OtlpSection::default(), metrics: Setting(true) }
    }
}

/// Logs, on standard error.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogSection {
    /// How a line looks: `pretty` for people, `json` for collectors.
    pub(crate) format: Setting<LogFormat>,
    /// `off`, `error`, `warn`, `info`, `debug` or `trace`, or directives such as
    /// `info,keygate_pool=debug`. The variables `LOG_LEVEL` and `RUST_LOG` set it too.
    pub(crate) level: Setting<LogLevel>,
}

impl Default for LogSection {
    fn default() -> Self {
        Self { format: Setting::default(), level: Setting(LogLevel("info".to_owned())) }
    }
}

/// Traces, sent as OTLP.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OtlpSection {
    /// Where spans are sent, such as `http://127.0.0.1:4317`; nowhere if `null`.
    pub(crate) endpoint: Setting<Option<Url>>,
    /// `grpc` (usually port 4317) or `http` (usually port 4318).
    pub(crate) protocol: Setting<OtlpProtocol>,
    /// The share of traces that is sent, from 0 to 1.
    pub(crate) sample: Setting<Share>,
}

impl Default for OtlpSection {
    fn default() -> Self {
        Self { endpoint: Setting(None), protocol: Setting::default(), sample: Setting(Share(1.0)) }
    }
}
