//! The caller's own mistakes: told verbatim, after one request, and no key is blamed.

use keygate_tests::sim::{Fault, GoogleRow};
use serde_json::{Value, json};

use super::answer::Answer;
use super::stage::{
    FLASH, House, OPENAI_CHAT, chat, direct, generate_path, openai_chat, stream_path, twin, words_on,
};

/// The provider's own refusal comes back to the byte, after one request.
async fn is_told_verbatim(path: &str, body: &Value, status: u16, faults: &[Fault]) {
    let bare = twin();
    bare.script(faults.iter().cloned()).expect("room");
    let expected = direct(&bare, path, body).await;
    assert_eq!(expected.status, status, "{expected:?}");

    let house = House::before(twin(), json!({}), &[]).await;
    house.sim.script(faults.iter().cloned()).expect("room");
    let answer = Answer::to(house.post(path, body)).await;
    answer.is_providers("google", status, 1);
    assert_eq!(answer.text(), words_on(path, &expected));
    assert_eq!(answer.header("content-type"), expected.header("content-type"));

    assert_eq!(house.upstream_requests(), 1);
    let pool = house.google().await;
    pool.blames_nobody();
    assert_eq!(pool.ledger("settled"), 1);
    house.close().await;
}

#[tokio::test]
async fn an_unknown_field_is_told_verbatim() {
    let body = json!({"contents": [{"parts": [{"text": "hello"}]}], "nonsense": 1});
    is_told_verbatim(&generate_path(FLASH), &body, 400, &[]).await;
    is_told_verbatim(&stream_path(FLASH), &body, 400, &[]).await;
}

#[tokio::test]
async fn a_body_without_contents_and_one_that_is_no_json_are_the_providers_to_refuse() {
    is_told_verbatim(&generate_path(FLASH), &json!({}), 400, &[]).await;
    is_told_verbatim(&generate_path(FLASH), &json!("no object"), 400, &[]).await;
}

#[tokio::test]
async fn an_input_that_is_too_long_is_told_verbatim_on_each_surface() {
    let too_long = [Fault::google(GoogleRow::InputTooLong)];
    is_told_verbatim(&generate_path(FLASH), &chat("hello"), 400, &too_long).await;
    is_told_verbatim(OPENAI_CHAT, &openai_chat("hello", false), 400, &too_long).await;
    is_told_verbatim(OPENAI_CHAT, &openai_chat("hello", true), 400, &too_long).await;
}

#[tokio::test]
async fn an_unknown_model_is_told_verbatim() {
    is_told_verbatim(&generate_path("no-such-model"), &chat("hello"), 404, &[]).await;
    let body = json!({"model": "no-such-model", "messages": [{"role": "user", "content": "hello"}]});
    is_told_verbatim(OPENAI_CHAT, &body, 404, &[]).await;
}

#[tokio::test]
async fn a_file_of_another_project_is_the_callers_business() {
    is_told_verbatim(&generate_path(FLASH), &chat("hello"), 403, &[Fault::google(GoogleRow::FileForbidden)])
        .await;
    is_told_verbatim(&generate_path(FLASH), &chat("hello"), 403, &[Fault::google(GoogleRow::CacheForbidden)])
        .await;
}

#[tokio::test]
async fn words_of_the_caller_in_an_error_take_no_key_out() {
    let name = "API key not valid. Please pass a valid API key.";
    let body = json!({"contents": [{"parts": [{"text": "hello"}]}], (name): 1});
    is_told_verbatim(&generate_path(FLASH), &body, 400, &[]).await;
}

#[tokio::test]
async fn an_avatar_start_that_is_malformed_is_told_verbatim() {
    let house = House::open(json!({})).await;
    for path in ["/anam/v1/engine/session", "/anam/v1/auth/session-token"] {
        let before = house.counts().anam.requests;
        let answer = Answer::to(house.post(path, &json!({"personaConfig": 7}))).await;
        answer.is_providers("anam", 400, 1);
        assert!(answer.json()["error"].is_string(), "{answer:?}");
        assert_eq!(house.counts().anam.requests, before + 1);
    }
    house.anam().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_route_that_is_nobodys_and_a_method_that_is_wrong_ask_nobody() {
    let house = House::open(json!({})).await;
    let no_route = Answer::to(house.get("/no/such/route")).await;
    no_route.is_refusal(404, "not_found");
    no_route.says_house("There is no route /no/such/route here");
    let unserved = Answer::to(house.post("/google/v2/corpora", &json!({}))).await;
    unserved.is_refusal(404, "not_found");
    unserved.says_native("NOT_FOUND", "does not serve this route");
    let wrong_method = Answer::to(house.get(&generate_path(FLASH))).await;
    wrong_method.is_refusal(405, "method_not_allowed");
    wrong_method.says_native("UNIMPLEMENTED", "takes POST, not GET");
    let anam = Answer::to(house.post("/anam/None/engine/session", &json!({}))).await;
    anam.is_refusal(404, "not_found");
    anam.says_anam("Not found", "api_version");
    let openai = Answer::to(house.post("/openai/v1/audio/speech", &json!({}))).await;
    openai.is_refusal(404, "not_found");
    openai.says_openai("invalid_request_error", "does not serve this route");

    let counts = house.counts();
    assert_eq!((counts.google.requests, counts.anam.requests), (0, 0));
    house.google().await.blames_nobody();
    house.close().await;
}
