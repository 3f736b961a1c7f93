//! A provider that says nothing: before the head, after it, and inside a stream.

use keygate_tests::eventually;
use keygate_tests::sim::{Action, Fault, HalfStream, Provider, StreamEnding};
use serde_json::{Value, json};

use super::answer::{Answer, Read};
use super::stage::{FLASH, House, chat, generate_path};
use super::wire;

/// A deadline of the whole request that a test can wait for.
fn deadline(span: &str) -> Value {
    json!({"providers": {"google": {"timeout": span}, "anam": {"timeout": span}}})
}

#[tokio::test]
async fn a_stream_that_does_not_begin_is_served_by_another_key() {
    let house =
        House::open(json!({"providers": {"google": {"retry": {"stream_attempt_timeout": "1s"}}}})).await;
    let silent_after_the_head = Action::HalfStream(HalfStream { events: 0, ending: StreamEnding::Hang });
    for action in [Action::Hang, silent_after_the_head] {
        house.sim.script([Fault::new(action.clone())]).expect("room");
        let answer = Answer::to(house.stream("stream 3")).await;
        answer.is_providers("google", 200, 2);
        assert!(answer.text().contains("event 3 of 3"), "after {action:?}: {answer:?}");
    }

    let keys = house.counts().google.by_key;
    assert!(keys.len() >= 2, "another key served: {keys:?}");
    let pool = house.google().await;
    pool.blames_nobody();
    assert_eq!(pool.ledger("attempts"), 4);
    house.close().await;
}

#[tokio::test]
async fn a_chat_that_is_not_answered_ends_at_the_deadline() {
    let house = House::open(deadline("1s")).await;
    house.sim.script([Fault::new(Action::Hang).always()]).expect("room");

    let native = house.generate(FLASH, "hello").await;
    native.is_refusal(504, "deadline_exceeded");
    native.took("google", 1);
    native.says_native("DEADLINE_EXCEEDED", "Deadline expired");
    let openai = Answer::to(house.openai("hello")).await;
    openai.is_refusal(504, "deadline_exceeded");
    openai.says_openai("server_error", "Deadline expired");

    eventually("the provider notices that nobody waits", async || {
        (house.counts().google.unanswered == 2).then_some(())
    })
    .await;
    assert_eq!(house.upstream_requests(), 2);
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn the_callers_own_deadline_counts_when_it_is_shorter() {
    let house = House::open(json!({})).await;
    house.sim.script([Fault::new(Action::Hang)]).expect("room");
    let request = house.post(&generate_path(FLASH), &chat("hello")).header("x-server-timeout", "1");
    let answer = Answer::to(request).await;
    answer.is_refusal(504, "deadline_exceeded");
    answer.took("google", 1);
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_stream_that_falls_silent_ends_at_the_deadline_with_an_error_event() {
    let house = House::open(deadline("2s")).await;
    let silent = Action::HalfStream(HalfStream { events: 2, ending: StreamEnding::Hang });
    house.sim.script([Fault::new(silent)]).expect("room");

    let answer = house.stream("stream 5").send().await.expect("a head");
    assert_eq!(answer.status(), 200);
    let read = Read::to_end(answer).await;
    assert!(read.is_complete, "the error is the end: {}", read.text());
    let text = read.text();
    let last = text.trim_end().rsplit("\r\n\r\n").next().expect("a last event");
    let told: Value = serde_json::from_str(last.strip_prefix("data: ").expect("an event")).expect("JSON");
    assert_eq!(
        (&told["error"]["code"], &told["error"]["status"]),
        (&json!(504), &json!("DEADLINE_EXCEEDED"))
    );
    assert!(text.contains("event 2 of 5") && !text.contains("event 3 of 5"), "{text}");

    eventually("the provider notices that nobody listens", async || {
        (house.counts().google.streams_cut_by_client == 1).then_some(())
    })
    .await;
    assert_eq!(house.upstream_requests(), 1, "what was begun is not begun again");
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn an_avatar_start_that_is_not_answered_is_not_sent_twice() {
    let house = House::open(deadline("1s")).await;
    house.sim.script([Fault::new(Action::Hang).provider(Provider::Anam).always()]).expect("room");

    let body = json!({"personaConfig": {"name": "Ada", "avatarId": "a", "voiceId": "v"}});
    let answer = Answer::to(house.post("/anam/v1/engine/session", &body)).await;
    answer.is_refusal(504, "deadline_exceeded");
    answer.took("anam", 1);
    answer.says_anam("Gateway timeout", "Deadline expired");
    assert_eq!(house.counts().anam.requests, 1);
    house.anam().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_whole_answer_that_is_slow_to_begin_may_be_given_up_for_another_key() {
    let house = House::open(json!({"providers": {"google": {"retry": {"attempt_timeout": "1s"}}}})).await;
    house.sim.script([Fault::new(Action::Hang)]).expect("room");
    house.generate(FLASH, "hello").await.is_providers("google", 200, 2);
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_client_that_dawdles_over_its_head_or_body_is_cut_off() {
    let house = House::open(json!({
        "server": {"request_head_timeout": "1s"},
        "providers": {"google": {"timeout": "1s"}},
    }))
    .await;
    let half_a_head = format!("POST {} HTTP/1.1\r\nhost: gate", generate_path(FLASH));
    let answer = wire::send(&house.gateway, &half_a_head).await;
    assert_eq!(answer.status, 408, "{answer:?}");
    let half_a_body = format!("{half_a_head}way\r\ncontent-length: 100\r\n\r\n{{");
    let answer = wire::send(&house.gateway, &half_a_body).await;
    assert!((400..600).contains(&answer.status), "{answer:?}");
    assert_eq!(house.upstream_requests(), 0);
    assert_eq!(house.google().await.ledger("attempts"), 0, "no key was touched");
    house.close().await;
}
