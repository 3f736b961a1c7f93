//! A configuration that is not valid, and orders of people who may not give them: the running one stays.

use keygate_tests::{configuration, eventually, simulator};
use serde_json::{Value, json};

use super::answer::Answer;
use super::stage::{FLASH, House};

const ADMIN: (&str, &str) = ("KEYGATE_ADMIN_TOKEN", "kg_the_admin_of_this_house");
const RELOAD: &str = "/api/keys/reload";

async fn house() -> House {
    House::before(simulator(), json!({}), &[ADMIN]).await
}

async fn config(house: &House) -> Value {
    Answer::to(house.get("/api/keys/status")).await.json()
}

/// Waits until status tells a problem that names this.
async fn tells(house: &House, what: &str) -> Value {
    eventually("status tells the problem", async || {
        let told = config(house).await;
        told["config"]["problem"].as_str().is_some_and(|problem| problem.contains(what)).then_some(told)
    })
    .await
}

#[tokio::test]
async fn an_invalid_file_is_told_with_its_line_and_the_running_configuration_stays() {
    let house = house().await;
    let valid = configuration(house.sim.endpoints(), &json!({}));
    let before = config(&house).await["config"]["loaded_at"].clone();
    let invalid = valid.replace("\"base_url\"", "\"base_ulr\"");
    let line = 1 + invalid.lines().position(|line| line.contains("base_ulr")).expect("a line");
    house.gateway.write("keygate.yaml", &invalid);
    let told = tells(&house, &format!("keygate.yaml:{line}:")).await;
    assert!(told["config"]["problem"].as_str().is_some_and(|text| text.contains("`base_url`")), "{told}");
    assert_eq!((&told["status"], &told["config"]["loaded_at"]), (&json!("degraded"), &before));
    house.generate(FLASH, "hello").await.is_providers("google", 200, 1);
    let logged = async || {
        let log = house.gateway.stderr();
        log.contains(&format!("the running one stays: keygate.yaml:{line}:")).then_some(())
    };
    eventually("the log tells it", logged).await;

    house.gateway.write("keygate.yaml", &valid);
    let cured = async || {
        let told = config(&house).await;
        told["config"]["problem"].is_null().then_some(told)
    };
    let told = eventually("the problem is gone with its cause", cured).await;
    assert_eq!(told["status"], "ok");
    assert_ne!(told["config"]["loaded_at"], before);
    house.close().await;
}

#[tokio::test]
async fn an_order_to_read_what_is_invalid_is_refused_with_the_reason() {
    let house = house().await;
    let changes = json!({"providers": {"google": {"keys": [{"secret": "env:NO_SUCH_VARIABLE"}]}}});
    house.gateway.write("keygate.yaml", &configuration(house.sim.endpoints(), &changes));
    let refused = Answer::to(house.post(RELOAD, &json!({})).bearer_auth(ADMIN.1)).await;
    refused.is_refusal(422, "configuration_refused");
    refused.says_house("NO_SUCH_VARIABLE is not set");
    tells(&house, "NO_SUCH_VARIABLE").await;
    assert_eq!(house.google().await.states(), [("available", 3)].into(), "not a part of it holds");
    house.close().await;
}

#[tokio::test]
async fn only_operators_may_order_it_and_it_is_audited() {
    let tokens = ("KEYGATE_CLIENT_TOKENS", "kg_first_client_token");
    let house = House::before(simulator(), json!({}), &[ADMIN, tokens]).await;
    let ask = || house.post(RELOAD, &json!({}));
    let missing = Answer::to(ask()).await;
    missing.is_refusal(401, "unauthenticated");
    missing.says_house("admin token");
    Answer::to(ask().bearer_auth("kg_a_guess")).await.is_refusal(401, "unauthenticated");
    let client = Answer::to(ask().bearer_auth("kg_first_client_token")).await;
    client.is_refusal(403, "forbidden");
    client.says_house("scope `admin`");
    Answer::to(house.get(RELOAD)).await.is_refusal(405, "method_not_allowed");
    assert!(!house.gateway.stderr().contains("config.reloaded"), "nothing was done");

    let done =
        Answer::to(ask().header("x-keygate-admin-token", ADMIN.1).header("x-request-id", "order-7")).await;
    assert_eq!((done.status, done.header("x-request-id")), (200, "order-7"), "{done:?}");
    let expected =
        json!({"message": "Nothing changed", "changed": [], "needs_restart": [], "keys": {}, "warnings": []});
    assert_eq!(done.json(), expected);
    let audited = async || {
        let log = house.gateway.stderr();
        log.lines().any(|line| line.contains("audit=true") && line.contains("order-7")).then_some(())
    };
    eventually("the log tells who did it", audited).await;
    house.close().await;
}

#[tokio::test]
async fn without_an_admin_token_nobody_may_order_it() {
    let house = House::open(json!({})).await;
    let answer = Answer::to(house.post(RELOAD, &json!({})).bearer_auth("anything")).await;
    answer.is_refusal(403, "forbidden");
    answer.says_house("KEYGATE_ADMIN_TOKEN");
    house.close().await;
}
