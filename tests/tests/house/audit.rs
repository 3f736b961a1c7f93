//! Who did what: written down, kept whole, and shown to operators only.

use std::path::Path;

use keygate_tests::{eventually, simulator};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _};

use super::answer::Answer;
use super::database;
use super::kept_tokens::{command, guarded, made};
use super::stage::{FLASH, House, chat, generate_path};

const ADMIN: (&str, &str) = ("KEYGATE_ADMIN_TOKEN", "kg_the_admin_of_this_house");

async fn house() -> House {
    House::before(simulator(), guarded(), &[ADMIN]).await
}

async fn guesses(house: &House, times: usize) {
    for number in 0..times {
        let request = house
            .post(&generate_path(FLASH), &chat("hello"))
            .header("x-request-id", format!("guess-{number}"));
        Answer::to(request.bearer_auth(format!("kg_guess_{number}")))
            .await
            .is_refusal(401, "unauthenticated");
    }
}

pub(super) async fn listed(house: &House) -> Vec<Value> {
    let exit = command(house, &["audit", "list", "--json", "--since", "1d"]).await;
    let rows: Value = serde_json::from_str(&exit.stdout).expect("JSON");
    rows.as_array().expect("a list").clone()
}

/// What was done, the newest first.
fn actions(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["action"].as_str().expect("an action")).collect()
}

async fn holds(house: &House) -> bool {
    let exit = house.gateway.beside(&["audit", "verify"]).await;
    assert!(matches!(exit.status.code(), Some(0 | 1)), "{exit:?}");
    exit.status.code() == Some(0)
}

async fn run(home: &Path, sql: &str) {
    let mut shell = database::shell(home).await;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut shell).await.expect("it can be run");
    shell.close().await.expect("it can be closed");
}

#[tokio::test]
async fn what_operators_do_is_written_down_with_who_when_and_from_where() {
    let house = house().await;
    made(&house, &["--name", "shop", "--scopes", "chat", "--models", "gemini-*"]).await;
    command(&house, &["tokens", "revoke", "--name", "shop"]).await;
    let reset = house.post("/api/google/reset-keys", &json!({})).bearer_auth(ADMIN.1);
    assert_eq!(Answer::to(reset.header("x-request-id", "reset-17")).await.status, 200);
    let reload = house.post("/api/keys/reload", &json!({})).header("x-keygate-admin-token", ADMIN.1);
    assert_eq!(Answer::to(reload).await.status, 200);
    let rows = eventually("all of it is written", async || {
        let rows = listed(&house).await;
        (rows.len() == 4).then_some(rows)
    })
    .await;
    assert_eq!(actions(&rows), ["config.reloaded", "keys.reset", "token.revoked", "token.created"]);
    let (reset, created) = (&rows[1], &rows[3]);
    assert_eq!((&reset["who"], &reset["peer"]), (&json!("admin"), &json!("127.0.0.1")));
    assert_eq!((&reset["request_id"], &reset["count"]), (&json!("reset-17"), &json!(1)));
    assert!(reset["details"].as_str().is_some_and(|details| details.contains("google: all keys")), "{reset}");
    assert!(created["who"].as_str().is_some_and(|who| who.starts_with("cli:") && who.len() > 4), "{created}");
    assert!(
        created["details"].as_str().is_some_and(|said| said.contains("shop: chat; models gemini-*")),
        "{created}"
    );
    assert!(holds(&house).await);
    assert!(house.gateway.stderr().contains("audit: keys.reset"), "it is a line of the log too");
    house.close().await;
}

#[tokio::test]
async fn failed_logins_are_written_at_once_and_further_ones_of_an_address_as_one_row() {
    let house = house().await;
    guesses(&house, 5).await;
    let status = house.post("/api/google/reset-keys", &json!({})).bearer_auth("kg_guess_again");
    Answer::to(status).await.is_refusal(401, "unauthenticated");
    let told = async || house.gateway.stderr().contains("audit: login.failed").then_some(());
    eventually("the first is told at once", told).await;
    let first = eventually("the first is written at once", async || {
        let rows = listed(&house).await;
        (actions(&rows) == ["login.failed"]).then(|| rows[0].clone())
    })
    .await;
    assert_eq!((&first["count"], &first["peer"]), (&json!(1), &json!("127.0.0.1")));
    assert_eq!((&first["who"], &first["request_id"]), (&json!("unknown"), &json!("guess-0")));
    assert_eq!(first["details"], json!(generate_path(FLASH)));
    let house = house.restarted().await;
    let rows = listed(&house).await;
    assert_eq!(actions(&rows), ["login.failed", "login.failed"]);
    assert_eq!((&rows[0]["count"], &rows[1]["count"]), (&json!(5), &json!(1)), "newest first");
    assert!(!database::bytes(house.gateway.home()).contains("kg_guess"), "no token is written down");
    assert!(holds(&house).await);
    house.close().await;
}

