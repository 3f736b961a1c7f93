//! No key is free, but one will be soon: requests wait, in turn and not in vain.

use std::time::Duration;

use futures_util::future::join_all;
use keygate_tests::sim::{Action, AnamRow, Fault, GoogleRow, Provider, Row, ScriptedAnswer};
use keygate_tests::{eventually, simulator};
use serde_json::{Value, json};

use super::answer::Answer;
use super::stage::{FLASH, House, PRO, chat, generate_path};

const ADMIN: (&str, &str) = ("KEYGATE_ADMIN_TOKEN", "kg_the_admin");

/// A pool of one key for each provider.
fn one_key(queue: &Value) -> Value {
    json!({"providers": {
        "google": {"keys": [{"secret": "env:ALPHA_1", "label": "alpha_1"}], "queue": queue},
        "anam": {"keys": [{"secret": "env:STUDIO_1", "label": "studio_1"}], "queue": queue, "timeout": "2m"},
    }})
}

/// One refusal, for so many seconds; the margin of a second comes on top.
fn limited(row: impl Into<Row>, seconds: u64) -> Fault {
    let retry = Some(Duration::from_secs(seconds));
    Fault::new(Action::Answer(ScriptedAnswer { row: Some(row.into()), retry, ..ScriptedAnswer::default() }))
}

fn generate(house: &House, model: &str, user: &str) -> reqwest::RequestBuilder {
    house.post(&generate_path(model), &chat("hello")).header("x-user-id", user)
}

async fn waiting(house: &House, provider: &str, expected: u64) {
    eventually("as many wait as should", async || {
        let pool = house.pool_now(provider).await;
        (pool.0["waiting"] == expected).then_some(())
    })
    .await;
}

async fn reset(house: &House) {
    let answer = house.post("/api/gemini/reset-keys", &json!({})).bearer_auth(ADMIN.1);
    assert_eq!(Answer::to(answer).await.status, 200);
}

#[tokio::test]
async fn with_every_key_limited_for_two_seconds_everybody_is_served_all_the_same() {
    let house = House::open(one_key(&json!({}))).await;
    house.sim.script([limited(GoogleRow::MinuteRequests, 1).project("alpha")]).expect("room");
    let first = tokio::spawn(Answer::to(generate(&house, FLASH, "first")));
    eventually("the key is refused", async || (house.counts().google.refused_429 == 1).then_some(())).await;
    let others =
        join_all((0..4).map(|user| Answer::to(generate(&house, FLASH, &format!("user {user}"))))).await;
    first.await.expect("no panic").is_providers("google", 200, 2);
    for other in others {
        other.is_providers("google", 200, 1);
    }
    let counts = house.counts().google;
    assert_eq!((counts.requests, counts.refused_429), (6, 1), "nobody asks while the key rests");
    house.close().await;
}

#[tokio::test]
async fn a_client_that_hangs_up_frees_its_place_and_takes_no_key() {
    let house = House::open(one_key(&json!({"max_wait": "90s", "max_waiting": 1}))).await;
    house.sim.script([limited(GoogleRow::MinuteRequests, 55).project("alpha")]).expect("room");
    let waits = tokio::spawn(generate(&house, FLASH, "gone").send());
    waiting(&house, "google", 1).await;
    generate(&house, FLASH, "refused").send().await.expect("an answer").error_for_status().expect_err("full");
    waits.abort();
    waiting(&house, "google", 0).await;
    let next = tokio::spawn(generate(&house, FLASH, "next").send());
    waiting(&house, "google", 1).await;
    next.abort();
    waiting(&house, "google", 0).await;
    let pool = house.google().await;
    assert_eq!((pool.ledger("attempts"), house.upstream_requests()), (1, 1), "{pool:?}");
    house.close().await;
}

#[tokio::test]
async fn one_who_hangs_up_before_its_session_start_was_sent_starts_none() {
    let house = House::open(one_key(&json!({"max_wait": "90s"}))).await;
    // A start may wait for 8 s at most, and a busy organisation rests longer unless it says otherwise.
    let busy = ScriptedAnswer {
        row: Some(AnamRow::ConcurrentSessions.into()),
        headers: [("retry-after".to_owned(), "6".to_owned())].into(),
        ..ScriptedAnswer::default()
    };
    let busy = Fault::new(Action::Answer(busy)).provider(Provider::Anam);
    house.sim.script([busy]).expect("room");
    let body = json!({"personaConfig": {"name": "Ada", "avatarId": "a", "voiceId": "v"}});
    let waits = tokio::spawn(house.post("/anam/v1/engine/session", &body).send());
    waiting(&house, "anam", 1).await;
    waits.abort();
    waiting(&house, "anam", 0).await;
    assert_eq!(house.counts().anam.requests, 1);
    house.close().await;
}

#[tokio::test]
async fn a_full_queue_is_told_at_once_with_the_honest_time_and_a_reset_serves_those_in_it() {
    let queue = json!({"max_wait": "90s", "max_waiting": 2});
    let house = House::before(simulator(), one_key(&queue), &[ADMIN]).await;
    house.sim.script([limited(GoogleRow::MinuteRequests, 55).model(FLASH)]).expect("room");
    let first = tokio::spawn(Answer::to(generate(&house, FLASH, "ada")));
    waiting(&house, "google", 1).await;
    let second = tokio::spawn(Answer::to(generate(&house, FLASH, "ada")));
    waiting(&house, "google", 2).await;

    let third = Answer::to(generate(&house, FLASH, "ada")).await;
    third.is_refusal(429, "pool_exhausted");
    third.took("google", 0);
    assert!(third.retry_after().is_some_and(|seconds| (1..=62).contains(&seconds)), "{third:?}");
    Answer::to(generate(&house, PRO, "ada")).await.is_providers("google", 200, 1);

    let bob = tokio::spawn(Answer::to(generate(&house, FLASH, "bob")));
    let gave_way = second.await.expect("no panic");
    gave_way.is_refusal(429, "pool_exhausted");
    assert!(gave_way.retry_after().is_some_and(|seconds| (1..=62).contains(&seconds)), "{gave_way:?}");
    waiting(&house, "google", 2).await;

    reset(&house).await;
    first.await.expect("no panic").is_providers("google", 200, 2);
    bob.await.expect("no panic").is_providers("google", 200, 1);
    house.close().await;
}

#[tokio::test]
async fn what_comes_too_late_for_a_deadline_is_not_waited_for() {
    let house = House::open(one_key(&json!({"max_wait": "90s"}))).await;
    house.sim.script([limited(GoogleRow::MinuteRequests, 55)]).expect("room");
    let hasty = generate(&house, FLASH, "ada").header("x-server-timeout", "20");
    let refused = Answer::to(hasty).await;
    refused.is_refusal(429, "pool_exhausted");
    assert!(refused.retry_after().is_some_and(|seconds| seconds > 20), "{refused:?}");
    house.close().await;
}

#[tokio::test]
async fn without_a_queue_nobody_waits() {
    let house = House::open(one_key(&json!({"max_wait": "0s"}))).await;
    house.sim.script([limited(GoogleRow::MinuteRequests, 1)]).expect("room");
    house.generate(FLASH, "hello").await.is_refusal(429, "pool_exhausted");
    house.close().await;
}
