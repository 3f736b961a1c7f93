//! No user gets more than their share: 20 requests in any 60 seconds, before any key is touched.

use futures_util::future::join_all;
use keygate_tests::simulator;
use serde_json::{Value, json};

use super::answer::Answer;
use super::stage::{FLASH, House, OPENAI_CHAT, chat, generate_path, one_project, openai_chat};

const AVATAR: &str = "/anam/v1/auth/session-token";

async fn chat_of(house: &House, user: &str) -> Answer {
    Answer::to(house.post(&generate_path(FLASH), &chat("hello")).header("x-user-id", user)).await
}

/// The headers of the IETF draft, and a wait that is neither nothing nor longer than the window.
fn tells_the_limit(answer: &Answer, limit: u32) {
    answer.is_refusal(429, "user_limited");
    let wait = answer.retry_after().expect("a time to come back");
    assert!((1..=61).contains(&wait), "{answer:?}");
    assert_eq!(answer.header("ratelimit-policy"), format!("\"user\";q={limit};w=60"));
    let remaining = answer.header("ratelimit");
    assert!(remaining.starts_with("\"user\";r=0;t="), "{answer:?}");
}

#[tokio::test]
async fn the_21st_request_of_a_minute_is_refused_in_the_shape_of_each_surface() {
    let house = House::open(json!({})).await;
    for served in 1..=20 {
        let answer = chat_of(&house, "ann").await;
        answer.is_providers("google", 200, 1);
        assert_eq!(answer.header("ratelimit-policy"), "\"user\";q=20;w=60");
        let remaining = format!("\"user\";r={};t=", 20 - served);
        assert!(answer.header("ratelimit").starts_with(&remaining), "{answer:?}");
    }
    let native = chat_of(&house, "ann").await;
    tells_the_limit(&native, 20);
    native.took("google", 0);
    native.says_native("RESOURCE_EXHAUSTED", "20 requests per minute");
    let delay = &native.json()["error"]["details"][0]["retryDelay"];
    assert_eq!(delay, &json!(format!("{}s", native.header("retry-after"))));

    let body = openai_chat("hello", true);
    let openai = Answer::to(house.post(OPENAI_CHAT, &body).header("x-user-id", "ann")).await;
    tells_the_limit(&openai, 20);
    openai.says_openai("rate_limit_error", "20 requests per minute");
    assert_eq!(openai.header("x-should-retry"), "false");

    let anam = Answer::to(house.post(AVATAR, &json!({})).header("x-user-id", "ann")).await;
    tells_the_limit(&anam, 20);
    anam.says_anam("Rate limit exceeded", "20 requests per minute");

    let counts = house.counts();
    assert_eq!((counts.google.requests, counts.anam.requests), (20, 0));
    chat_of(&house, "ben").await.is_providers("google", 200, 1);
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_hundred_requests_at_once_are_twenty() {
    let house = House::open(json!({"limits": {"per_user": {"max_concurrent": 1000}}})).await;
    let answers = join_all((0..100).map(|_| chat_of(&house, "ann"))).await;
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(served, 20);
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        tells_the_limit(refused, 20);
    }
    assert_eq!(house.upstream_requests(), 20);
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn users_of_two_clients_share_nothing_but_a_name() {
    let tokens = ("KEYGATE_CLIENT_TOKENS", "kg_first,kg_second");
    let changes =
        json!({"clients": {"auth": "required"}, "limits": {"per_user": {"requests_per_minute": 2}}});
    let house = House::before(simulator(), changes, &[tokens]).await;
    let ask = |token: &'static str, user: Option<&'static str>| {
        let request = house.post(&generate_path(FLASH), &chat("hello")).header("x-goog-api-key", token);
        Answer::to(match user {
            Some(user) => request.header("x-user-id", user),
            None => request,
        })
    };
    for token in ["kg_first", "kg_second"] {
        for user in [Some("ann"), None] {
            assert_eq!(ask(token, user).await.status, 200);
            assert_eq!(ask(token, user).await.status, 200);
            tells_the_limit(&ask(token, user).await, 2);
        }
    }
    assert_eq!(house.upstream_requests(), 8);
    house.close().await;
}

#[tokio::test]
async fn a_batch_of_texts_is_one_call_of_its_user_and_reading_the_catalogue_none() {
    let house = House::open(json!({"limits": {"per_user": {"requests_per_minute": 2}}})).await;
    let one = json!({"model": "models/gemini-embedding-001", "content": {"parts": [{"text": "hello"}]}});
    let body = json!({"requests": vec![one; 21]});
    let path = "/v1beta/models/gemini-embedding-001:batchEmbedContents";
    let batch = || Answer::to(house.post(path, &body).header("x-user-id", "ann"));
    batch().await.is_providers("google", 200, 1);
    batch().await.is_providers("google", 200, 1);
    tells_the_limit(&batch().await, 2);
    for _ in 0..3 {
        let models = Answer::to(house.get("/v1beta/models").header("x-user-id", "ann")).await;
        models.is_providers("google", 200, 1);
    }
    assert_eq!(house.upstream_requests(), 5);
    house.close().await;
}

#[tokio::test]
async fn a_user_may_be_named_in_any_script_but_not_at_any_length() {
    let house = House::open(json!({"limits": {"per_user": {"requests_per_minute": 1}}})).await;
    let name = reqwest::header::HeaderValue::from_bytes("Nguyễn Thị 小明".as_bytes()).expect("a header");
    let ask = |name: reqwest::header::HeaderValue| {
        Answer::to(house.post(&generate_path(FLASH), &chat("hello")).header("x-user-id", name))
    };
    ask(name.clone()).await.is_providers("google", 200, 1);
    tells_the_limit(&ask(name).await, 1);
    let no_text = reqwest::header::HeaderValue::from_bytes(&[0xff, 0xfe]).expect("a header");
    let too_long = reqwest::header::HeaderValue::from_bytes(&[b'u'; 5000]).expect("a header");
    for wrong in [no_text, too_long] {
        let answer = ask(wrong).await;
        answer.is_refusal(400, "bad_request");
        answer.says_native("INVALID_ARGUMENT", "X-User-Id");
    }
    assert_eq!(house.upstream_requests(), 1);
    house.close().await;
}

#[tokio::test]
async fn a_refused_user_costs_no_place_and_the_variable_of_old_sets_the_limit() {
    let house = House::before(simulator(), json!({}), &[("AI_RATE_LIMIT_PER_MIN", "3")]).await;
    let statuses: Vec<u16> =
        join_all((0..9).map(|_| chat_of(&house, "ann"))).await.iter().map(|a| a.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 3, "{statuses:?}");
    assert_eq!(house.upstream_requests(), 3);
    house.close().await;
}

#[tokio::test]
async fn a_body_that_cannot_be_read_counts_for_nobody() {
    let house = House::open(json!({"limits": {"per_user": {"requests_per_minute": 1}}})).await;
    let broken: Value = json!("no object");
    let answer = Answer::to(house.post(OPENAI_CHAT, &broken).header("x-user-id", "ann")).await;
    answer.is_refusal(400, "bad_request");
    answer.says_openai("invalid_request_error", "request body");
    chat_of(&house, "ann").await.is_providers("google", 200, 1);
    house.close().await;
}

#[tokio::test]
async fn a_request_that_failed_gives_its_place_back() {
    use keygate_tests::sim::{Action, Fault, GoogleRow};
    let mut changes = one_project();
    changes["limits"] = json!({"per_user": {"max_concurrent": 1}});
    let house = House::open(changes).await;
    let faults = [GoogleRow::Overloaded, GoogleRow::InputTooLong].map(|row| Fault::google(row).times(3));
    house.sim.script(faults.into_iter().chain([Fault::new(Action::Html502).times(3)])).expect("room");
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(chat_of(&house, "ann").await.status);
    }
    assert_eq!(statuses, [503, 400, 400, 400, 502, 200]);
    house.close().await;
}
