//! What an operator finds in Jaeger: one span per request, per ask for a key and per attempt.

use keygate_tests::sim::{Action, Fault, GoogleRow, ScriptedAnswer};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::json;

use super::answer::Answer;
use super::collector::{Receiver, attribute, hex};
use super::stage::{FLASH, House, chat, generate_path};

/// The word of the limiter stands below the root, once.
fn the_limiter_told(spans: &[Span], root: &[u8]) {
    let told: Vec<&Span> = spans.iter().filter(|span| span.name == "admit").collect();
    let [admit] = told[..] else { panic!("one word of the limiter: {spans:#?}") };
    assert_eq!(admit.parent_span_id, root);
    for (name, value) in [("keygate.user", "ada"), ("keygate.limit", "20"), ("keygate.remaining", "19")] {
        assert_eq!(attribute(admit, name).as_deref(), Some(value), "{name} of {admit:#?}");
    }
}

#[tokio::test]
async fn a_trace_tells_which_key_failed_and_which_served() {
    let mut jaeger = Receiver::open().await;
    let house =
        House::open(json!({ "telemetry": { "otlp": { "endpoint": format!("http://{}", jaeger.address) } } }))
            .await;
    let refusal = ScriptedAnswer { row: Some(GoogleRow::KeyInvalid.into()), ..ScriptedAnswer::default() };
    house.sim.script([Fault::new(Action::Answer(refusal))]).expect("a valid script");
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = house
        .post(&generate_path(FLASH), &chat("hello"))
        .header("traceparent", format!("00-{trace_id}-00f067aa0ba902b7-01"))
        .header("x-user-id", "ada");
    let answer = Answer::to(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");

    let spans = jaeger.trace(trace_id).await;
    let named = |start: &str| spans.iter().filter(|span| span.name.starts_with(start)).collect::<Vec<_>>();
    let [root] = named("POST ")[..] else { panic!("one root: {spans:#?}") };
    assert_eq!(root.name, "POST /{version}/models/{model}:generateContent");
    assert_eq!(hex(&root.parent_span_id), "00f067aa0ba902b7", "the caller's own span is the parent");
    assert_eq!(attribute(root, "keygate.user").as_deref(), Some("ada"));
    assert_eq!(attribute(root, "http.response.status_code").as_deref(), Some("200"));

    the_limiter_told(&spans, &root.span_id);
    let asks = named("acquire google");
    let attempts = named(&format!("generate_content {FLASH}"));
    assert_eq!((asks.len(), attempts.len()), (2, 2), "{spans:#?}");
    assert!(asks.iter().chain(&attempts).all(|span| span.parent_span_id == root.span_id));
    let first_ask = asks.iter().find(|span| attribute(span, "keygate.attempt").as_deref() == Some("1"));
    let first_ask = first_ask.expect("the first ask");
    for (name, value) in [
        ("keygate.strategy", "round_robin"),
        ("keygate.bucket", FLASH),
        ("keygate.keys.total", "3"),
        ("keygate.keys.usable", "3"),
    ] {
        assert_eq!(attribute(first_ask, name).as_deref(), Some(value), "{name} of {first_ask:#?}");
    }
    let failed = attempts.iter().find(|span| attribute(span, "keygate.attempt").as_deref() == Some("1"));
    let failed = failed.expect("the first attempt");
    assert_eq!(attribute(failed, "keygate.fault").as_deref(), Some("key_invalid"));
    assert_eq!(attribute(failed, "http.response.status_code").as_deref(), Some("400"));
    assert!(failed.events.iter().any(|event| event.name == "disabled"), "{failed:#?}");
    let pool = house.google().await;
    let disabled = pool.0["keys"].as_array().into_iter().flatten().find(|key| key["state"] == "disabled");
    let disabled = disabled.expect("the key that failed")["id"].as_str().map(str::to_owned);
    assert_eq!(attribute(failed, "keygate.key.id"), disabled);
    let served = attempts.iter().find(|span| attribute(span, "keygate.attempt").as_deref() == Some("2"));
    let served = served.expect("the second attempt");
    assert_eq!(attribute(served, "gen_ai.provider.name").as_deref(), Some("gcp.gemini"));
    assert!(attribute(served, "gen_ai.usage.input_tokens").is_some(), "{served:#?}");
    assert_ne!(attribute(served, "keygate.key.id"), disabled);
    assert_eq!(attribute(served, "keygate.relay.bytes"), Some(answer.body.len().to_string()), "{served:#?}");

    let streamed = "4bf92f3577b34da6a3ce929d0e0e4737";
    let request =
        house.stream("stream 3").header("traceparent", format!("00-{streamed}-00f067aa0ba902b7-01"));
    assert_eq!(Answer::to(request).await.status, 200);
    let of_stream = jaeger.trace(streamed).await;
    let told =
        |span: &Span| span.attributes.iter().any(|told| told.key == "gen_ai.response.time_to_first_chunk");
    assert!(of_stream.iter().any(told), "how long the first event took: {of_stream:#?}");
    assert!(!format!("{spans:?}").contains("sim-google-"), "no key may be in a trace");
    house.close().await;
}

#[tokio::test]
async fn a_trace_tells_how_long_a_key_was_waited_for() {
    let mut jaeger = Receiver::open().await;
    let changes = json!({
        "telemetry": { "otlp": { "endpoint": format!("http://{}", jaeger.address) } },
        "providers": { "google": { "keys": [{ "secret": "env:ALPHA_1", "label": "alpha_1" }] } },
    });
    let house = House::open(changes).await;
    let retry = Some(std::time::Duration::from_secs(1));
    let row = Some(GoogleRow::MinuteRequests.into());
    let refusal = ScriptedAnswer { row, retry, ..ScriptedAnswer::default() };
    house.sim.script([Fault::new(Action::Answer(refusal))]).expect("a valid script");
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4738";
    let request = house
        .post(&generate_path(FLASH), &chat("hello"))
        .header("traceparent", format!("00-{trace_id}-00f067aa0ba902b7-01"));
    assert_eq!(Answer::to(request).await.status, 200);

    let spans = jaeger.trace(trace_id).await;
    let asks = spans.iter().filter(|span| span.name == "acquire google");
    let waits: Vec<Option<u64>> =
        asks.map(|span| attribute(span, "keygate.waited_ms").and_then(|told| told.parse().ok())).collect();
    assert_eq!(waits.len(), 2, "{spans:#?}");
    assert!(waits.contains(&None), "the first key came at once: {waits:?}");
    assert!(waits.iter().any(|wait| wait.is_some_and(|wait| wait >= 1000)), "{waits:?}");
    house.close().await;
}
