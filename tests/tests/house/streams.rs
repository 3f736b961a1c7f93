//! Streams and whole answers pass through the gateway to the byte.

use serde_json::{Value, json};

use super::answer::Answer;
use super::stage::{
    FLASH, House, OPENAI_CHAT, array_path, chat, direct, generate_path, openai_chat, stream_path, twin,
};

/// What a caller gets through the gateway is what it would have got without, on each of these paths.
async fn passes_to_the_byte(path: &str, body: &Value) {
    let house = House::before(twin(), json!({}), &[]).await;
    let expected = direct(&twin(), path, body).await;
    let answer = Answer::to(house.post(path, body)).await;
    answer.is_providers("google", 200, 1);
    assert_eq!(answer.body, expected.body, "{path}: {answer:?}\nbut without the gateway {expected:?}");
    for name in ["content-type", "x-gemini-service-tier"] {
        assert_eq!(answer.header(name), expected.header(name), "{name} on {path}");
    }
    let pool = house.google().await;
    pool.blames_nobody();
    assert_eq!(pool.ledger("settled"), 1);
    assert_eq!(house.upstream_requests(), 1);
    house.close().await;
}

#[tokio::test]
async fn events_are_passed_to_the_byte() {
    passes_to_the_byte(&stream_path(FLASH), &chat("stream 50")).await;
}

#[tokio::test]
async fn an_array_is_passed_to_the_byte() {
    passes_to_the_byte(&array_path(FLASH), &chat("stream 50")).await;
}

#[tokio::test]
async fn openai_events_are_passed_to_the_byte() {
    passes_to_the_byte(OPENAI_CHAT, &openai_chat("stream 50", true)).await;
}

#[tokio::test]
async fn answers_in_one_piece_are_passed_to_the_byte() {
    for (path, body) in [
        (generate_path(FLASH), chat("hello")),
        (generate_path(FLASH), chat("finish SAFETY")),
        (generate_path(FLASH), chat("block SAFETY")),
        (OPENAI_CHAT.to_owned(), openai_chat("hello", false)),
    ] {
        passes_to_the_byte(&path, &body).await;
    }
}

#[tokio::test]
async fn text_that_could_confuse_a_framing_is_passed_to_the_byte() {
    let text = "data: {\"error\": 1}\r\n\r\nü 漢字 🦀 \u{2028} \u{85} \\ \" ] }";
    passes_to_the_byte(&stream_path(FLASH), &chat(text)).await;
    passes_to_the_byte(&array_path(FLASH), &chat(text)).await;
    passes_to_the_byte(OPENAI_CHAT, &openai_chat(text, true)).await;
}

#[tokio::test]
async fn the_first_event_comes_before_the_last_was_sent() {
    let house = House::open(json!({})).await;
    let (mut answer, first) = super::answer::begun(house.stream("stream 1000 every 20ms")).await;
    assert!(first.starts_with(b"data: "));
    assert_eq!(house.counts().google.streams_open, 1, "the provider is still sending");
    assert_eq!(house.pool_now("google").await.in_flight(), 1, "the lease goes with the stream");
    assert!(answer.chunk().await.is_ok_and(|chunk| chunk.is_some()));
    drop(answer);
    house.google().await.balances();
    house.close().await;
}

#[tokio::test]
async fn versions_prefixes_and_queries_reach_the_provider_as_they_came() {
    let house = House::open(json!({})).await;
    for version in ["v1", "v1beta", "v1alpha"] {
        for prefix in ["", "/google", "/"] {
            let path = format!("{prefix}/{version}/models/{FLASH}:generateContent?alt=json&$fields=a%20b");
            let answer = Answer::to(house.post(&path, &chat("hello"))).await;
            answer.is_providers("google", 200, 1);
            let requests = house.sim.requests();
            let request = requests.last().expect("a request");
            assert_eq!(request.path, format!("/{version}/models/{FLASH}:generateContent"));
            let query = [("alt", "json"), ("$fields", "a b")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(request.query, query);
        }
    }
    house.close().await;
}
