//! Log lines as an operator reads them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up must fail"
)]

mod receiver;

use http::{HeaderMap, Method};
use keygate_domain::Redactor;
use keygate_telemetry::spans::{self, Arrival};
use keygate_telemetry::{LogFormat, OtlpProtocol, Telemetry, TelemetryError, TelemetrySettings};
use receiver::{SECRET, TraceReceiver, otlp, prepare, settings, shutdown_ends};
use rstest::rstest;
use tracing::Span;

fn logged(settings: &TelemetrySettings, play: impl Fn()) -> String {
    let (dispatch, telemetry, log) = prepare(settings);
    tracing::dispatcher::with_default(&dispatch, play);
    shutdown_ends(dispatch, telemetry);
    log.text()
}

fn arrive() -> Span {
    let headers = HeaderMap::new();
    spans::root(&Arrival { method: &Method::GET, path: "/v1/models", headers: &headers, request_id: "req-7" })
}

#[rstest]
fn secrets_do_not_reach_the_log(#[values(LogFormat::Pretty, LogFormat::Json)] log_format: LogFormat) {
    let looks_like_a_key = format!("AIza{}", "x".repeat(35));
    let text = logged(&TelemetrySettings { log_format, ..settings(None) }, || {
        tracing::warn!(key = SECRET, said = %format!("key {looks_like_a_key} was refused"), "failed with {SECRET}");
    });
    assert!(text.contains("failed with ****"), "{text}");
    assert!(!text.contains(SECRET) && !text.contains(&looks_like_a_key), "{text}");
}

#[test]
fn a_json_line_is_an_object_with_the_events_fields() {
    let text =
        logged(&settings(None), || tracing::info!(request_id = "req-1", attempts = 3, "served \"it\""));
    let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!(line["message"], "served \"it\"");
    assert_eq!(line["request_id"], "req-1");
    assert_eq!(line["attempts"], 3);
    assert_eq!(line["level"], "INFO");
    assert!(line.get("trace_id").is_none());
}

#[test]
fn a_json_line_of_a_traced_request_names_its_trace() {
    let receiver = TraceReceiver::start(OtlpProtocol::Grpc);
    let text = logged(&settings(Some(otlp(receiver.address, OtlpProtocol::Grpc, 1.0))), || {
        arrive().in_scope(|| tracing::info!("in the request"));
    });
    let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
    let exported = receiver.spans().remove(0);
    let trace = u128::from_be_bytes(exported.trace_id.try_into().unwrap());
    let span = u64::from_be_bytes(exported.span_id.try_into().unwrap());
    assert_eq!(line["trace_id"], format!("{trace:032x}"));
    assert_eq!(line["span_id"], format!("{span:016x}"));
    assert!(line.get("span").is_none() && line.get("spans").is_none(), "{line}");
}

#[test]
fn a_pretty_line_is_one_line_without_colours_where_there_is_no_terminal() {
    let pretty = TelemetrySettings { log_format: LogFormat::Pretty, ..settings(None) };
    let text = logged(&pretty, || tracing::info!(keys = 3, "configured"));
    assert!(text.ends_with("INFO logs: configured keys=3\n"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[rstest]
#[case::at_its_level("info", "seen", "")]
#[case::quieter("warn", "", "seen")]
#[case::one_target("warn,logs=info", "seen", "")]
fn the_level_decides_what_is_written(#[case] level: &str, #[case] present: &str, #[case] absent: &str) {
    let text =
        logged(&TelemetrySettings { log_level: level.into(), ..settings(None) }, || tracing::info!("seen"));
    assert!(text.contains(present), "{text}");
    assert!(absent.is_empty() || !text.contains(absent), "{text}");
}

#[test]
fn spans_come_into_the_log_when_their_target_is_named() {
    let naming = TelemetrySettings {
        log_level: "info,keygate::trace=info".into(),
        log_format: LogFormat::Pretty,
        ..settings(None)
    };
    let text = logged(&naming, || arrive().in_scope(|| tracing::info!("inside")));
    assert!(text.contains("req-7"), "{text}");
}

#[test]
fn a_level_nobody_understands_stops_the_start() {
    let wrong = TelemetrySettings { log_level: "keygate=loud".into(), ..settings(None) };
    let redactor = Redactor::new([], &[]).unwrap();
    let error = Telemetry::prepare(&wrong, redactor, std::io::sink(), false).unwrap_err();
    assert!(matches!(error, TelemetryError::LogLevel { .. }));
}

#[test]
fn telemetry_starts_once_in_a_process() {
    let redactor = Redactor::new([], &[]).unwrap();
    let quiet = TelemetrySettings { log_level: "error".into(), ..settings(None) };
    let first = keygate_telemetry::start(&quiet, redactor.clone()).unwrap();
    let second = keygate_telemetry::start(&quiet, redactor);
    assert!(matches!(second, Err(TelemetryError::AlreadyStarted(_))));
    first.shutdown();
}
