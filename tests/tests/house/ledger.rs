//! The ledger: one row for each attempt that could have cost something, and sums that are the provider's own.

use std::path::Path;

use futures_util::StreamExt as _;
use keygate_tests::sim::{Fault, GoogleRow};
use keygate_tests::{eventually, simulator};
use serde_json::{Value, json};
use sqlx::Connection as _;

use super::answer::Answer;
use super::database::shell;
use super::stage::{FLASH, House, OPENAI_CHAT, chat, generate_path, openai_chat, stream_path};

const ADMIN: &str = "an-admin-token-of-some-length";
const TOKENS: &str = "kg_first_client,kg_second_client";

/// Waits until as many rows are on disk.
pub(crate) async fn holds(home: &Path, rows: i64) {
    let mut shell = shell(home).await;
    eventually("the ledger is on disk", async || {
        let count = sqlx::query_scalar("SELECT count(*) FROM ledger");
        let found: i64 = count.fetch_one(&mut shell).await.expect("it can be read");
        (found == rows).then_some(())
    })
    .await;
    shell.close().await.expect("it can be closed");
}

async fn open() -> House {
    let changes = json!({
        "clients": {"auth": "required"},
        "limits": {"per_user": {"requests_per_minute": 1000, "max_concurrent": 1000}},
    });
    let env = [("KEYGATE_ADMIN_TOKEN", ADMIN), ("KEYGATE_CLIENT_TOKENS", TOKENS)];
    House::before(simulator(), changes, &env).await
}

async fn usage(house: &House, query: &str, token: &str) -> Answer {
    Answer::to(house.get(&format!("/api/usage?{query}")).bearer_auth(token)).await
}

/// All sums, once as many attempts are written down.
async fn total(house: &House, attempts: u64) -> Value {
    eventually("the ledger has every attempt", async || {
        let total = usage(house, "group_by=day", ADMIN).await.json()["total"].clone();
        (total["attempts"] == attempts).then_some(total)
    })
    .await
}

fn as_first(request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
    request.header("x-goog-api-key", "kg_first_client").header("x-user-id", "ann")
}

#[tokio::test]
async fn sums_are_the_providers_own_over_mixed_traffic() {
    let house = open().await;
    house.sim.script([Fault::google(GoogleRow::MinuteRequests).key("sim-google-alpha-1")]).expect("room");
    for round in 0..4 {
        let text = format!("hello number {round}");
        let whole = Answer::to(as_first(house.post(&generate_path(FLASH), &chat(&text)))).await;
        assert_eq!(whole.status, 200, "{whole:?}");
        let stream = Answer::to(as_first(house.post(&stream_path(FLASH), &chat(&text)))).await;
        assert_eq!(stream.status, 200, "{stream:?}");
        for streamed in [false, true] {
            let body = openai_chat(&text, streamed);
            let openai = Answer::to(house.post(OPENAI_CHAT, &body).bearer_auth("kg_second_client")).await;
            assert_eq!(openai.status, 200, "{openai:?}");
        }
    }
    let mistake = Answer::to(as_first(house.post(&generate_path(FLASH), &json!({"nonsense": 1})))).await;
    assert_eq!(mistake.status, 400);
    let refused = house.counts().google.refused_429;
    assert_eq!(refused, 1);

    let total = total(&house, 16 + 1 + refused).await;
    let tokens = house.counts().google.tokens;
    assert_eq!(total["requests"], 17);
    assert_eq!(total["errors"], 1 + refused);
    assert_eq!(total["input_tokens"], tokens.prompt);
    assert_eq!(total["output_tokens"], tokens.candidates);
    assert_eq!(total["thought_tokens"], tokens.thoughts);
    assert_eq!(total["total_tokens"], tokens.total);
    assert_eq!(total["estimated_tokens"], 0);

    let own = usage(&house, "group_by=user", "kg_first_client").await.json();
    assert_eq!(own["rows"].as_array().map(Vec::len), Some(1), "{own}");
    assert_eq!((&own["rows"][0]["key"], &own["rows"][0]["requests"]), (&json!("ann"), &json!(9)));
    let csv = usage(&house, "group_by=client&format=csv", ADMIN).await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(csv.text().lines().count(), 3, "{csv:?}");
    house.close().await;
}

#[tokio::test]
async fn a_stream_that_its_caller_leaves_is_billed_by_what_was_seen_and_says_so() {
    let house = open().await;
    let request = as_first(house.post(&stream_path(FLASH), &chat("stream 50 every 100ms")));
    let mut bytes = request.send().await.expect("it begins").bytes_stream();
    bytes.next().await.expect("a first event").expect("bytes");
    drop(bytes);
    let total = total(&house, 1).await;
    assert!(total["input_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{total}");
    assert_eq!(total["estimated_tokens"], total["total_tokens"], "{total}");
    house.close().await;
}

#[tokio::test]
async fn usage_is_told_to_operators_and_clients_and_to_nobody_else() {
    let house = open().await;
    let nobody = Answer::to(house.get("/api/usage")).await;
    nobody.is_refusal(401, "unauthenticated");
    let wrong = usage(&house, "", "kg_some_other").await;
    wrong.is_refusal(401, "unauthenticated");
    for (query, says) in [
        ("group_by=colour", "user, client, key, model or day"),
        ("from=yesterday", "such as 2026-11-01"),
        ("format=xml", "json or csv"),
        ("from=2026-11-02&to=2026-11-01T00:00:00Z", "later than"),
        ("until=2026-11-02", "not understood"),
    ] {
        let answer = usage(&house, query, ADMIN).await;
        answer.is_refusal(400, "bad_request");
        answer.says_house(says);
    }
    let others = house.get("/api/usage/users/ann?client=env-2").bearer_auth("kg_first_client");
    Answer::to(others).await.is_refusal(403, "forbidden");
    house.close().await;
}

#[tokio::test]
async fn a_database_that_is_locked_delays_no_request_and_misses_no_row() {
    let house = open().await;
    Answer::to(as_first(house.post(&generate_path(FLASH), &chat("hello"))))
        .await
        .is_providers("google", 200, 1);
    total(&house, 1).await;
    let mut other = shell(house.gateway.home()).await;
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.expect("the lock");
    for _ in 0..5 {
        let answer = Answer::to(as_first(house.post(&generate_path(FLASH), &chat("hello")))).await;
        answer.is_providers("google", 200, 1);
    }
    eventually("status says so", async || {
        let status = house.gateway.get_json("/api/keys/status").await;
        (status["status"] == "degraded").then_some(())
    })
    .await;
    // What the database cannot take is in the spool: a process that is killed now takes nothing with it.
    eventually("the spool has them", async || {
        let spool =
            std::fs::read_to_string(house.gateway.home().join("keygate.db.spool")).unwrap_or_default();
        (spool.lines().count() == 5).then_some(())
    })
    .await;
    sqlx::query("ROLLBACK").execute(&mut other).await.expect("the lock is given back");
    other.close().await.expect("it can be closed");
    let total = total(&house, 6).await;
    assert_eq!(total["requests"], 6);
    eventually("the spool is empty", async || {
        (!house.gateway.home().join("keygate.db.spool").exists()).then_some(())
    })
    .await;
    house.close().await;
}
