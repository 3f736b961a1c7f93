//! The spans of a request, as a receiver on a real socket gets them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up must fail"
)]

mod receiver;

use std::net::TcpListener;
use std::time::Duration;

use http::{HeaderMap, HeaderName, Method};
use keygate_domain::{
    Access, ClientId, ErrorKind, Failure, Fault, GroupId, Hint, Intent, KeyId, Metric, ModelName, Operation,
    Placement, ProviderName, Replay, Reset, Right, Spend, Streaming, Usage, UserId,
};
use keygate_provider::Metered;
use keygate_telemetry::OtlpProtocol;
use keygate_telemetry::spans::{self, Arrival, AskFacts, AttemptFacts, ChoiceFacts, KeyFacts, RefusalFacts};
use opentelemetry_proto::tonic::trace::v1::Span as Exported;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use receiver::{SECRET, TraceReceiver, attributes, otlp, prepare, settings, shutdown_ends};
use rstest::rstest;
use tracing::Span;

const GOOGLE: ProviderName = ProviderName::new("google");

fn intent() -> Intent {
    Intent {
        operation: Operation("generate_content"),
        route: "/{version}/models/{model}:generateContent",
        target: "/v1beta/models/gemini-2.5-flash:generateContent".into(),
        model: Some(ModelName::from("gemini-2.5-flash")),
        streaming: Streaming::Whole,
        replay: Replay::Safe,
        right: Right::Chat,
        opens_session: false,
        user_units: 1,
        references: Vec::new(),
        placement: Placement::Any,
        access: Access::Token,
        estimate: Spend::default(),
        caller_deadline: None,
    }
}

fn arrive(traceparent: Option<&str>) -> Span {
    let mut headers =
        HeaderMap::from_iter([(http::header::USER_AGENT, "google-genai-sdk/1.0".parse().unwrap())]);
    if let Some(value) = traceparent {
        headers.insert(HeaderName::from_static("traceparent"), value.parse().unwrap());
    }
    spans::root(&Arrival {
        method: &Method::POST,
        path: "/v1beta/models/gemini-2.5-flash:generateContent?key=in-the-query",
        headers: &headers,
        request_id: "req-1",
    })
}

/// A request whose first key is rate limited and whose second one serves.
fn serve_one(traceparent: Option<&str>) {
    let root = arrive(traceparent);
    spans::record_caller(&root, &UserId { client: ClientId::from("shop"), name: "ann".into() });
    spans::record_intent(&root, &Method::POST, GOOGLE, &intent());
    try_once(&root, 1, |attempt| {
        spans::record_answer_status(attempt, 429);
        let hint = Hint {
            retry_after: Some(Duration::from_secs(31)),
            resets: Some(Reset::Midnight("America/Los_Angeles")),
            metric: Metric::RequestsPerDay,
            limit: Some(250),
            reason: "the day is used up",
            ..Hint::default()
        };
        spans::record_failure(attempt, &Failure::of(Fault::QuotaExhausted).hinting(hint));
    });
    try_once(&root, 2, |attempt| {
        spans::record_answer_status(attempt, 200);
        spans::record_time_to_first_chunk(attempt, Duration::from_millis(250));
        let usage = Usage {
            input_tokens: 7,
            output_tokens: 5,
            thought_tokens: 3,
            cached_tokens: 2,
            total_tokens: 15,
        };
        spans::record_metered(
            attempt,
            &Metered {
                usage: Some(usage),
                response_model: Some(format!("gemini-2.5-flash-001 {SECRET}")),
                response_id: Some("answer-1".into()),
                finish_reason: Some("STOP".into()),
                ..Metered::default()
            },
        );
    });
    spans::record_response(&root, 200, 2, Some(&KeyId::from("key2")));
}

fn asked(attempt: u32) -> AskFacts<'static> {
    AskFacts { provider: GOOGLE, strategy: "round_robin", attempt, user: "ann" }
}

