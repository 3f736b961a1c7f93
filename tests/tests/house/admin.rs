//! Operators' routes: closed without an admin token, on loopback too.

use keygate_tests::sim::{GoogleRow, KeyState};
use keygate_tests::{eventually, simulator};
use serde_json::json;

use super::answer::Answer;
use super::stage::{FLASH, House, states};

const RESET: &str = "/api/google/reset-keys";
const ADMIN: (&str, &str) = ("KEYGATE_ADMIN_TOKEN", "kg_the_admin");
const KEYS: [&str; 3] = ["sim-google-alpha-1", "sim-google-alpha-2", "sim-google-beta-1"];

/// A house whose Gemini keys were all found invalid.
async fn with_every_key_out() -> House {
    let house = House::before(simulator(), json!({}), &[ADMIN]).await;
    let invalid = KeyState::Google(GoogleRow::KeyInvalid);
    house.sim.declare(states(&KEYS.map(|key| (key, invalid)))).expect("known keys");
    house.generate(FLASH, "hello").await.is_refusal(503, "pool_disabled");
    house.sim.declare(states(&KEYS.map(|key| (key, KeyState::Valid)))).expect("known keys");
    house
}

#[tokio::test]
async fn without_an_admin_token_the_routes_say_how_to_set_one() {
    let house = House::open(json!({})).await;
    for request in [house.post(RESET, &json!({})), house.post(RESET, &json!({})).bearer_auth("anything")] {
        let answer = Answer::to(request).await;
        answer.is_refusal(403, "forbidden");
        answer.says_house("KEYGATE_ADMIN_TOKEN");
    }
    house.close().await;
}

#[tokio::test]
async fn a_wrong_or_missing_admin_token_changes_nothing() {
    let house = with_every_key_out().await;
    let missing = Answer::to(house.post(RESET, &json!({}))).await;
    missing.is_refusal(401, "unauthenticated");
    missing.says_house("admin token");
    let wrong = Answer::to(house.post(RESET, &json!({})).bearer_auth("kg_the_admin_no")).await;
    wrong.is_refusal(401, "unauthenticated");
    wrong.says_house("admin token");
    assert_eq!(house.google().await.states(), [("disabled", 3)].into());
    house.close().await;
}

#[tokio::test]
async fn a_reset_brings_the_keys_back() {
    for header in ["authorization", "x-keygate-admin-token"] {
        let house = with_every_key_out().await;
        let value = if header == "authorization" { "Bearer kg_the_admin" } else { "kg_the_admin" };
        let answer = Answer::to(house.post("/api/gemini/reset-keys", &json!({})).header(header, value)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json(), json!({"message": "Failed API keys reset successfully"}));
        assert_eq!(house.google().await.states(), [("available", 3)].into());
        house.generate(FLASH, "hello").await.is_providers("google", 200, 1);
        let told = async || house.gateway.stderr().contains("audit").then_some(());
        eventually("the log tells who reset what", told).await;
        house.close().await;
    }
}

#[tokio::test]
async fn a_reset_may_name_keys_and_must_name_known_ones() {
    let house = with_every_key_out().await;
    let id = house.google().await.id("beta_1").to_owned();
    let ask = |body: serde_json::Value| Answer::to(house.post(RESET, &body).bearer_auth("kg_the_admin"));

    let unknown = ask(json!({"ids": [id, "no-such-key"]})).await;
    unknown.is_refusal(404, "not_found");
    unknown.says_house("no-such-key");
    let malformed = ask(json!({"id": "x"})).await;
    malformed.is_refusal(400, "bad_request");
    malformed.says_house("ids");
    assert_eq!(house.google().await.states(), [("disabled", 3)].into());

    assert_eq!(ask(json!({"ids": [id]})).await.status, 200);
    let pool = house.google().await;
    assert_eq!((pool.state("beta_1"), pool.state("alpha_1")), ("available", "disabled"));
    let nobody = house.post("/api/acme/reset-keys", &json!({})).bearer_auth("kg_the_admin");
    Answer::to(nobody).await.is_refusal(404, "not_found");
    house.close().await;
}

#[tokio::test]
async fn a_clients_token_is_no_admin_token_and_an_admin_token_no_clients() {
    let tokens = ("KEYGATE_CLIENT_TOKENS", "kg_first");
    let house = House::before(simulator(), json!({"clients": {"auth": "required"}}), &[ADMIN, tokens]).await;
    let reset = Answer::to(house.post(RESET, &json!({})).bearer_auth("kg_first")).await;
    reset.is_refusal(403, "forbidden");
    reset.says_house("scope `admin`");
    let chat = house.openai("hello").bearer_auth("kg_the_admin");
    Answer::to(chat).await.is_refusal(401, "unauthenticated");
    assert_eq!(house.upstream_requests(), 0);
    house.close().await;
}
