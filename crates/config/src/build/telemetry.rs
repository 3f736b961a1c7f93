//! `telemetry:`.

use std::time::Duration;

use super::Judge;
use crate::config::{CaptureContent, LogConfig, OtlpConfig, TelemetryConfig};
use crate::schema::TelemetrySection;

/// What operators are told who let prompts out of the house.
const CONTENT_LEAVES: &str = "prompts and answers go to telemetry.otlp.endpoint with each trace that is sent \
                              (telemetry.capture_content); whoever reads traces there reads what users wrote";

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
            metrics_every: metrics_every(section, judge),
        },
        capture_content: capture_content(section, judge),
        metrics: section.metrics.0,
    }
}

fn metrics_every(section: &TelemetrySection, judge: &mut Judge<'_>) -> Option<Duration> {
    let metrics = &section.otlp.metrics;
    judge.require(
        (Duration::from_secs(1)..=Duration::from_hours(1)).contains(&metrics.interval.0),
        "telemetry.otlp.metrics.interval",
        "is not between 1s and 1h",
        "the default is 1m",
    );
    judge.require(
        section.metrics.0 || !metrics.enabled.0,
        "telemetry.otlp.metrics.enabled",
        "sends what is not counted",
        "set telemetry.metrics to true",
    );
    has_receiver(section, metrics.enabled.0, "telemetry.otlp.metrics.enabled", judge)
        .then_some(metrics.interval.0)
}

fn capture_content(section: &TelemetrySection, judge: &mut Judge<'_>) -> Option<CaptureContent> {
    let content = &section.capture_content;
    let max_bytes = content.max_bytes.0.0;
    judge.require(
        (1 << 10..=1 << 20).contains(&max_bytes),
        "telemetry.capture_content.max_bytes",
        "is not between 1KiB and 1MiB",
        "the default is 64KiB; receivers refuse spans that are large",
    );
    let path = "telemetry.capture_content.enabled";
    let is_captured = has_receiver(section, content.enabled.0, path, judge);
    if is_captured {
        let place = judge.place(path);
        judge.findings.warn(place, CONTENT_LEAVES);
    }
    is_captured.then_some(CaptureContent { max_bytes })
}

/// Whether what is `wanted` can be sent; warns where there is nobody to send it to.
fn has_receiver(section: &TelemetrySection, wanted: bool, path: &str, judge: &mut Judge<'_>) -> bool {
    let has_receiver = section.otlp.endpoint.0.is_some();
    if wanted && !has_receiver {
        let place = judge.place(path);
        judge.findings.warn(place, format!("`{path}` does nothing until telemetry.otlp.endpoint is set"));
    }
    wanted && has_receiver
}
