//! What is made on one surface is its maker's on every other: uploads, interactions, jobs and sessions.

use keygate_tests::simulator;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::answer::Answer;
use super::database::holds;
use super::files::{START, Upload, starting};
use super::stage::{FLASH, House, client, generate_path};

const TOKENS: (&str, &str) = ("KEYGATE_CLIENT_TOKENS", "kg_first,kg_second");

/// A house with two clients.
async fn guarded() -> House {
    House::before(simulator(), json!({"clients": {"auth": "required"}}), &[TOKENS]).await
}

async fn first(request: RequestBuilder) -> Answer {
    Answer::to(request.header("x-goog-api-key", "kg_first")).await
}

/// The other client, who must not be told more than that it is not theirs.
async fn is_refused(request: RequestBuilder) {
    let refused = Answer::to(request.header("x-goog-api-key", "kg_second")).await;
    refused.is_refusal(403, "forbidden");
}

fn with_file(uri: &str) -> Value {
    json!({"contents": [{"parts": [{"fileData": {"fileUri": uri}}, {"text": "read"}]}]})
}

async fn uploaded(house: &House) -> String {
    let started = first(starting(house, START, 5)).await;
    Upload::of(house, &started).finish(house, 0, b"hello".to_vec()).await
}

#[tokio::test]
async fn an_uploaded_file_is_used_where_it_is_and_by_whom_it_is() {
    let house = guarded().await;
    // Of three keys in turn, in two projects.
    for _ in 0..3 {
        let file = uploaded(&house).await;
        let path = format!("/v1beta/{file}");
        let at_gateway = house.gateway.url(&path);
        for uri in [&file, &format!("https://generativelanguage.googleapis.com/v1beta/{file}"), &at_gateway] {
            let answer = first(house.post(&generate_path(FLASH), &with_file(uri))).await;
            answer.is_providers("google", 200, 1);
        }
        first(house.get(&path)).await.is_providers("google", 200, 1);
        let job =
            json!({"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"});
        first(house.post("/v1beta/openai/batches", &job)).await.is_providers("google", 200, 1);

        let before = house.upstream_requests();
        is_refused(house.get(&path)).await;
        is_refused(house.get(&format!("/download{path}:download?alt=media"))).await;
        is_refused(client().delete(house.gateway.url(&path))).await;
        is_refused(house.post(&generate_path(FLASH), &with_file(&at_gateway))).await;
        assert_eq!(house.upstream_requests(), before, "nobody was asked");
    }
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn an_uploaded_file_that_is_deleted_is_forgotten() {
    let house = guarded().await;
    let file = uploaded(&house).await;
    // The file, and the session that it came by.
    holds(house.gateway.home(), "binding", 2).await;
    let path = format!("/v1beta/{file}");
    first(client().delete(house.gateway.url(&path))).await.is_providers("google", 200, 1);
    holds(house.gateway.home(), "binding", 1).await;
    first(house.get(&path)).await.is_providers("google", 403, 2);
    house.close().await;
}

#[tokio::test]
async fn an_interaction_is_gone_on_with_by_its_maker_alone() {
    let house = guarded().await;
    for is_stream in [true, false, true] {
        let body = json!({"model": FLASH, "input": "hello", "stream": is_stream});
        let made = first(house.post("/v1beta/interactions", &body)).await;
        made.is_providers("google", 200, 1);
        let text = made.text();
        let id = text.split("\"id\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id");
        let next = json!({"model": FLASH, "input": "and then?", "previous_interaction_id": id});
        let path = format!("/v1beta/interactions/{id}");
        for _ in 0..2 {
            first(house.post("/v1beta/interactions", &next)).await.is_providers("google", 200, 1);
            first(house.get(&path)).await.is_providers("google", 200, 1);
        }
        let before = house.upstream_requests();
        is_refused(house.post("/v1beta/interactions", &next)).await;
        is_refused(house.get(&path)).await;
        is_refused(client().delete(house.gateway.url(&path))).await;
        assert_eq!(house.upstream_requests(), before, "nobody was asked");
    }
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_job_of_the_openai_surface_is_its_makers() {
    let house = guarded().await;
    for _ in 0..3 {
        let made = first(house.post("/v1beta/openai/videos", &json!({"prompt": "a cat"}))).await;
        made.is_providers("google", 200, 1);
        let path = format!("/v1beta/openai/{}", made.json()["id"].as_str().expect("an id"));
        first(house.get(&path)).await.is_providers("google", 200, 1);
        first(house.get(&format!("{path}/content"))).await.is_providers("google", 200, 1);
        let before = house.upstream_requests();
        is_refused(house.get(&path)).await;
        is_refused(house.get(&format!("{path}/content"))).await;
        is_refused(client().delete(house.gateway.url(&path))).await;
        assert_eq!(house.upstream_requests(), before, "nobody was asked");
    }
    house.google().await.blames_nobody();
    house.close().await;
}
