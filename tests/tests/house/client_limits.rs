//! Limits of a client of its own: each caller is told its own numbers.

use keygate_domain::Checksum;
use keygate_tests::simulator;
use serde_json::{Value, json};

use super::answer::Answer;
use super::stage::{FLASH, House, chat, generate_path};

fn sum(token: &str) -> Value {
    json!(Checksum::of(token.as_bytes()).to_string())
}

async fn asked(house: &House, token: &str) -> Answer {
    let request = house.post(&generate_path(FLASH), &chat("hello")).header("x-user-id", "ann");
    Answer::to(request.bearer_auth(token)).await
}

#[tokio::test]
async fn each_client_has_its_own_limit_and_is_told_it() {
    let changes = json!({
        "clients": {"auth": "required", "tokens": [
            {"name": "small", "sha256": sum("kg_small"), "limits": {"requests_per_minute": 2}},
            {"name": "usual", "sha256": sum("kg_usual")},
            {"name": "large", "sha256": sum("kg_large"), "limits": {"requests_per_minute": 6, "max_concurrent": 1}},
        ]},
        "limits": {"per_user": {"requests_per_minute": 4}},
    });
    let house = House::before(simulator(), changes, &[]).await;
    for (token, limit) in [("kg_small", 2), ("kg_usual", 4), ("kg_large", 6)] {
        for served in 1..=limit {
            let answer = asked(&house, token).await;
            answer.is_providers("google", 200, 1);
            assert_eq!(answer.header("ratelimit-policy"), format!("\"user\";q={limit};w=60"));
            let remaining = format!("\"user\";r={};t=", limit - served);
            assert!(answer.header("ratelimit").starts_with(&remaining), "{answer:?}");
        }
        let refused = asked(&house, token).await;
        refused.is_refusal(429, "user_limited");
        refused.says_native("RESOURCE_EXHAUSTED", &format!("{limit} requests per minute"));
        assert!(refused.retry_after().is_some_and(|wait| (1..=61).contains(&wait)), "{refused:?}");
    }
    let explained = Answer::to(house.get("/api/google/explain?user=ann&client=large")).await.json();
    assert_eq!((&explained["user"]["limit"], &explained["user"]["remaining"]), (&json!(6), &json!(0)));
    assert_eq!(house.upstream_requests(), 12);
    house.close().await;
}

#[tokio::test]
async fn another_limit_holds_after_a_reload() {
    let token = json!({"name": "shop", "sha256": sum("kg_shop"), "limits": {"requests_per_minute": 1}});
    let changes = json!({"clients": {"auth": "required", "tokens": [token]}});
    let house = House::before(simulator(), changes, &[]).await;
    assert_eq!(asked(&house, "kg_shop").await.status, 200);
    asked(&house, "kg_shop").await.is_refusal(429, "user_limited");
    let path = house.gateway.home().join("keygate.yaml");
    let yaml = std::fs::read_to_string(path).expect("the configuration can be read");
    house
        .gateway
        .write("keygate.yaml", &yaml.replace("\"requests_per_minute\": 1", "\"requests_per_minute\": 3"));
    keygate_tests::eventually("the limit holds", async || {
        (asked(&house, "kg_shop").await.status == 200).then_some(())
    })
    .await;
    house.close().await;
}