#[tokio::test]
async fn a_clients_token_on_an_operators_route_is_written_down() {
    let house = house().await;
    let token = made(&house, &["--name", "shop"]).await;
    let reset = || Answer::to(house.post("/api/google/reset-keys", &json!({})).bearer_auth(&token));
    eventually("the token is known", async || (reset().await.status == 403).then_some(())).await;
    let rows = eventually("it is written", async || {
        let rows = listed(&house).await;
        actions(&rows).contains(&"admin.refused").then_some(rows)
    })
    .await;
    let row = rows.iter().find(|row| row["action"] == "admin.refused").expect("a row");
    assert_eq!((&row["who"], &row["details"]), (&json!("shop"), &json!("/api/google/reset-keys")));
    house.close().await;
}

#[tokio::test]
async fn whoever_changes_it_is_found_out() {
    for sql in [
        "UPDATE audit SET who = 'somebody' WHERE number = 2",
        "DELETE FROM audit WHERE number = 2",
        "DELETE FROM audit WHERE number = 3",
    ] {
        let house = house().await;
        for name in ["a", "b", "c"] {
            made(&house, &["--name", name]).await;
        }
        assert!(holds(&house).await);
        run(house.gateway.home(), sql).await;
        assert!(!holds(&house).await, "{sql}");
        let told = house.gateway.beside(&["audit", "verify", "--json"]).await;
        let told: Value = serde_json::from_str(&told.stdout).expect("JSON");
        assert_eq!(told["holds"], false);
        assert!(told["broken"].as_str().is_some_and(|broken| broken.contains("row ")), "{told}");
        house.close().await;
    }
}

#[tokio::test]
async fn operators_read_it_page_by_page_and_nobody_else_does() {
    let house = house().await;
    for name in ["a", "b", "c"] {
        made(&house, &["--name", name]).await;
    }
    let shop = made(&house, &["--name", "shop", "--scopes", "chat,status"]).await;
    let page = |query: &str| Answer::to(house.get(&format!("/api/audit{query}")).bearer_auth(ADMIN.1));
    let first = page("?limit=3").await;
    assert_eq!(first.status, 200, "{first:?}");
    let first = first.json();
    let numbers = |page: &Value| {
        let rows = page["rows"].as_array().expect("rows").iter();
        rows.map(|row| row["number"].as_i64().expect("a number")).collect::<Vec<_>>()
    };
    assert_eq!((numbers(&first), &first["next_before"]), (vec![4, 3, 2], &json!(2)));
    let second = page("?limit=3&before=2").await.json();
    assert_eq!((numbers(&second), &second["next_before"]), (vec![1], &json!(null)));
    assert_eq!(numbers(&page("?since=2100-01-01T00:00:00Z").await.json()), Vec::<i64>::new());
    for wrong in ["?limit=0", "?limit=1001", "?since=yesterday", "?page=2"] {
        page(wrong).await.is_refusal(400, "bad_request");
    }
    Answer::to(house.get("/api/audit")).await.is_refusal(401, "unauthenticated");
    eventually("a client is told no", async || {
        let answer = Answer::to(house.get("/api/audit").bearer_auth(&shop)).await;
        (answer.status == 403).then_some(())
    })
    .await;
    house.close().await;
}

#[tokio::test]
async fn a_database_in_trouble_delays_no_operator_and_is_caught_up_with() {
    let house = house().await;
    run(house.gateway.home(), "ALTER TABLE audit_head RENAME TO audit_gone").await;
    let reset = || Answer::to(house.post("/api/google/reset-keys", &json!({})).bearer_auth(ADMIN.1));
    assert_eq!(reset().await.status, 200);
    assert_eq!(reset().await.status, 200);
    eventually("the status tells of it", async || {
        let status = house.gateway.get_json("/api/keys/status").await;
        (status["status"] == "degraded").then_some(())
    })
    .await;
    run(house.gateway.home(), "ALTER TABLE audit_gone RENAME TO audit_head").await;
    eventually("it is caught up with", async || (listed(&house).await.len() == 2).then_some(())).await;
    assert!(holds(&house).await);
    house.close().await;
}
