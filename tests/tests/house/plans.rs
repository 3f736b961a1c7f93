//! What a plan gives a user in a day, whatever the number of requests at once.

use futures_util::future::join_all;
use keygate_tests::sim::{Fault, GoogleRow};
use keygate_tests::{configuration, eventually, simulator};
use serde_json::{Value, json};

use super::answer::Answer;
use super::kept_tokens::made;
use super::stage::{FLASH, House, OPENAI_CHAT, chat, generate_path, openai_chat};

const ADMIN: &str = "an-admin-token-of-some-length";

fn plans(plans: &Value) -> Value {
    json!({
        "limits": {"per_user": {"requests_per_minute": 100_000, "max_concurrent": 1000}},
        "plans": plans,
    })
}

async fn open(settings: &Value) -> House {
    House::before(simulator(), plans(settings), &[("KEYGATE_ADMIN_TOKEN", ADMIN)]).await
}

async fn chat_of(house: &House, user: &str) -> Answer {
    Answer::to(house.post(&generate_path(FLASH), &chat("hello")).header("x-user-id", user)).await
}

async fn standing(house: &House, user: &str) -> Value {
    let asked = house.get(&format!("/api/usage/users/{user}")).bearer_auth(ADMIN);
    let answer = Answer::to(asked).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// How the user stands once nothing of theirs is under way.
async fn settled(house: &House, user: &str, requests: u64) -> Value {
    eventually("the plan has counted", async || {
        let standing = standing(house, user).await;
        (standing["used"]["day"]["requests"] == requests).then_some(standing)
    })
    .await
}

#[tokio::test]
async fn two_hundred_requests_at_the_edge_of_a_plan_are_exactly_what_is_left() {
    let house = open(&json!({"default": "free", "free": {"requests_per_day": 30}})).await;
    let answers = join_all((0..200).map(|_| chat_of(&house, "ann"))).await;
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(served, 30);
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        refused.is_refusal(429, "plan_exhausted");
        refused.says_native("RESOURCE_EXHAUSTED", "30 requests per day");
        assert!(refused.retry_after().is_some_and(|wait| (1..=86_400).contains(&wait)), "{refused:?}");
    }
    assert_eq!(house.upstream_requests(), 30, "no key is touched for what a plan refuses");
    let openai = house.post(OPENAI_CHAT, &openai_chat("hello", false)).header("x-user-id", "ann");
    let openai = Answer::to(openai).await;
    openai.is_refusal(429, "plan_exhausted");
    openai.says_openai("rate_limit_error", "30 requests per day");
    assert_eq!(openai.header("x-should-retry"), "false");
    chat_of(&house, "ben").await.is_providers("google", 200, 1);

    let standing = settled(&house, "ann", 30).await;
    assert_eq!(standing["plan"], "free");
    assert_eq!(standing["limit"]["day"]["requests"], 30);
    assert_eq!(standing["remaining"]["day"]["requests"], 0);
    assert!(standing["used"]["day"]["tokens"].as_u64().is_some_and(|tokens| tokens > 0));
    assert_eq!(standing["limit"]["month"]["tokens"], Value::Null);
    house.close().await;
}

#[tokio::test]
async fn what_fails_costs_the_plan_nothing_and_streams_are_counted_when_they_end() {
    let house = open(&json!({"default": "free", "free": {"requests_per_day": 2}})).await;
    house.sim.script([Fault::google(GoogleRow::Internal).always()]).expect("room");
    for _ in 0..3 {
        assert_ne!(chat_of(&house, "ann").await.status, 200);
    }
    house.sim.clear_script();
    let stream = Answer::to(house.stream("hello").header("x-user-id", "ann")).await;
    assert_eq!(stream.status, 200);
    settled(&house, "ann", 1).await;
    chat_of(&house, "ann").await.is_providers("google", 200, 1);
    chat_of(&house, "ann").await.is_refusal(429, "plan_exhausted");
    house.close().await;
}

