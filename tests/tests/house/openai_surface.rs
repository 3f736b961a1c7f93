//! The OpenAI-compatible surface: streams are metered and nobody notices, and everything it has is served.

use keygate_tests::sim::{Action, Fault, GoogleRow, HalfStream, StreamEnding};
use keygate_tests::simulator;
use serde_json::{Value, json};

use super::answer::{Answer, Read};
use super::stage::{FLASH, House, OPENAI_CHAT, direct, one_project, openai_chat, twin};

/// A budget of tokens that tells how many a request was billed.
fn counted() -> Value {
    json!({"providers": {"google": {"budgets": {"default": {"tokens_per_day": 1_000_000}}}}})
}

fn tokens_used(status: &Value) -> u64 {
    let budgets = status["keys"].as_array().into_iter().flatten().filter_map(|key| key["budgets"].as_array());
    let used = budgets.flatten().filter(|budget| budget["metric"] == "tokens_per_day");
    used.filter_map(|budget| budget["used"].as_u64()).max().unwrap_or_default()
}

/// The simulator counts: 4 tokens asked ("think 12 hard"), 12 of thought, and what it says.
#[tokio::test]
async fn a_stream_is_billed_by_its_usage_though_nobody_asked_for_it() {
    for text in ["think 12 hard", "usage everywhere"] {
        let body = openai_chat(text, true);
        let house = House::before(twin(), counted(), &[]).await;
        let expected = direct(&twin(), OPENAI_CHAT, &body).await;
        let answer = Answer::to(house.post(OPENAI_CHAT, &body)).await;
        answer.is_providers("google", 200, 1);
        assert_eq!(answer.text(), expected.text(), "nothing of it is seen");
        assert!(!answer.text().contains("\"usage\""), "{answer:?}");
        let sent = &house.sim.requests()[0];
        assert_eq!(sent.path, "/v1beta/openai/chat/completions");

        let whole = Answer::to(house.openai(text)).await;
        let billed = whole.json()["usage"]["total_tokens"].as_u64().expect("usage");
        let pool = house.google().await;
        let groups: u64 =
            ["alpha_1", "beta_1"].iter().map(|label| tokens_used(&json!({"keys": [pool.key(label)]}))).sum();
        assert_eq!(groups, 2 * billed, "{text}: the stream and the whole answer cost the same");
        house.close().await;
    }
}

#[tokio::test]
async fn who_asks_for_usage_gets_it_to_the_byte() {
    let mut body = openai_chat("stream 20", true);
    body["stream_options"] = json!({"include_usage": true});
    let house = House::before(twin(), json!({}), &[]).await;
    let expected = direct(&twin(), OPENAI_CHAT, &body).await;
    let answer = Answer::to(house.post(OPENAI_CHAT, &body)).await;
    assert_eq!(answer.body, expected.body);
    assert!(answer.text().contains("\"usage\""), "{answer:?}");
    house.close().await;
}

#[tokio::test]
async fn a_stream_that_breaks_ends_with_an_error_that_sdks_raise() {
    let house = House::open(json!({})).await;
    let half = HalfStream { events: 3, ending: StreamEnding::Close };
    house.sim.script([Fault::new(Action::HalfStream(half))]).expect("room");
    let answer = house.post(OPENAI_CHAT, &openai_chat("stream 9", true)).send().await.expect("a head");
    let read = Read::to_end(answer).await;
    assert!(read.is_complete, "{}", read.text());
    let text = read.text();
    assert!(text.contains("event 3 of 9") && !text.contains("event 4 of 9"), "{text}");
    assert!(text.ends_with("\n\n") && !text.contains('\r'), "the delimiters are the stream's own: {text:?}");
    let last: Value = serde_json::from_str(text.trim_end().rsplit("data: ").next().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(last["error"]["type"], "server_error");
    house.google().await.balances();
    house.close().await;
}

#[tokio::test]
async fn tools_images_and_listed_models_are_served() {
    let house = House::open(json!({})).await;
    let mut tools = openai_chat("call weather {\"city\":\"Hanoi\"}", true);
    tools["tools"] = json!([{"type": "function", "function": {"name": "weather"}}]);
    let called = Answer::to(house.post(OPENAI_CHAT, &tools)).await;
    assert!(called.text().contains("tool_calls") && called.text().contains("Hanoi"), "{called:?}");
    let image = json!({"model": "gemini-3.1-flash-image", "prompt": "a cat", "response_format": "b64_json"});
    let image = Answer::to(house.post("/openai/v1/images/generations", &image)).await;
    image.is_providers("google", 200, 1);
    assert!(image.json()["data"][0]["b64_json"].is_string(), "{image:?}");
    for id in ["gemini-2.5-flash", "models/gemini-2.5-flash", "models%2Fgemini-2.5-flash"] {
        let model = Answer::to(house.get(&format!("/v1beta/openai/models/{id}"))).await;
        model.is_providers("google", 200, 1);
        assert_eq!(model.json()["id"], format!("models/{FLASH}"), "{id}");
    }
    house.close().await;
}

/// What was made belongs to one project: whoever asks for it gets that one's keys, however many there are.
#[tokio::test]
async fn videos_are_asked_for_where_they_were_made() {
    let house = House::open(json!({})).await;
    for _ in 0..3 {
        let made = Answer::to(house.post("/v1beta/openai/videos", &json!({"prompt": "a cat"}))).await;
        made.is_providers("google", 200, 1);
        let id = made.json()["id"].as_str().expect("an id").to_owned();
        let encoded = format!("/v1beta/openai/{id}").replace("videos/videos/", "videos/videos%2F");
        for path in [format!("/openai/v1/{id}"), encoded] {
            let found = Answer::to(house.get(&path)).await;
            found.is_providers("google", 200, 1);
            assert_eq!(found.json()["id"], id.as_str());
        }
    }
    house.close().await;
}

#[tokio::test]
async fn a_batch_takes_a_file_of_its_project() {
    let house = House::before(simulator(), one_project(), &[]).await;
    let missing = json!({"input_file_id": "files/none", "endpoint": "/v1/chat/completions", "completion_window": "24h"});
    let refused = Answer::to(house.post("/openai/v1/batches", &missing)).await;
    refused.is_providers("google", 403, 1);
    assert_eq!(refused.json()["error"]["status"], "PERMISSION_DENIED", "{refused:?}");
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn an_sdk_that_waits_ten_seconds_is_not_sent_anywhere_after_one() {
    let house = House::open(json!({})).await;
    house.sim.script([Fault::new(Action::Hang).always()]).expect("room");
    let answer = Answer::to(house.openai("hello").header("x-stainless-timeout", "1")).await;
    answer.is_refusal(504, "deadline_exceeded");
    answer.says_openai("server_error", "");
    house.close().await;
}

/// The words are the provider's, in an object where the SDKs look for them.
#[tokio::test]
async fn the_last_words_of_the_provider_can_be_read() {
    let house = House::before(simulator(), one_project(), &[]).await;
    house.sim.script([Fault::google(GoogleRow::HighDemand).always()]).expect("room");
    let answer = Answer::to(house.openai("hello")).await;
    assert_eq!(answer.status, 503);
    let message = answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("high demand"), "{answer:?}");
    house.close().await;
}
