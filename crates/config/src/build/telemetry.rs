//! `telemetry:`.

use super::Judge;
use crate::config::{LogConfig, OtlpConfig, TelemetryConfig};
use crate::schema::TelemetrySection;

pub(super) fn build(section: &TelemetrySection, judge: &mut Judge<'_>) -> TelemetryConfig {
    let otlp = &section.otlp;
    if let Some(endpoint) = &otlp.endpoint.0 {
        judge.require(
            matches!(endpoint.scheme(), "http" | "https"),
            "telemetry.otlp.endpoint",
            "is neither http nor https",
            "write it as in http://127.0.0.1:4317",
        );
        judge.require(
            endpoint.username().is_empty() && endpoint.password().is_none(),
            "telemetry.otlp.endpoint",
            "carries a user name or a password",
            "remove what stands before the @",
        );
    }
    TelemetryConfig {
        log: LogConfig { format: section.log.format.0, level: section.log.level.0.0.clone() },
        otlp: OtlpConfig {
            endpoint: otlp.endpoint.0.clone(),
            protocol: otlp.protocol.0,
            sample: otlp.sample.0.0,
        },
        metrics: section.metrics.0,
    }
}
