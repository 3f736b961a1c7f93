//! Streams that end too early: what came before is passed on to the byte, and the end cannot be taken for a good one.

use keygate_tests::sim::{Action, Fault, HalfStream, StreamEnding};
use serde_json::{Value, json};

use super::answer::{Answer, Read};
use super::stage::{FLASH, House, OPENAI_CHAT, array_path, chat, direct, openai_chat, stream_path, twin};

/// A house whose simulator cuts the first stream after `events`, and the same stream whole.
async fn cut(path: &str, body: &Value, events: usize, ending: StreamEnding) -> (House, Read, Vec<u8>) {
    let whole = direct(&twin(), path, body).await.body.to_vec();
    let house = House::before(twin(), json!({}), &[]).await;
    house.sim.script([Fault::new(Action::HalfStream(HalfStream { events, ending }))]).expect("room");
    let answer = house.post(path, body).send().await.expect("a head");
    assert_eq!(answer.status(), 200);
    (house, Read::to_end(answer).await, whole)
}

/// The first `count` events of a stream.
fn first(whole: &[u8], count: usize, separator: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(whole);
    text.split_inclusive(separator).take(count).collect::<String>().into_bytes()
}

async fn was_one_request_and_nobodys_fault(house: House) {
    assert_eq!(house.upstream_requests(), 1, "what was begun is not begun again");
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_native_stream_cut_between_events_ends_with_an_error_event() {
    for ending in [StreamEnding::Close, StreamEnding::Reset] {
        let (house, read, whole) = cut(&stream_path(FLASH), &chat("stream 5"), 2, ending).await;
        let passed = first(&whole, 2, "\r\n\r\n");
        assert!(read.is_complete, "the error is the end: {}", read.text());
        let farewell = read.bytes.strip_prefix(&passed[..]).expect("what came before is passed on unchanged");
        let farewell = std::str::from_utf8(farewell).expect("text");
        let told = farewell.strip_prefix("data: ").and_then(|rest| rest.strip_suffix("\r\n\r\n"));
        let told: Value = serde_json::from_str(told.expect("one event")).expect("JSON");
        assert_eq!((&told["error"]["code"], &told["error"]["status"]), (&json!(502), &json!("UNAVAILABLE")));
        was_one_request_and_nobodys_fault(house).await;
    }
}

#[tokio::test]
async fn a_native_stream_cut_inside_an_event_breaks_the_connection() {
    let (house, read, whole) = cut(&stream_path(FLASH), &chat("stream 5"), 2, StreamEnding::MidEvent).await;
    assert!(!read.is_complete, "half an event must not look whole: {}", read.text());
    assert!(whole.starts_with(&read.bytes), "what came before is passed on unchanged: {}", read.text());
    assert!(read.bytes.len() > first(&whole, 2, "\r\n\r\n").len(), "{}", read.text());
    was_one_request_and_nobodys_fault(house).await;
}

#[tokio::test]
async fn an_array_that_is_cut_breaks_the_connection() {
    for ending in [StreamEnding::Close, StreamEnding::MidEvent] {
        let (house, read, whole) = cut(&array_path(FLASH), &chat("stream 5"), 2, ending).await;
        assert!(!read.is_complete, "half an array must not look whole: {}", read.text());
        assert!(whole.starts_with(&read.bytes), "{}", read.text());
        assert!(read.text().contains("event 2 of 5"), "{}", read.text());
        was_one_request_and_nobodys_fault(house).await;
    }
}

#[tokio::test]
async fn an_openai_stream_cut_between_events_ends_with_an_error_in_its_shape() {
    let body = openai_chat("stream 5", true);
    let (house, read, whole) = cut(OPENAI_CHAT, &body, 2, StreamEnding::Close).await;
    assert!(read.is_complete, "the error is the end: {}", read.text());
    let passed = first(&whole, 2, "\n\n");
    let farewell = read.bytes.strip_prefix(&passed[..]).expect("what came before is passed on unchanged");
    let farewell = std::str::from_utf8(farewell).expect("text").trim_end();
    let told: Value = serde_json::from_str(farewell.strip_prefix("data: ").expect("an event")).expect("JSON");
    assert_eq!(
        (&told["error"]["type"], &told["error"]["code"]),
        (&json!("server_error"), &json!("upstream_unreachable"))
    );
    was_one_request_and_nobodys_fault(house).await;
}

#[tokio::test]
async fn an_openai_stream_cut_inside_an_event_breaks_the_connection() {
    let body = openai_chat("stream 5", true);
    let (house, read, whole) = cut(OPENAI_CHAT, &body, 2, StreamEnding::MidEvent).await;
    assert!(!read.is_complete, "half an event must not look whole: {}", read.text());
    assert!(whole.starts_with(&read.bytes), "{}", read.text());
    was_one_request_and_nobodys_fault(house).await;
}

#[tokio::test]
async fn a_stream_that_ends_in_order_but_too_early_is_passed_on_as_it_is() {
    let (house, read, whole) = cut(&stream_path(FLASH), &chat("stream 5"), 2, StreamEnding::End).await;
    assert!(read.is_complete);
    assert_eq!(read.bytes, first(&whole, 2, "\r\n\r\n"));
    was_one_request_and_nobodys_fault(house).await;
}

#[tokio::test]
async fn after_a_cut_stream_the_next_request_is_served_as_ever() {
    let (house, _, _) = cut(&stream_path(FLASH), &chat("stream 5"), 2, StreamEnding::Reset).await;
    let answer = Answer::to(house.stream("stream 5")).await;
    answer.is_providers("google", 200, 1);
    assert!(answer.text().contains("event 5 of 5"), "{answer:?}");
    house.google().await.blames_nobody();
    house.close().await;
}
