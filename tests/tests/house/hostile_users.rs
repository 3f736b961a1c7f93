//! Users whose names are meant to break something, all the way through limiter, plan, ledger and reports.

use std::fmt::Write as _;

use keygate_tests::{eventually, simulator};
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use super::answer::Answer;
use super::stage::{FLASH, House, chat, generate_path};

const ADMIN: &str = "an-admin-token-of-some-length";

/// A name, how the ledger keeps it, and how a spreadsheet is told of it.
const NAMES: [(&str, &str, &str); 8] = [
    ("'; DROP TABLE ledger; --", "'; DROP TABLE ledger; --", "'; DROP TABLE ledger; --"),
    ("🦀 小明", "🦀 小明", "🦀 小明"),
    ("a\0b", "a␀b", "a␀b"),
    ("two\nlines", "two\nlines", "\"two\nlines\""),
    ("Ann, \"the\" user", "Ann, \"the\" user", "\"Ann, \"\"the\"\" user\""),
    ("=HYPERLINK(\"http://x\")", "=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\""),
    ("+628123456789", "+628123456789", "+628123456789"),
    ("../../etc/passwd?client=x#y%00", "../../etc/passwd?client=x#y%00", "../../etc/passwd?client=x#y%00"),
];

fn in_a_path(name: &str) -> String {
    name.bytes().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "%{byte:02X}");
        text
    })
}

async fn asked(house: &House, path: &str) -> Answer {
    Answer::to(house.get(path).bearer_auth(ADMIN)).await
}

/// The assistant takes names that no header could hold.
async fn ask_as(house: &House, name: &str) -> Answer {
    let body = json!({"message": "hello", "model": FLASH, "user_id": name});
    Answer::to(house.post("/api/v1/assistant/query", &body)).await
}

#[tokio::test]
async fn a_user_may_be_called_anything_and_is_one_user_everywhere() {
    let changes = json!({
        "limits": {"per_user": {"requests_per_minute": 2}},
        "plans": {"default": "free", "free": {"requests_per_day": 100}},
    });
    let house = House::before(simulator(), changes, &[("KEYGATE_ADMIN_TOKEN", ADMIN)]).await;
    for (name, ..) in NAMES {
        for _ in 0..2 {
            assert_eq!(ask_as(&house, name).await.status, 200, "{name:?}");
        }
        let third = ask_as(&house, name).await;
        assert_eq!(
            (third.status, third.header("x-keygate-error")),
            (429, "user_limited"),
            "{name:?}: {third:?}"
        );
    }
    let told = eventually("the ledger has them all", async || {
        let told = asked(&house, "/api/usage?group_by=user").await.json();
        (told["total"]["requests"] == 2 * NAMES.len()).then_some(told)
    })
    .await;
    let rows = told["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), NAMES.len(), "{told}");
    let csv = asked(&house, "/api/usage?group_by=user&format=csv").await.text();
    for (name, kept, field) in NAMES {
        let row = rows.iter().find(|row| row["key"] == kept).unwrap_or_else(|| panic!("{name:?} in {told}"));
        assert_eq!(row["requests"], 2, "{name:?}");
        assert!(csv.contains(&format!("\n{field},2,2,0,")), "{name:?} in {csv}");
        let standing = asked(&house, &format!("/api/usage/users/{}", in_a_path(name))).await;
        assert_eq!(standing.status, 200, "{name:?}: {standing:?}");
        let standing = standing.json();
        assert_eq!((&standing["user"], &standing["used"]["day"]["requests"]), (&json!(kept), &json!(2)));
    }
    let house = house.killed().await;
    for (name, ..) in NAMES {
        let standing = asked(&house, &format!("/api/usage/users/{}", in_a_path(name))).await.json();
        assert_eq!(standing["used"]["day"]["requests"], 2, "what was used is known again: {standing}");
    }
    house.close().await;
}

#[tokio::test]
async fn a_name_of_ten_kilobytes_is_refused_wherever_it_stands() {
    let house = House::before(simulator(), json!({}), &[("KEYGATE_ADMIN_TOKEN", ADMIN)]).await;
    let long = "u".repeat(10_000);
    let header = HeaderValue::from_str(&long).expect("a header");
    let answer =
        Answer::to(house.post(&generate_path(FLASH), &chat("hello")).header("x-user-id", header)).await;
    answer.is_refusal(400, "bad_request");
    answer.says_native("INVALID_ARGUMENT", "X-User-Id");
    let answer = ask_as(&house, &long).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.text().contains("user_id"), "{answer:?}");
    let answer = asked(&house, &format!("/api/usage/users/{long}")).await;
    answer.is_refusal(400, "bad_request");
    answer.says_house("bytes");
    assert_eq!(house.upstream_requests(), 0);
    assert_eq!(asked(&house, "/api/usage").await.json()["rows"], Value::Array(Vec::new()));
    house.close().await;
}
