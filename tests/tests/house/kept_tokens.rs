//! Tokens that are made, listed and revoked while the gateway runs, and while it does not.

use std::time::Duration;

use keygate_tests::{Exit, Keygate, SIMULATED_KEYS, configuration, eventually, simulator};
use serde_json::{Value, json};
use sqlx::Connection as _;
use tempfile::TempDir;

use super::answer::Answer;
use super::database;
use super::stage::{FLASH, House, chat, generate_path};

/// How soon a running gateway knows.
const SOON: Duration = Duration::from_secs(2);

/// Without this, a test that asks until it is refused would be taken for somebody who guesses.
pub(super) fn guarded() -> Value {
    json!({"clients": {"auth": "required"}, "limits": {"failed_logins_per_minute": 100_000}})
}

pub(super) async fn command(house: &House, args: &[&str]) -> Exit {
    let exit = house.gateway.beside(args).await;
    assert_eq!(exit.status.code(), Some(0), "{args:?}: {exit:?}");
    exit
}

/// Makes a token.
pub(super) async fn made(house: &House, args: &[&str]) -> String {
    let exit = command(house, &[&["tokens", "create"], args].concat()).await;
    let token = exit.stdout.trim_end_matches('\n');
    assert!(token.len() == 46 && token.starts_with("kg_"), "the token alone on stdout: {exit:?}");
    assert!(token[3..].bytes().all(|byte| byte.is_ascii_alphanumeric()), "{token}");
    assert!(!exit.stderr.contains(token), "{}", exit.stderr);
    token.to_owned()
}

async fn asked(house: &House, token: &str) -> Answer {
    Answer::to(house.post(&generate_path(FLASH), &chat("hello")).header("x-goog-api-key", token)).await
}

/// Waits until a request with this token is answered with this status, and says how long that took.
async fn answers(house: &House, token: &str, status: u16) -> Duration {
    let began = tokio::time::Instant::now();
    eventually("the gateway knows", async || (asked(house, token).await.status == status).then_some(()))
        .await;
    began.elapsed()
}

