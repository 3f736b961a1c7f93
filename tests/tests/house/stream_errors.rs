//! Errors that the provider tells inside a stream that had begun with 200.

use keygate_tests::sim::{Action, Fault, GoogleRow, StreamError};
use keygate_tests::simulator;
use serde_json::{Value, json};

use super::answer::Answer;
use super::stage::{FLASH, House, OPENAI_CHAT, array_path, chat, direct, openai_chat, stream_path, twin};
use super::wire::Upstream;

fn error_after(events: usize, row: GoogleRow, bare: bool) -> Fault {
    Fault::new(Action::ErrorInStream(StreamError { events, row: Some(row), bare }))
}

#[tokio::test]
async fn an_error_inside_a_stream_is_passed_on_verbatim_and_its_key_rests() {
    let cases: [(String, Value, bool); 3] = [
        (stream_path(FLASH), chat("stream 5"), false),
        (stream_path(FLASH), chat("stream 5"), true),
        (array_path(FLASH), chat("stream 5"), false),
    ];
    for (path, body, bare) in cases {
        let told = twin();
        told.script([error_after(2, GoogleRow::MinuteRequests, bare)]).expect("room");
        let expected = direct(&told, &path, &body).await;

        let house = House::before(twin(), json!({}), &[]).await;
        house.sim.script([error_after(2, GoogleRow::MinuteRequests, bare)]).expect("room");
        let answer = Answer::to(house.post(&path, &body)).await;
        answer.is_providers("google", 200, 1);
        assert_eq!(answer.text(), expected.text(), "verbatim on {path}, bare: {bare}");

        let pool = house.google().await;
        assert_eq!(
            pool.states(),
            [("available", 1), ("cooling_down", 2)].into(),
            "its project rests: {pool:?}"
        );
        assert_eq!(pool.fault("alpha_1"), "rate_limited");
        let next = Answer::to(house.post(&path, &body)).await;
        next.is_providers("google", 200, 1);
        assert_eq!(next.header("x-keygate-key"), pool.id("beta_1"));
        assert!(next.text().contains("event 5 of 5"), "{next:?}");
        assert_eq!(house.upstream_requests(), 2);
        house.close().await;
    }
}

#[tokio::test]
async fn an_error_as_the_very_first_event_is_made_good_by_another_key() {
    let cases: [(String, Value, bool); 4] = [
        (stream_path(FLASH), chat("stream 5"), false),
        (stream_path(FLASH), chat("stream 5"), true),
        (array_path(FLASH), chat("stream 5"), false),
        (OPENAI_CHAT.to_owned(), openai_chat("stream 5", true), false),
    ];
    for (path, body, bare) in cases {
        let house = House::open(json!({})).await;
        house.sim.script([error_after(0, GoogleRow::MinuteRequests, bare).project("alpha")]).expect("room");
        let answer = Answer::to(house.post(&path, &body)).await;
        answer.is_providers("google", 200, 2);
        assert!(answer.text().contains("event 5 of 5"), "{path}, bare: {bare}: {answer:?}");
        assert!(!answer.text().contains("error"), "nobody notices on {path}: {answer:?}");

        let pool = house.google().await;
        assert_eq!(pool.states(), [("available", 1), ("cooling_down", 2)].into(), "{path}: {pool:?}");
        assert_eq!(house.upstream_requests(), 2);
        house.close().await;
    }
}

#[tokio::test]
async fn an_overload_told_as_the_first_event_blames_no_key() {
    let house = House::open(json!({})).await;
    house.sim.script([error_after(0, GoogleRow::Overloaded, false)]).expect("room");
    let answer = Answer::to(house.stream("stream 3")).await;
    answer.is_providers("google", 200, 2);
    assert!(answer.text().contains("event 3 of 3"), "{answer:?}");
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn an_overload_inside_a_stream_is_passed_on_and_blames_no_key() {
    let house = House::open(json!({})).await;
    house.sim.script([error_after(2, GoogleRow::Overloaded, false)]).expect("room");
    let answer = Answer::to(house.stream("stream 5")).await;
    answer.is_providers("google", 200, 1);
    let text = answer.text();
    assert!(text.contains("event 2 of 5") && text.contains("The model is overloaded"), "{text}");
    assert!(text.ends_with("\r\n\r\n") && text.matches("\"error\"").count() == 1, "nothing is added: {text}");
    let pool = house.google().await;
    pool.blames_nobody();
    assert_eq!(house.upstream_requests(), 1);
    house.close().await;
}

/// The network cuts where it likes: an error that comes in pieces is as good an error.
#[tokio::test]
async fn an_error_that_comes_in_pieces_is_made_good_like_any_other() {
    let error =
        json!({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}});
    let served =
        json!({"candidates": [{"content": {"parts": [{"text": "served"}]}, "finishReason": "STOP"}]});
    let (sse, array) = (stream_path(FLASH), array_path(FLASH));
    for (path, kind, bad, good) in [
        (&sse, "text/event-stream", format!("data: {error}\r\n\r\n"), format!("data: {served}\r\n\r\n")),
        (&array, "application/json", format!("[{error}]"), format!("[{served}]")),
    ] {
        for cut in [1, 8, 30] {
            let (bad, good) = (bad.clone(), good.clone());
            let mut upstream = Upstream::in_pieces(move |number, _| {
                let body = if number == 0 { &bad } else { &good };
                let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n");
                vec![head.into(), body[..cut].into(), body[cut..].into()]
            })
            .await;
            let changes = json!({"providers": {"google": {"base_url": upstream.url}}});
            let house = House::before(simulator(), changes, &[]).await;
            let answer = Answer::to(house.post(path, &chat("hello"))).await;
            assert!(answer.text().contains("served"), "cut after {cut} bytes of {path}: {answer:?}");
            answer.is_providers("google", 200, 2);
            assert_eq!(upstream.requests().len(), 2);
            house.close().await;
        }
    }
}
