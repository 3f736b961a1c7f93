//! Prompts and answers on spans: only where an operator switched that on, and of traces that are sent.

use keygate_tests::simulator;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};

use super::answer::Answer;
use super::collector::{Receiver, attribute};
use super::stage::{FLASH, House, chat, generate_path};

const PROMPT: &str = "my-mother-in-law-is";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e474";

fn telemetry(receiver: &Receiver, content: &Value) -> Value {
    let endpoint = format!("http://{}", receiver.address);
    json!({"telemetry": {"otlp": {"endpoint": endpoint, "sample": 0.0}, "capture_content": content}})
}

fn traced(number: u8, flag: &str) -> (String, String) {
    let trace = format!("{TRACE}{number}");
    (trace.clone(), format!("00-{trace}-00f067aa0ba902b7-{flag}"))
}

/// What was asked and answered, on the only span that says so.
fn said(spans: &[Span]) -> (Value, Value) {
    let telling: Vec<&Span> =
        spans.iter().filter(|span| attribute(span, "gen_ai.input.messages").is_some()).collect();
    let [attempt] = telling[..] else { panic!("one span tells it: {spans:#?}") };
    let read = |name: &str| {
        attribute(attempt, name).map_or(Value::Null, |text| serde_json::from_str(&text).expect("JSON"))
    };
    (read("gen_ai.input.messages"), read("gen_ai.output.messages"))
}

fn text_of(message: &Value) -> &str {
    message["parts"][0]["content"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn what_was_asked_and_answered_is_on_the_span_of_the_attempt_that_served() {
    let mut receiver = Receiver::open().await;
    let house = House::open(telemetry(&receiver, &json!({"enabled": true}))).await;
    let image = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ";
    let mut body = chat(PROMPT);
    let media = json!({"inlineData": {"mimeType": "image/png", "data": image}});
    body["contents"][0]["parts"].as_array_mut().expect("parts").push(media);
    body["systemInstruction"] = json!({"parts": [{"text": "You are kind. My key is sim-google-alpha-1."}]});
    let (trace, parent) = traced(0, "01");
    let request = house.post(&generate_path(FLASH), &body).header("traceparent", parent);
    let answer = Answer::to(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let spans = receiver.trace(&trace).await;
    let (input, output) = said(&spans);
    assert_eq!((&input[0]["role"], text_of(&input[0])), (&json!("user"), PROMPT));
    let blob = &input[0]["parts"][1];
    assert_eq!((&blob["mime_type"], &blob["size_bytes"]), (&json!("image/png"), &json!(33)));
    let answered = answer.json()["candidates"][0]["content"]["parts"][0]["text"].clone();
    assert_eq!(
        (&output[0]["role"], text_of(&output[0])),
        (&json!("assistant"), answered.as_str().expect("words"))
    );
    assert_eq!(output[0]["finish_reason"], "stop");
    let whole = format!("{spans:?}");
    assert!(whole.contains("gen_ai.system_instructions") && whole.contains("You are kind"), "{whole}");
    assert!(!whole.contains(image) && !whole.contains("sim-google-"), "no media and no secret");

    let (trace, parent) = traced(1, "01");
    let streamed = Answer::to(house.stream("stream 3").header("traceparent", parent)).await;
    assert_eq!(streamed.status, 200);
    let (_, output) = said(&receiver.trace(&trace).await);
    let events = streamed.text();
    let pieces = events.lines().filter_map(|line| line.strip_prefix("data: "));
    let pieces = pieces.map(|data| serde_json::from_str::<Value>(data).expect("JSON"));
    let text: String = pieces
        .filter_map(|piece| piece["candidates"][0]["content"]["parts"][0]["text"].as_str().map(str::to_owned))
        .collect();
    assert_eq!((text_of(&output[0]), text.is_empty()), (&*text, false), "the stream, put together");

    let (trace, parent) = traced(2, "01");
    let compatible = Answer::to(house.openai(PROMPT).header("traceparent", parent)).await;
    assert_eq!(compatible.status, 200);
    let (input, output) = said(&receiver.trace(&trace).await);
    assert_eq!(text_of(&input[0]), PROMPT);
    assert_eq!(Some(text_of(&output[0])), compatible.json()["choices"][0]["message"]["content"].as_str());

    let (trace, parent) = traced(3, "01");
    let mistaken = json!({"contents": [{"parts": [{"text": PROMPT}]}], "nonsense": 1});
    let request = house.post(&generate_path(FLASH), &mistaken).header("traceparent", parent);
    assert_eq!(Answer::to(request).await.status, 400);
    let (input, output) = said(&receiver.trace(&trace).await);
    assert_eq!((text_of(&input[0]), output), (PROMPT, Value::Null), "what was refused can be read");
    house.close().await;
}

#[tokio::test]
async fn a_long_prompt_is_cut_off_visibly() {
    let mut receiver = Receiver::open().await;
    let house = House::open(telemetry(&receiver, &json!({"enabled": true, "max_bytes": "2KiB"}))).await;
    let (trace, parent) = traced(4, "01");
    let prompt = format!("{PROMPT} {}", "x".repeat(100_000));
    let request = house.post(&generate_path(FLASH), &chat(&prompt)).header("traceparent", parent);
    assert_eq!(Answer::to(request).await.status, 200);
    let spans = receiver.trace(&trace).await;
    let (input, _) = said(&spans);
    let text = text_of(&input[0]);
    assert!(text.starts_with(PROMPT) && text.ends_with("bytes left out]") && text.len() < 1200, "{text}");
    assert!(format!("{spans:?}").contains("keygate.content.truncated"));
    house.close().await;
}

#[tokio::test]
async fn nothing_of_it_leaves_when_it_is_off_or_the_trace_is_not_sent() {
    let mut receiver = Receiver::open().await;
    for (content, flag) in [(json!({"enabled": false}), "01"), (json!({"enabled": true}), "00")] {
        let house = House::before(simulator(), telemetry(&receiver, &content), &[]).await;
        let warns = house.gateway.stderr().contains("prompts and answers go to telemetry.otlp.endpoint");
        assert_eq!(warns, flag == "00", "who switched it on is told what that means");
        let (_, parent) = traced(5, flag);
        let ask =
            |body: &Value| house.post(&generate_path(FLASH), body).header("traceparent", parent.clone());
        assert_eq!(Answer::to(ask(&chat(PROMPT))).await.status, 200);
        assert_eq!(Answer::to(house.stream(PROMPT).header("traceparent", parent.clone())).await.status, 200);
        house.close().await;
        // The end of a gateway sends what is left.
        let told = receiver.all();
        assert!(!format!("{told:?}").contains(PROMPT), "{told:#?}");
        assert_eq!(told.is_empty(), flag == "00", "{told:#?}");
    }
}