fn try_once(root: &Span, number: u32, play: impl Fn(&Span)) {
    let (id, group) = (KeyId::new(format!("key{number}")), GroupId::from("projects/a"));
    let key = KeyFacts { id: &id, label: "team-a", index: number as usize - 1, group: &group };
    let acquire = spans::acquire(root, &asked(number));
    spans::record_key(&acquire, &key);
    let choice =
        ChoiceFacts { usable_keys: 2, keys: 3, bucket: Some("flash"), is_trial: number == 2, is_away: false };
    spans::record_choice(&acquire, &choice);
    let passed_over = KeyId::from("key9");
    spans::record_skipped(&acquire, [(&passed_over, "cooling until 12:00")]);
    drop(acquire);
    let (intent, server) = (intent(), ("generativelanguage.googleapis.com", 443));
    let facts = AttemptFacts { number, intent: &intent, provider: "gcp.gemini", server, key: Some(key) };
    play(&spans::attempt(root, &facts));
}

fn traced(protocol: OtlpProtocol, sample: f64, play: impl Fn()) -> Vec<Exported> {
    let receiver = TraceReceiver::start(protocol);
    let (dispatch, telemetry, _log) = prepare(&settings(Some(otlp(receiver.address, protocol, sample))));
    tracing::dispatcher::with_default(&dispatch, play);
    shutdown_ends(dispatch, telemetry);
    receiver.spans()
}

fn named<'a>(spans: &'a [Exported], name: &str) -> Vec<&'a Exported> {
    spans.iter().filter(|span| span.name == name).collect()
}

#[rstest]
fn the_tree_of_a_request_arrives_by_either_transport(
    #[values(OtlpProtocol::Grpc, OtlpProtocol::Http)] protocol: OtlpProtocol,
) {
    let spans = traced(protocol, 1.0, || serve_one(None));
    assert_eq!(spans.len(), 5, "{spans:#?}");

    let root = named(&spans, "POST /{version}/models/{model}:generateContent")[0];
    assert_eq!(root.kind(), SpanKind::Server);
    assert!(root.parent_span_id.is_empty());
    let told = attributes(&root.attributes);
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/{version}/models/{model}:generateContent"),
        ("http.response.status_code", "200"),
        ("url.path", "/v1beta/models/gemini-2.5-flash:generateContent"),
        ("user_agent.original", "google-genai-sdk/1.0"),
        ("keygate.request_id", "req-1"),
        ("keygate.client", "shop"),
        ("keygate.user", "ann"),
        ("keygate.provider", "google"),
        ("keygate.model", "gemini-2.5-flash"),
        ("keygate.attempts", "2"),
        ("keygate.key.id", "key2"),
    ] {
        assert_eq!(told.get(name).map(String::as_str), Some(value), "{name} in {told:#?}");
    }

    let (asks, attempts) =
        (named(&spans, "acquire google"), named(&spans, "generate_content gemini-2.5-flash"));
    assert_eq!((asks.len(), attempts.len()), (2, 2));
    for child in asks.iter().chain(&attempts) {
        assert_eq!(child.parent_span_id, root.span_id);
        assert_eq!(child.trace_id, root.trace_id);
    }
    let told = attributes(&asks[0].attributes);
    for (name, value) in [
        ("keygate.key.id", "key1"),
        ("keygate.strategy", "round_robin"),
        ("keygate.attempt", "1"),
        ("keygate.user", "ann"),
        ("keygate.bucket", "flash"),
        ("keygate.keys.total", "3"),
        ("keygate.keys.usable", "2"),
        ("keygate.skipped", "key9 cooling until 12:00"),
    ] {
        assert_eq!(told.get(name).map(String::as_str), Some(value), "{name} in {told:#?}");
    }
    assert!(!told.contains_key("keygate.trial") && !told.contains_key("keygate.away"), "{told:#?}");
    assert_eq!(attributes(&asks[1].attributes)["keygate.trial"], "true");
    assert!(attempts.iter().all(|attempt| attempt.kind() == SpanKind::Client));
}

