//! What a process without traces pays: nothing, not even a span. One test, because what a span site
//! costs depends on every subscriber of its process.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up must fail"
)]

mod receiver;

use http::{HeaderMap, HeaderName, Method};
use keygate_domain::ProviderName;
use keygate_telemetry::spans::{self, Arrival, AskFacts};
use keygate_telemetry::{OtlpProtocol, TelemetrySettings};
use receiver::{otlp, prepare, settings, shutdown_ends};

fn no_span_is_made_but_lines_are_written(settings: &TelemetrySettings) -> Option<String> {
    let (dispatch, telemetry, log) = prepare(settings);
    let sampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap();
    let headers = HeaderMap::from_iter([(HeaderName::from_static("traceparent"), sampled)]);
    tracing::dispatcher::with_default(&dispatch, || {
        let root =
            spans::root(&Arrival { method: &Method::GET, path: "/", headers: &headers, request_id: "req-1" });
        assert!(root.is_disabled());
        let provider = ProviderName::new("google");
        let ask = AskFacts { provider, strategy: "health", attempt: 1, user: "ann" };
        assert!(spans::acquire(&root, &ask).is_disabled());
        tracing::info!("still logging");
    });
    let problem = telemetry.problem().map(ToString::to_string);
    shutdown_ends(dispatch, telemetry);
    assert!(log.text().contains("still logging"));
    problem
}

#[test]
fn without_a_receiver_or_with_an_unusable_one_requests_are_served_untraced() {
    assert_eq!(no_span_is_made_but_lines_are_written(&settings(None)), None);

    let mut unusable = settings(Some(otlp("127.0.0.1:1".parse().unwrap(), OtlpProtocol::Grpc, 1.0)));
    unusable.otlp.as_mut().unwrap().endpoint = "not a url".into();
    let problem = no_span_is_made_but_lines_are_written(&unusable);
    assert_eq!(problem.as_deref(), Some("cannot send traces to not a url"));
}