#[tokio::test]
async fn another_plan_holds_at_once_and_overage_is_priced() {
    let before = json!({"default": "free", "free": {"requests_per_day": 1}});
    let house = open(&before).await;
    chat_of(&house, "ann").await.is_providers("google", 200, 1);
    settled(&house, "ann", 1).await;
    chat_of(&house, "ann").await.is_refusal(429, "plan_exhausted");
    let pro = json!({
        "requests_per_day": 2,
        "overage": "allow",
        "overage_price": {"per_request": 0.5},
    });
    let after = plans(&json!({"default": "pro", "free": {"requests_per_day": 1}, "pro": pro}));
    house.gateway.write("keygate.yaml", &configuration(house.sim.endpoints(), &after));
    let reloaded = Answer::to(house.post("/api/keys/reload", &json!({})).bearer_auth(ADMIN)).await;
    assert_eq!(reloaded.status, 200, "{reloaded:?}");
    for _ in 0..4 {
        chat_of(&house, "ann").await.is_providers("google", 200, 1);
    }
    let standing = settled(&house, "ann", 5).await;
    assert_eq!((&standing["plan"], &standing["overage"]["policy"]), (&json!("pro"), &json!("allow")));
    assert_eq!(standing["overage"]["day"]["requests"], 3);
    assert_eq!(standing["overage"]["price"], 1.5);
    house.close().await;
}

#[tokio::test]
async fn a_gateway_that_is_killed_knows_what_users_had() {
    let house = open(&json!({"default": "free", "free": {"requests_per_day": 3}})).await;
    for _ in 0..2 {
        chat_of(&house, "ann").await.is_providers("google", 200, 1);
    }
    super::ledger::holds(house.gateway.home(), 2).await;
    let house = house.killed().await;
    settled(&house, "ann", 2).await;
    chat_of(&house, "ann").await.is_providers("google", 200, 1);
    settled(&house, "ann", 3).await;
    chat_of(&house, "ann").await.is_refusal(429, "plan_exhausted");
    house.close().await;
}

#[tokio::test]
async fn a_client_is_on_the_plan_that_its_token_names() {
    let mut changes = plans(&json!({
        "default": "free",
        "free": {"requests_per_day": 1},
        "pro": {"requests_per_day": 3},
    }));
    let sum = keygate_domain::Checksum::of(b"kg_of_the_shop").to_string();
    changes["clients"] =
        json!({"auth": "required", "tokens": [{"name": "shop", "sha256": sum, "plan": "pro"}]});
    let house = House::before(simulator(), changes, &[("KEYGATE_ADMIN_TOKEN", ADMIN)]).await;
    let kept = made(&house, &["--name", "bot", "--plan", "pro"]).await;
    let usual = made(&house, &["--name", "guest"]).await;
    let slip = house.gateway.beside(&["tokens", "create", "--name", "bot", "--plan", "prro"]).await;
    assert_eq!(slip.status.code(), Some(64));
    assert!(slip.stderr.contains("did you mean `pro`"), "{}", slip.stderr);

    for (client, token, allowed) in [("shop", "kg_of_the_shop", 3), ("bot", &kept, 3), ("guest", &usual, 1)] {
        let ask = async || {
            let request = house.post(&generate_path(FLASH), &chat("hello"));
            Answer::to(request.bearer_auth(token).header("x-user-id", "ann")).await
        };
        eventually("the token is known", async || (ask().await.status == 200).then_some(())).await;
        for _ in 1..allowed {
            assert_eq!(ask().await.status, 200);
        }
        ask().await.is_refusal(429, "plan_exhausted");
        let asked = house.get(&format!("/api/usage/users/ann?client={client}")).bearer_auth(ADMIN);
        let told = Answer::to(asked).await.json();
        assert_eq!(told["plan"], if allowed == 1 { "free" } else { "pro" }, "{told}");
        assert_eq!(told["used"]["day"]["requests"], allowed, "{told}");
    }
    house.close().await;
}