#[test]
fn a_failed_attempt_tells_its_fault_and_the_cooldown() {
    let spans = traced(OtlpProtocol::Grpc, 1.0, || serve_one(None));
    let failed = named(&spans, "generate_content gemini-2.5-flash")[0];
    let told = attributes(&failed.attributes);
    for (name, value) in [
        ("keygate.fault", "quota_exhausted"),
        ("keygate.fault.scope", "group_bucket"),
        ("keygate.key.id", "key1"),
        ("keygate.key.label", "team-a"),
        ("keygate.group", "projects/a"),
        ("keygate.attempt", "1"),
        ("error.type", "quota_exhausted"),
        ("http.response.status_code", "429"),
        ("gen_ai.provider.name", "gcp.gemini"),
        ("server.address", "generativelanguage.googleapis.com"),
        ("server.port", "443"),
    ] {
        assert_eq!(told.get(name).map(String::as_str), Some(value), "{name} in {told:#?}");
    }
    assert_eq!(failed.status.as_ref().unwrap().message, "Quota exhausted");
    let event = &failed.events[0];
    assert_eq!(event.name, "cooldown");
    let told = attributes(&event.attributes);
    assert_eq!(told["keygate.metric"], "requests_per_day");
    assert_eq!(told["keygate.limit"], "250");
    assert_eq!(told["keygate.rest_ms"], "31000");
    assert_eq!(told["keygate.resets"], "midnight America/Los_Angeles");
}

#[test]
fn a_served_attempt_tells_usage_in_the_words_of_the_conventions() {
    let spans = traced(OtlpProtocol::Http, 1.0, || serve_one(None));
    let told = attributes(&named(&spans, "generate_content gemini-2.5-flash")[1].attributes);
    for (name, value) in [
        ("gen_ai.usage.input_tokens", "7"),
        ("gen_ai.usage.output_tokens", "8"),
        ("gen_ai.usage.reasoning.output_tokens", "3"),
        ("gen_ai.usage.cache_read.input_tokens", "2"),
        ("gen_ai.response.id", "answer-1"),
        ("gen_ai.response.finish_reasons", "STOP"),
        ("gen_ai.response.time_to_first_chunk", "0.25"),
        ("gen_ai.request.stream", "false"),
    ] {
        assert_eq!(told.get(name).map(String::as_str), Some(value), "{name} in {told:#?}");
    }
}

#[test]
fn refusals_are_on_the_spans_they_belong_to() {
    let spans = traced(OtlpProtocol::Grpc, 1.0, || {
        let root = arrive(None);
        let ask = spans::acquire(&root, &asked(1));
        let (fault, retry_after) = (Some(Fault::RateLimited), Some(Duration::from_millis(1_500)));
        let facts = RefusalFacts { kind: "resting", fault, retry_after };
        spans::record_pool_refusal(&ask, "every key rests", &facts);
        spans::record_refusal(&root, ErrorKind::PoolExhausted);
        spans::record_response(&root, 503, 0, None);
    });
    let ask = attributes(&named(&spans, "acquire google")[0].attributes);
    assert_eq!(ask["keygate.refusal"], "every key rests");
    assert_eq!(ask["keygate.retry_after_ms"], "1500");
    assert_eq!(ask["keygate.refusal.kind"], "resting");
    assert_eq!(ask["keygate.fault"], "rate_limited");
    // No intent was recorded: the name stays the method.
    let root = named(&spans, "POST")[0];
    assert_eq!(attributes(&root.attributes)["error.type"], "pool_exhausted");
    assert_eq!(root.status.as_ref().unwrap().code, 2);
}

#[test]
fn no_secret_leaves_in_a_name_an_attribute_an_event_or_a_status() {
    let looks_like_a_key = format!("AIza{}", "x".repeat(35));
    let receiver = TraceReceiver::start(OtlpProtocol::Grpc);
    let (dispatch, telemetry, _log) =
        prepare(&settings(Some(otlp(receiver.address, OtlpProtocol::Grpc, 1.0))));
    tracing::dispatcher::with_default(&dispatch, || {
        serve_one(None);
        let leaky = tracing::info_span!(
            target: spans::TARGET,
            "leaky",
            otel.name = format!("leaky {SECRET}"),
            text = SECRET,
            shaped = looks_like_a_key,
            otel.status_description = format!("refused {SECRET}"),
        );
        tracing::info!(target: spans::TARGET, parent: &leaky, { text = SECRET }, "event {SECRET}");
        spans::record_skipped(&leaky, [(&KeyId::from("key1"), SECRET)]);
    });
    shutdown_ends(dispatch, telemetry);
    let everything = format!("{:?}", receiver.batches());
    assert!(everything.contains("leaky ****") && everything.contains("refused ****"), "{everything}");
    assert!(!everything.contains(SECRET) && !everything.contains(&looks_like_a_key), "{everything}");
    assert!(!everything.contains("in-the-query"), "{everything}");
}