async fn listed(house: &House) -> Vec<Value> {
    let exit = command(house, &["tokens", "list", "--json"]).await;
    let listed: Value = serde_json::from_str(&exit.stdout).expect("JSON");
    listed.as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_running_gateway_knows_a_token_and_its_end_within_two_seconds() {
    let house = House::before(simulator(), guarded(), &[]).await;
    let token = made(&house, &["--name", "shop"]).await;
    let took = answers(&house, &token, 200).await;
    assert!(took < SOON, "{took:?}");
    command(&house, &["tokens", "revoke", "--name", "shop"]).await;
    let took = answers(&house, &token, 401).await;
    assert!(took < SOON, "{took:?}");
    asked(&house, &token).await.says_native("UNAUTHENTICATED", "expired or was revoked");
    assert_eq!(listed(&house).await[0]["state"], "revoked");
    let again = house.gateway.beside(&["tokens", "revoke", "--name", "shop"]).await;
    assert_eq!(again.status.code(), Some(64), "{again:?}");
    assert!(!database::bytes(house.gateway.home()).contains(&token), "the database holds a sum only");
    assert!(!house.gateway.stderr().contains(&token[3..]));
    house.close().await;
}

#[tokio::test]
async fn tokens_are_exchanged_without_a_gap_and_share_their_clients_limit() {
    let mut changes = guarded();
    changes["limits"]["per_user"] = json!({"requests_per_minute": 3});
    let house = House::before(simulator(), changes, &[]).await;
    let first = made(&house, &["--name", "shop"]).await;
    let second = made(&house, &["--name", "shop"]).await;
    answers(&house, &first, 200).await;
    answers(&house, &second, 200).await;
    let id = listed(&house).await[0]["id"].as_str().expect("an id").to_owned();
    command(&house, &["tokens", "revoke", &id, "--in", "24h"]).await;
    eventually("the end is known", async || (listed(&house).await[0]["state"] == "ending").then_some(()))
        .await;
    assert_eq!(asked(&house, &first).await.status, 200, "until then it goes on");
    for token in [&first, &second] {
        asked(&house, token).await.is_refusal(429, "user_limited");
    }
    house.close().await;
}

#[tokio::test]
async fn a_token_expires_at_its_second() {
    let house = House::before(simulator(), guarded(), &[]).await;
    let token = made(&house, &["--name", "shop", "--expires", "8s"]).await;
    answers(&house, &token, 200).await;
    let expires = listed(&house).await[0]["expires_at"].clone();
    answers(&house, &token, 401).await;
    let (now, expires) = (time(&json!(now())), time(&expires));
    assert!(now >= expires && now < expires + 3.0, "{expires} and {now}");
    house.close().await;
}

fn now() -> String {
    keygate_actors::clock::now().wall.as_duration().as_secs_f64().to_string()
}

/// Seconds since 1970 of a number or of a moment as JSON has it.
fn time(value: &Value) -> f64 {
    let text = value.as_str().expect("a text");
    let parsed = text.parse::<f64>().ok();
    parsed.unwrap_or_else(|| {
        text.parse::<jiff::Timestamp>().expect("a moment").as_millisecond() as f64 / 1000.0
    })
}

#[tokio::test]
async fn tokens_of_all_kinds_are_known_beside_each_other_and_survive_a_restart() {
    let variable = ("KEYGATE_CLIENT_TOKENS", "kg_of_the_environment");
    let house = House::before(simulator(), guarded(), &[variable]).await;
    let token = made(&house, &["--name", "shop", "--scopes", "chat,status"]).await;
    answers(&house, &token, 200).await;
    assert_eq!(asked(&house, "kg_of_the_environment").await.status, 200);
    let house = house.restarted().await;
    assert_eq!(asked(&house, &token).await.status, 200, "known from the first request on");
    let embed =
        house.post("/v1beta/models/gemini-embedding-001:embedContent", &json!({"content": {"parts": []}}));
    let refused = Answer::to(embed.bearer_auth(&token)).await;
    refused.is_refusal(403, "forbidden");
    assert!(refused.text().contains("`embed`"), "{refused:?}");
    // What the reload of a file posts does not forget them.
    house.gateway.signal("HUP").await;
    assert_eq!(asked(&house, &token).await.status, 200);
    house.close().await;
}

#[tokio::test]
async fn a_token_is_made_before_the_first_start() {
    let simulator = simulator();
    let home = TempDir::new().expect("a temporary folder");
    let yaml = configuration(simulator.endpoints(), &guarded());
    std::fs::write(home.path().join("keygate.yaml"), yaml).expect("it can be written");
    let nothing = Keygate::run_in(&home, &["tokens", "list"], &[]).await;
    assert_eq!(nothing.status.code(), Some(74), "{nothing:?}");
    assert!(nothing.stderr.contains("there is no database"), "{nothing:?}");
    // No variable of a key is set: none is needed for this.
    let exit = Keygate::run_in(&home, &["tokens", "create", "--name", "shop", "--json"], &[]).await;
    let made: Value = serde_json::from_str(&exit.stdout).expect("JSON");
    let gateway = Keygate::start_in(home, SIMULATED_KEYS).await;
    let request = gateway.http().post(gateway.url(&generate_path(FLASH)));
    let request = super::answer::json_body(request, &chat("hello"));
    let answer = Answer::to(request.bearer_auth(made["token"].as_str().expect("a token"))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(gateway.stop().await.status.code(), Some(0));
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_what_was_meant() {
    let house = House::open(json!({})).await;
    let refused: [(&[&str], &str); 8] = [
        (&["--name", ""], "--name"),
        (&["--name", "shop", "--scopes", "chatt"], "did you mean `chat`"),
        (&["--name", "shop", "--plan", "fre"], "plan"),
        (&["--name", "shop", "--models", "gemini-3.8-flsh"], "did you mean `gemini-3.8-flash`"),
        (&["--name", "shop", "--models", "gemini 3"], "no name of a model"),
        (&["--name", "shop", "--expires", "soon"], "no span of time"),
        (&["--name", "shop", "--expires", "0s"], "expired already"),
        (&["--scopes", "chat"], "--name"),
    ];
    for (args, says) in refused {
        let exit = house.gateway.beside(&[&["tokens", "create"], args].concat()).await;
        assert_eq!(exit.status.code(), Some(64), "{args:?}: {exit:?}");
        assert!(exit.stderr.contains(says) && exit.stdout.is_empty(), "{args:?}: {exit:?}");
    }
    assert!(listed(&house).await.is_empty(), "none was made");
    let unknown = house.gateway.beside(&["tokens", "revoke", "0123456789ab"]).await;
    assert_eq!(unknown.status.code(), Some(64), "{unknown:?}");
    house.close().await;
}

#[tokio::test]
async fn while_the_database_is_in_trouble_the_tokens_known_last_are_good() {
    let house = House::before(simulator(), guarded(), &[]).await;
    let token = made(&house, &["--name", "shop"]).await;
    answers(&house, &token, 200).await;
    let mut shell = database::shell(house.gateway.home()).await;
    let rename = "ALTER TABLE tokens_changed RENAME TO tokens_gone";
    sqlx::raw_sql(rename).execute(&mut shell).await.expect("it can be renamed");
    let told = async || house.gateway.stderr().contains("tokens cannot be read").then_some(());
    eventually("the log tells of it", told).await;
    assert_eq!(asked(&house, &token).await.status, 200);
    let back = "ALTER TABLE tokens_gone RENAME TO tokens_changed";
    sqlx::raw_sql(back).execute(&mut shell).await.expect("it can be renamed");
    shell.close().await.expect("it can be closed");
    let told = async || house.gateway.stderr().contains("tokens can be read again").then_some(());
    eventually("the log tells of it", told).await;
    command(&house, &["tokens", "revoke", "--name", "shop"]).await;
    answers(&house, &token, 401).await;
    house.close().await;
}

#[tokio::test]
async fn a_kept_token_with_the_scope_admin_opens_operators_routes() {
    let house = House::before(simulator(), guarded(), &[]).await;
    let reset = |token: &str| Answer::to(house.post("/api/google/reset-keys", &json!({})).bearer_auth(token));
    reset("kg_nobody").await.is_refusal(403, "forbidden");
    let token = made(&house, &["--name", "ops", "--scopes", "admin"]).await;
    eventually("the gateway knows", async || (reset(&token).await.status == 200).then_some(())).await;
    let other = made(&house, &["--name", "shop"]).await;
    answers(&house, &other, 200).await;
    reset(&other).await.is_refusal(403, "forbidden");
    house.close().await;
}

#[tokio::test]
async fn that_nobody_has_a_token_is_said_only_where_the_database_has_none_either() {
    const WARNING: &str = "clients need a token and there is none";
    let checked = async |home: &TempDir| {
        let exit = Keygate::run_in(home, &["check"], SIMULATED_KEYS).await;
        assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
        exit.stdout
    };
    let house = House::before(simulator(), guarded(), &[]).await;
    assert!(house.gateway.stderr().contains(WARNING), "{}", house.gateway.stderr());
    made(&house, &["--name", "shop"]).await;
    let house = house.restarted().await;
    assert!(!house.gateway.stderr().contains(WARNING), "{}", house.gateway.stderr());
    let (_, home) = house.gateway.leave().await;
    let told = checked(&home).await;
    assert!(!told.contains(WARNING), "{told}");
    std::fs::remove_file(home.path().join("keygate.db")).expect("it is there");
    let told = checked(&home).await;
    assert!(told.contains(WARNING) && told.contains("tokens create"), "{told}");
    assert!(!home.path().join("keygate.db").exists(), "a look makes nothing");
}
