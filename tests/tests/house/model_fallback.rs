//! When every key failed for a model, those that stand in for it are asked.

use keygate_tests::sim::{Action, Fault, GoogleRow};
use serde_json::{Value, json};

use super::answer::Answer;
use super::stage::{FLASH, House, OPENAI_CHAT, PRO, array_path, chat, generate_path, stream_path};

const LITE: &str = "gemini-2.5-flash-lite";

fn chain(models: &[&str]) -> Value {
    json!({"providers": {"google": {"model_fallback": {PRO: models}}}})
}

async fn exhausted(models: &[&str]) -> House {
    let house = House::open(chain(models)).await;
    house.sim.script([Fault::google(GoogleRow::DayRequests).model(PRO).always()]).expect("room");
    house
}

/// Checks that the other model answered, and that the caller is told so.
fn is_others(answer: &Answer, model: &str) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("x-keygate-model"), model, "{answer:?}");
    assert_eq!(answer.header("x-keygate-source"), "provider", "{answer:?}");
    assert_eq!(answer.header("x-keygate-key").len(), 12, "{answer:?}");
}

#[tokio::test]
async fn the_next_model_answers_on_every_surface() {
    let house = exhausted(&[FLASH]).await;
    let first = house.generate(PRO, "hello").await;
    is_others(&first, FLASH);
    first.took("google", 3);
    assert_eq!(first.said(), "You said: hello");
    let paths: Vec<String> = house.sim.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, [generate_path(PRO), generate_path(PRO), generate_path(FLASH)]);
    for path in [stream_path(PRO), array_path(PRO)] {
        let streamed = Answer::to(house.post(&path, &chat("stream 3"))).await;
        is_others(&streamed, FLASH);
        assert!(streamed.text().contains("finishReason"), "{streamed:?}");
    }
    for stream in [false, true] {
        let body =
            json!({"model": PRO, "stream": stream, "messages": [{"role": "user", "content": "hello"}]});
        let openai = Answer::to(house.post(OPENAI_CHAT, &body)).await;
        is_others(&openai, FLASH);
        assert!(openai.text().contains(&format!("\"model\":\"{FLASH}\"")), "{openai:?}");
    }
    let interaction = json!({"model": PRO, "input": "hello"});
    is_others(&Answer::to(house.post("/v1beta/interactions", &interaction)).await, FLASH);
    let question = json!({"message": "hello", "model": PRO});
    let told = Answer::to(house.post("/api/v1/assistant/query", &question)).await;
    is_others(&told, FLASH);
    assert_eq!(told.json()["model"], FLASH);
    // Whose model can answer is told nothing of others.
    let own = house.generate(FLASH, "hello").await;
    own.is_providers("google", 200, 1);
    assert_eq!(own.header("x-keygate-model"), "");
    house.close().await;
}

#[tokio::test]
async fn one_after_the_other_is_asked_and_in_the_end_the_first_refusal_is_told() {
    let house = exhausted(&[FLASH, LITE]).await;
    house.sim.script([Fault::google(GoogleRow::DayRequests).model(FLASH).always()]).expect("room");
    is_others(&house.generate(PRO, "hello").await, LITE);
    house.sim.script([Fault::google(GoogleRow::DayRequests).model(LITE).always()]).expect("room");
    let refused = house.generate(PRO, "hello").await;
    refused.is_refusal(429, "pool_exhausted");
    refused.says_native("RESOURCE_EXHAUSTED", "All Gemini API keys failed. Last error: Quota exhausted");
    assert!(refused.retry_after().is_some_and(|seconds| seconds > 1), "{refused:?}");
    assert_eq!(refused.header("x-keygate-model"), "");
    house.close().await;
}

#[tokio::test]
async fn a_model_in_trouble_is_stood_in_for() {
    for fault in
        [Fault::google(GoogleRow::Overloaded), Fault::new(Action::Html502), Fault::new(Action::Close)]
    {
        let house = House::open(chain(&[FLASH])).await;
        house.sim.script([fault.model(PRO).always()]).expect("room");
        is_others(&house.generate(PRO, "hello").await, FLASH);
        house.close().await;
    }
}

#[tokio::test]
async fn a_mistake_of_the_caller_is_told_to_the_caller() {
    let house = House::open(chain(&[FLASH])).await;
    house.sim.script([Fault::google(GoogleRow::UnknownField).always()]).expect("room");
    let mistake = house.generate(PRO, "hello").await;
    mistake.is_providers("google", 400, 1);
    assert_eq!(mistake.header("x-keygate-model"), "");
    house.close().await;
}

#[tokio::test]
async fn what_one_model_makes_of_an_embedding_no_other_is_asked_for() {
    let house = exhausted(&[FLASH]).await;
    let body = json!({"content": {"parts": [{"text": "hello"}]}});
    let refused = Answer::to(house.post(&format!("/v1beta/models/{PRO}:embedContent"), &body)).await;
    assert_ne!(refused.status, 200, "{refused:?}");
    assert_eq!(refused.header("x-keygate-model"), "", "{refused:?}");
    house.close().await;
}

#[tokio::test]
async fn a_model_that_the_token_does_not_allow_stands_in_for_nothing() {
    let mut changes = chain(&[FLASH, LITE]);
    let sum = keygate_domain::Checksum::of(b"kg_without_flash").to_string();
    changes["clients"] =
        json!({"auth": "required", "tokens": [{"name": "a", "sha256": sum, "models": [PRO, LITE]}]});
    let house = House::open(changes).await;
    house.sim.script([Fault::google(GoogleRow::DayRequests).model(PRO).always()]).expect("room");
    let request = house.post(&generate_path(PRO), &chat("hello")).bearer_auth("kg_without_flash");
    is_others(&Answer::to(request).await, LITE);
    let paths: Vec<String> = house.sim.requests().into_iter().map(|request| request.path).collect();
    assert!(!paths.contains(&generate_path(FLASH)), "{paths:?}");
    house.close().await;
}
