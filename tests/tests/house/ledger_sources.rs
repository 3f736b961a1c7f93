//! Who answered is in the ledger, and sums are the provider's own whatever the traffic is made of.

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

const ANSWERS: &str = "[{id: hours, match: opening hours, language: en, reply: From 8 to 17.}]";

/// Source, user, outcome, key and tokens of each row that was answered.
type Row = (String, String, String, String, i64);

async fn answered(home: &Path) -> Vec<Row> {
    let mut shell = shell(home).await;
    let rows = sqlx::query_as(
        "SELECT source, user_name, outcome, key_id, total_tokens FROM ledger WHERE fault = '' ORDER BY 1, 2",
    );
    let rows = rows.fetch_all(&mut shell).await.expect("it can be read");
    shell.close().await.expect("it can be closed");
    rows
}

async fn usage(house: &House) -> Value {
    Answer::to(house.get("/api/usage?group_by=user").bearer_auth(ADMIN)).await.json()
}

fn number(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or_else(|| panic!("no {field}: {value}"))
}

/// What a user asks, with this path and body.
async fn of(house: &House, user: &str, path: &str, body: &Value) -> Answer {
    Answer::to(house.post(path, body).header("x-user-id", user)).await
}

/// A house with a cache and a stored answer.
async fn open() -> House {
    let changes = json!({
        "cache": {"enabled": true},
        "limits": {"per_user": {"requests_per_minute": 1000}},
    });
    let house = House::before(simulator(), changes, &[("KEYGATE_ADMIN_TOKEN", ADMIN)]).await;
    house.gateway.write("answers.yaml", ANSWERS);
    let done = house.gateway.beside(&["answers", "import", "answers.yaml"]).await;
    assert_eq!(done.status.code(), Some(0), "{}", done.stderr);
    house
}

/// Plain, streamed, on the other surface, tried twice, and from the cache.
async fn answers_of_the_provider(house: &House) {
    of(house, "plain", &generate_path(FLASH), &chat("hello")).await.is_providers("google", 200, 1);
    of(house, "stream", &stream_path(FLASH), &chat("stream 7")).await.is_providers("google", 200, 1);
    of(house, "openai", OPENAI_CHAT, &openai_chat("stream 5", true)).await.is_providers("google", 200, 1);
    house.sim.script([Fault::google(GoogleRow::Overloaded)]).expect("room");
    of(house, "retry", &generate_path(FLASH), &chat("again")).await.is_providers("google", 200, 2);
    for source in ["provider", "cache", "cache"] {
        let answer = of(house, "cache", &generate_path(FLASH), &chat("the same")).await;
        assert_eq!((answer.status, answer.header("x-keygate-source")), (200, source), "{answer:?}");
    }
}

#[tokio::test]
async fn sums_over_all_kinds_of_answers_are_the_providers_own_but_for_what_is_flagged() {
    let house = open().await;
    answers_of_the_provider(&house).await;
    let own = house.counts().google.tokens;

    // One that is left before the provider has told its count.
    let leaving = house.post(&stream_path(FLASH), &chat("stream 50 every 100ms")).header("x-user-id", "left");
    let mut bytes = leaving.send().await.expect("it begins").bytes_stream();
    bytes.next().await.expect("a first event").expect("bytes");
    drop(bytes);
    // And one that no key answers.
    house.sim.script([Fault::google(GoogleRow::DayRequests).always()]).expect("room");
    let stored = of(&house, "stored", &generate_path(FLASH), &chat("What are your opening hours?")).await;
    assert_eq!((stored.status, stored.header("x-keygate-source")), (200, "stored"), "{stored:?}");

    let told = eventually("the ledger has every request", async || {
        let told = usage(&house).await;
        (told["total"]["requests"] == 9 && told["rows"].as_array().is_some_and(|rows| rows.len() == 7))
            .then_some(told)
    })
    .await;
    let row = |user: &str| {
        let rows = told["rows"].as_array().expect("rows");
        rows.iter().find(|row| row["key"] == user).unwrap_or_else(|| panic!("no {user}: {told}")).clone()
    };
    let left = row("left");
    assert_eq!(left["estimated_tokens"], left["total_tokens"], "{told}");
    assert!(left["total_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{told}");
    let rest = |field: &str| number(&told["total"], field) - number(&left, field);
    assert_eq!(rest("estimated_tokens"), 0, "{told}");
    assert_eq!(rest("input_tokens"), own.prompt, "{told}");
    assert_eq!(rest("output_tokens"), own.candidates, "{told}");
    assert_eq!(rest("thought_tokens"), own.thoughts, "{told}");
    assert_eq!(rest("cached_tokens"), own.cached, "{told}");
    assert_eq!(rest("total_tokens"), own.total, "{told}");
    assert_eq!((&row("retry")["attempts"], &row("retry")["errors"]), (&json!(2), &json!(1)));
    assert_eq!(row("cache")["requests"], 3);
    assert_eq!(row("stored")["requests"], 1);

    let rows = answered(house.gateway.home()).await;
    let without_key: Vec<_> = rows
        .iter()
        .filter(|row| row.3.is_empty())
        .map(|row| (row.0.as_str(), row.1.as_str(), row.4))
        .collect();
    assert_eq!(
        without_key,
        [("cache", "cache", 0), ("cache", "cache", 0), ("stored", "stored", 0)],
        "{rows:?}"
    );
    assert!(rows.iter().all(|row| row.2 == "settled" || row.1 == "left"), "{rows:?}");
    house.close().await;
}
