//! `telemetry:`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::or_default;
use crate::choice::LogLevel;
use crate::config::{LogFormat, OtlpProtocol};
use crate::setting::{Setting, Share};
use crate::units::ByteSize;

/// Logs, traces and metrics.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TelemetrySection {
    /// Logs, on standard error.
    #[serde(deserialize_with = "or_default")]
    pub(crate) log: LogSection,
    /// Traces and metrics, sent as OTLP.
    #[serde(deserialize_with = "or_default")]
    pub(crate) otlp: OtlpSection,
    /// Whether prompts and answers go along with traces.
    #[serde(deserialize_with = "or_default")]
    pub(crate) capture_content: CaptureContentSection,
    /// Whether `GET /metrics` tells Prometheus what was counted.
    pub(crate) metrics: Setting<bool>,
}

impl Default for TelemetrySection {
    fn default() -> Self {
        Self {
            log: LogSection::default(),
            otlp: OtlpSection::default(),
            capture_content: CaptureContentSection::default(),
            metrics: Setting(true),
        }
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

/// Traces and metrics, sent as OTLP.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OtlpSection {
    /// Where traces and metrics are sent, such as `http://127.0.0.1:4317`; nowhere if `null`.
    pub(crate) endpoint: Setting<Option<Url>>,
    /// `grpc` (usually port 4317) or `http` (usually port 4318).
    pub(crate) protocol: Setting<OtlpProtocol>,
    /// The share of traces that is sent, from 0 to 1.
    pub(crate) sample: Setting<Share>,
    /// Metrics, sent as they are told to scrapers.
    #[serde(deserialize_with = "or_default")]
    pub(crate) metrics: OtlpMetricsSection,
}

impl Default for OtlpSection {
    fn default() -> Self {
        Self {
            endpoint: Setting(None),
            protocol: Setting::default(),
            sample: Setting(Share(1.0)),
            metrics: OtlpMetricsSection::default(),
        }
    }
}

/// Metrics, sent as they are told to scrapers: the same names and labels.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OtlpMetricsSection {
    /// Whether they are sent to `telemetry.otlp.endpoint`. Not every receiver of traces takes metrics: Jaeger does not.
    pub(crate) enabled: Setting<bool>,
    /// How often, from 1s to 1h.
    pub(crate) interval: Setting<Duration>,
}

impl Default for OtlpMetricsSection {
    fn default() -> Self {
        Self { enabled: Setting(false), interval: Setting(Duration::from_mins(1)) }
    }
}

/// Whether prompts and answers go along with traces. They are what users said: whoever may read the traces reads
/// them too.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CaptureContentSection {
    /// Whether they do: of requests whose trace is sent, without secrets of the gateway, and of images and other media
    /// the type and size alone.
    pub(crate) enabled: Setting<bool>,
    /// How much of one request is sent at most, with its unit (`64KiB`): half of it for what was asked, half for what
    /// was answered. The rest is cut off, and the span says so.
    pub(crate) max_bytes: Setting<ByteSize>,
}

impl Default for CaptureContentSection {
    fn default() -> Self {
        Self { enabled: Setting(false), max_bytes: Setting(ByteSize(64 << 10)) }
    }
}
