//! Which models a client may name: told in each surface's shape, before anybody is asked.

use keygate_tests::simulator;
use serde_json::{Value, json};

use super::answer::Answer;
use super::live::LIVE;
use super::socket::Socket;
use super::stage::{FLASH, House, OPENAI_CHAT, PRO, chat, generate_path, openai_chat, stream_path};

/// A client that may use the small models.
async fn house() -> House {
    let changes = json!({"clients": {"auth": "required", "tokens": [{
        "name": "flash",
        "sha256": keygate_domain::Checksum::of(b"kg_flash_only").to_string(),
        "models": ["gemini-2.5-flash", "models/gemini-embedding-*", "gemini-3.8-flash"],
    }]}});
    House::before(simulator(), changes, &[]).await
}

fn asked(house: &House, path: &str, body: &Value) -> reqwest::RequestBuilder {
    house.post(path, body).bearer_auth("kg_flash_only")
}

#[tokio::test]
async fn other_models_are_refused_on_every_surface_and_cost_nobody_anything() {
    let house = house().await;
    let native = Answer::to(asked(&house, &generate_path(PRO), &chat("hello"))).await;
    native.is_refusal(403, "forbidden");
    native.says_native(
        "PERMISSION_DENIED",
        "It may use: gemini-2.5-flash, gemini-embedding-*, gemini-3.8-flash",
    );
    let stream = Answer::to(asked(&house, &stream_path(PRO), &chat("hello"))).await;
    stream.is_refusal(403, "forbidden");
    let mut body = openai_chat("hello", false);
    body["model"] = json!(PRO);
    let openai = Answer::to(asked(&house, OPENAI_CHAT, &body)).await;
    openai.is_refusal(403, "forbidden");
    openai.says_openai("permission_error", "gemini-2.5-pro");
    let question = json!({"message": "hello", "model": PRO});
    let assistant = Answer::to(asked(&house, "/api/v1/assistant/query", &question)).await;
    assistant.is_refusal(403, "forbidden");
    assert!(assistant.text().contains("may not use the model gemini-2.5-pro"), "{assistant:?}");
    let interaction = json!({"model": PRO, "input": "hello"});
    let interaction = Answer::to(asked(&house, "/v1beta/interactions", &interaction)).await;
    assert_eq!(interaction.status, 403, "{interaction:?}");
    assert_eq!(house.upstream_requests(), 0);
    assert_eq!(house.google().await.ledger("attempts"), 0, "no key was touched");
    house.close().await;
}

#[tokio::test]
async fn its_own_models_and_what_names_none_pass() {
    let house = house().await;
    Answer::to(asked(&house, &generate_path(FLASH), &chat("hello"))).await.is_providers("google", 200, 1);
    let openai = Answer::to(asked(&house, OPENAI_CHAT, &openai_chat("hello", false))).await;
    assert_eq!(openai.status, 200, "{openai:?}");
    let question = Answer::to(asked(&house, "/api/v1/assistant/query", &json!({"message": "hello"}))).await;
    assert_eq!(question.status, 200, "the default model is on its list: {question:?}");
    let files = Answer::to(house.get("/v1beta/files").bearer_auth("kg_flash_only")).await;
    assert_eq!(files.status, 200, "{files:?}");
    let models = Answer::to(house.get("/v1beta/models").bearer_auth("kg_flash_only")).await;
    assert!(models.text().contains(PRO), "the list of models is the provider's: {models:?}");
    house.close().await;
}

#[tokio::test]
async fn live_is_refused_once_its_model_is_said() {
    let house = house().await;
    let path = format!("{LIVE}?key=kg_flash_only");
    let mut socket = Socket::open(&house.gateway.url(""), &path, &[]).await.expect("the connection opens");
    socket.say(&json!({"setup": {"model": "models/gemini-3.8-live"}})).await;
    let closed = socket.end().await;
    assert!(closed.reason.contains("may not use the model"), "{closed:?}");
    assert_eq!(house.counts().google.sessions_active, 0);
    assert_eq!(house.google().await.ledger("attempts"), 0, "no key was touched");
    house.close().await;
}