#[test]
fn the_service_says_its_name_and_version() {
    let receiver = TraceReceiver::start(OtlpProtocol::Http);
    let (dispatch, telemetry, _log) =
        prepare(&settings(Some(otlp(receiver.address, OtlpProtocol::Http, 1.0))));
    tracing::dispatcher::with_default(&dispatch, || serve_one(None));
    shutdown_ends(dispatch, telemetry);
    let told = attributes(&receiver.batches()[0].resource_spans[0].resource.as_ref().unwrap().attributes);
    assert_eq!(told["service.name"], "keygate");
    assert_eq!(told["service.version"], "1.2.3");
}

const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const NOT_SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

#[test]
fn a_callers_trace_goes_on_with_its_span_as_parent() {
    let spans = traced(OtlpProtocol::Grpc, 0.0, || serve_one(Some(SAMPLED)));
    let root = named(&spans, "POST /{version}/models/{model}:generateContent")[0];
    assert_eq!(root.parent_span_id, [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
    assert_eq!(root.trace_id[..4], [0x4b, 0xf9, 0x2f, 0x35]);
    assert_eq!(spans.len(), 5);
}

#[rstest]
#[case::by_the_share(0.0, None)]
#[case::by_the_caller(1.0, Some(NOT_SAMPLED))]
fn an_unsampled_request_makes_no_span_at_all(#[case] sample: f64, #[case] traceparent: Option<&'static str>) {
    let spans = traced(OtlpProtocol::Grpc, sample, || {
        assert!(arrive(traceparent).is_disabled());
        serve_one(traceparent);
    });
    assert!(spans.is_empty(), "{spans:#?}");
}

#[test]
fn other_crates_spans_are_not_exported() {
    let spans = traced(OtlpProtocol::Grpc, 1.0, || {
        tracing::info_span!(target: "hyper::client", "connection").in_scope(|| tracing::info!("busy"));
    });
    assert!(spans.is_empty(), "{spans:#?}");
}

#[rstest]
#[case::refused(false)]
#[case::silent(true)]
fn shutdown_ends_though_the_receiver_is_dead(
    #[case] listening: bool,
    #[values(OtlpProtocol::Grpc, OtlpProtocol::Http)] protocol: OtlpProtocol,
) {
    // Bound and never accepted from: the kernel takes the connection, nobody answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let kept = listening.then_some(listener);
    let (dispatch, telemetry, log) = prepare(&settings(Some(otlp(address, protocol, 1.0))));
    tracing::dispatcher::with_default(&dispatch, || serve_one(None));
    shutdown_ends(dispatch, telemetry);
    drop(kept);
    log.wait_for("could not be delivered");
}

#[test]
fn shutdown_on_the_only_thread_of_a_runtime_delivers() {
    let receiver = TraceReceiver::start(OtlpProtocol::Grpc);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (dispatch, telemetry, _log) =
            prepare(&settings(Some(otlp(receiver.address, OtlpProtocol::Grpc, 1.0))));
        tracing::dispatcher::with_default(&dispatch, || serve_one(None));
        telemetry.shutdown();
    });
    assert_eq!(receiver.spans().len(), 5);
}

#[test]
fn telemetry_may_be_dropped_on_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let receiver = TraceReceiver::start(OtlpProtocol::Grpc);
        drop(prepare(&settings(Some(otlp(receiver.address, OtlpProtocol::Grpc, 1.0)))));
    });
}
