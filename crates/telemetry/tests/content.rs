//! Prompts and answers on spans: what a receiver gets when that is on, and nothing when it is off.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up must fail"
)]

mod receiver;

use keygate_provider::{Message, Part, Transcript};
use keygate_telemetry::{OtlpProtocol, OtlpSettings, spans};
use receiver::{SECRET, TraceReceiver, attributes, otlp, prepare, settings, shutdown_ends};
use tracing::Span;

fn said(text: String) -> Transcript {
    let message = Message { role: "user".to_owned(), parts: vec![Part::Text(text)], finish_reason: None };
    Transcript { input: vec![message], ..Transcript::default() }
}

fn span(name: &str) -> Span {
    tracing::info_span!(target: spans::TARGET, "attempt", otel.name = name)
}

#[test]
fn what_was_left_for_a_span_arrives_with_it_without_secrets() {
    let receiver = TraceReceiver::start(OtlpProtocol::Grpc);
    let otlp = OtlpSettings { content_bytes: Some(4096), ..otlp(receiver.address, OtlpProtocol::Grpc, 1.0) };
    let (dispatch, telemetry, _log) = prepare(&settings(Some(otlp)));
    tracing::dispatcher::with_default(&dispatch, || {
        let (first, second) = (span("first"), span("second"));
        for (span, words) in [(&first, "of the first"), (&second, "of the second")] {
            let mut slip = spans::content_slip(span).expect("it is switched on");
            assert!(slip.has_room_for(words.len()));
            slip.leave(move || said(format!("{words} {SECRET}")));
        }
        let _untold = span("third");
        assert!(spans::content_slip(&Span::none()).is_none(), "an unsampled request leaves nothing");
    });
    shutdown_ends(dispatch, telemetry);
    let spans = receiver.spans();
    assert_eq!(spans.len(), 3);
    for span in &spans {
        let told = attributes(&span.attributes);
        let input = told.get("gen_ai.input.messages");
        assert_eq!(input.is_some(), span.name != "third", "{told:?}");
        if let Some(input) = input {
            assert!(input.contains(&format!("of the {}", span.name)), "{input}");
        }
    }
    assert!(!format!("{spans:?}").contains(SECRET));
}

#[test]
fn much_content_is_sent_in_messages_that_receivers_take() {
    let receiver = TraceReceiver::start(OtlpProtocol::Grpc);
    let otlp =
        OtlpSettings { content_bytes: Some(1 << 20), ..otlp(receiver.address, OtlpProtocol::Grpc, 1.0) };
    let (dispatch, telemetry, _log) = prepare(&settings(Some(otlp)));
    tracing::dispatcher::with_default(&dispatch, || {
        for number in 0..12 {
            let span = span(&format!("span {number}"));
            let slip = spans::content_slip(&span).expect("it is switched on");
            slip.leave(|| said("x".repeat(1 << 20)));
        }
    });
    shutdown_ends(dispatch, telemetry);
    // A receiver of gRPC takes no message of more than 4 MiB, which is less than all of them.
    let batches = receiver.batches();
    assert!(batches.len() > 2, "{}", batches.len());
    let spans = batches.iter().flat_map(|batch| &batch.resource_spans).flat_map(|of| &of.scope_spans);
    assert_eq!(spans.map(|scope| scope.spans.len()).sum::<usize>(), 12);
}

#[test]
fn there_is_room_for_so_much_and_it_comes_back() {
    let receiver = TraceReceiver::start(OtlpProtocol::Grpc);
    let otlp = OtlpSettings { content_bytes: Some(4096), ..otlp(receiver.address, OtlpProtocol::Grpc, 1.0) };
    let (dispatch, telemetry, _log) = prepare(&settings(Some(otlp)));
    tracing::dispatcher::with_default(&dispatch, || {
        let span = span("one");
        let half = 32 * 1024 * 1024;
        let mut first = spans::content_slip(&span).unwrap();
        assert!(first.has_room_for(half));
        let mut second = spans::content_slip(&span).unwrap();
        assert!(second.has_room_for(half) && !second.has_room_for(1));
        drop(first);
        assert!(second.has_room_for(half));
    });
    shutdown_ends(dispatch, telemetry);
}

#[test]
fn switched_off_there_is_no_place_to_leave_anything() {
    let receiver = TraceReceiver::start(OtlpProtocol::Grpc);
    let (dispatch, telemetry, _log) =
        prepare(&settings(Some(otlp(receiver.address, OtlpProtocol::Grpc, 1.0))));
    tracing::dispatcher::with_default(&dispatch, || assert!(spans::content_slip(&span("one")).is_none()));
    shutdown_ends(dispatch, telemetry);
}
