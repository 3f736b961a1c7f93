//! Plans that change while the gateway runs: what they say of the minute, and what was used before there were any.

use keygate_tests::{configuration, eventually, simulator};
use serde_json::{Value, json};

use super::answer::Answer;
use super::stage::{FLASH, House, chat, generate_path};

const ADMIN: &str = "an-admin-token-of-some-length";

async fn open(changes: Value) -> House {
    House::before(simulator(), changes, &[("KEYGATE_ADMIN_TOKEN", ADMIN)]).await
}

async fn chat_of(house: &House, user: &str) -> Answer {
    Answer::to(house.post(&generate_path(FLASH), &chat("hello")).header("x-user-id", user)).await
}

async fn reload(house: &House, changes: &Value) {
    house.gateway.write("keygate.yaml", &configuration(house.sim.endpoints(), changes));
    let reloaded = Answer::to(house.post("/api/keys/reload", &json!({})).bearer_auth(ADMIN)).await;
    assert_eq!(reloaded.status, 200, "{reloaded:?}");
}

async fn used(house: &House, user: &str) -> Value {
    let asked = house.get(&format!("/api/usage/users/{user}")).bearer_auth(ADMIN);
    Answer::to(asked).await.json()["used"].clone()
}

#[tokio::test]
async fn plans_that_are_switched_on_count_what_was_used_today() {
    let house = open(json!({})).await;
    let mut tokens = 0;
    for _ in 0..3 {
        let answer = chat_of(&house, "ann").await;
        tokens += answer.json()["usageMetadata"]["totalTokenCount"].as_u64().expect("a count");
    }
    // Of a user who is served while plans change.
    let stream =
        house.stream("stream 20 every 100ms").header("x-user-id", "ben").send().await.expect("it begins");
    reload(&house, &json!({"plans": {"default": "free", "free": {"requests_per_day": 4}}})).await;
    let ann = used(&house, "ann").await;
    assert_eq!(
        ann["day"],
        json!({"requests": 3, "tokens": tokens}),
        "at once, before it is told that it holds"
    );
    assert_eq!(ann["month"], ann["day"]);
    chat_of(&house, "ann").await.is_providers("google", 200, 1);
    chat_of(&house, "ann").await.is_refusal(429, "plan_exhausted");
    stream.bytes().await.expect("it ends");
    eventually("what was under way counts once", async || {
        (used(&house, "ben").await["day"]["requests"] == 1).then_some(())
    })
    .await;

    reload(&house, &json!({})).await;
    chat_of(&house, "ann").await.is_providers("google", 200, 1);
    reload(&house, &json!({"plans": {"default": "free", "free": {"requests_per_day": 6}}})).await;
    assert_eq!(used(&house, "ann").await["day"]["requests"], 5, "what was used without plans counts, too");
    assert_eq!(used(&house, "ben").await["day"]["requests"], 1);
    house.close().await;
}

#[tokio::test]
async fn plans_set_the_limits_of_the_minute_and_tokens_have_the_last_word() {
    let sum = |token: &str| keygate_domain::Checksum::of(token.as_bytes()).to_string();
    let changes = |of_pro: u32| {
        json!({
            "clients": {"auth": "required", "tokens": [
                {"name": "shop", "sha256": sum("kg_of_the_shop")},
                {"name": "bot", "sha256": sum("kg_of_the_bot"), "plan": "pro"},
                {"name": "vip", "sha256": sum("kg_of_the_vip"), "plan": "pro", "limits": {"requests_per_minute": 5}},
            ]},
            "limits": {"per_user": {"requests_per_minute": 1}},
            "plans": {
                "default": "free",
                "free": {"per_user": {"requests_per_minute": 2}},
                "pro": {"per_user": {"requests_per_minute": of_pro, "max_concurrent": 3}},
            },
        })
    };
    let house = open(changes(3)).await;
    let ask = async |token: &'static str| {
        let request = house.post(&generate_path(FLASH), &chat("hello")).header("x-user-id", "ann");
        Answer::to(request.bearer_auth(token)).await
    };
    for (token, limit) in [("kg_of_the_shop", 2), ("kg_of_the_bot", 3), ("kg_of_the_vip", 5)] {
        for _ in 0..limit {
            let served = ask(token).await;
            served.is_providers("google", 200, 1);
            assert_eq!(served.header("ratelimit-policy"), format!("\"user\";q={limit};w=60"));
        }
        ask(token).await.is_refusal(429, "user_limited");
    }
    let asked = house.get("/api/google/explain?user=ann&client=bot").bearer_auth(ADMIN);
    let told = Answer::to(asked).await.json();
    let user = &told["user"];
    assert_eq!((&user["limit"], &user["max_concurrent"]), (&json!(3), &json!(3)), "{told}");

    reload(&house, &changes(4)).await;
    ask("kg_of_the_bot").await.is_providers("google", 200, 1);
    ask("kg_of_the_bot").await.is_refusal(429, "user_limited");
    ask("kg_of_the_shop").await.is_refusal(429, "user_limited");
    house.close().await;
}
