//! The assistant: plain questions, plain answers, and friendly words when there is none.

use keygate_tests::sim::{Action, Fault, GoogleRow, HalfStream, StreamEnding, StreamError};
use keygate_tests::simulator;
use serde_json::{Value, json};

use super::answer::Answer;
use super::stage::{FLASH, House, one_project};

const QUERY: &str = "/api/v1/assistant/query";
const BATCH: &str = "/api/v1/assistant/batch";
const FRIENDLY: &str = "I'm experiencing high demand right now. Please try again in a few minutes.";

async fn ask(house: &House, question: &Value) -> Answer {
    Answer::to(house.post(QUERY, question)).await
}

#[tokio::test]
async fn a_question_is_answered_like_any_other_request() {
    let house = House::open(json!({"assistant": {"model": FLASH}})).await;
    let answer = ask(&house, &json!({"message": "hello", "project_id": 7, "user_id": 42})).await;
    answer.is_providers("google", 200, 1);
    let told = answer.json();
    assert_eq!(told["reply"], "You said: hello");
    assert_eq!((&told["model"], &told["source"]), (&json!(FLASH), &json!("provider")));
    assert_eq!(told["usage"]["total_tokens"], 6);
    assert_eq!(told["finish_reason"], "stop");
    assert_eq!(told["request_id"], answer.header("x-request-id"));
    assert!(answer.header("ratelimit").starts_with("\"user\";r=19"), "{answer:?}");
    let sent = &house.sim.requests()[0];
    assert_eq!(sent.path, format!("/v1beta/models/{FLASH}:generateContent"));

    let history = json!({
        "message": "last", "model": "models/gemini-2.5-pro", "system": "Be brief.",
        "history": [{"role": "user", "content": "first"}, {"role": "assistant", "content": "answer"}],
    });
    let answer = ask(&house, &history).await;
    assert_eq!(answer.json()["reply"], "You said: last");
    assert_eq!(house.sim.requests()[1].path, "/v1beta/models/gemini-2.5-pro:generateContent");
    let blocked = ask(&house, &json!({"message": "block SAFETY"})).await.json();
    assert_eq!((&blocked["reply"], &blocked["finish_reason"]), (&json!(""), &json!("safety")));
    house.google().await.blames_nobody();
    house.close().await;
}

/// The exact words of the contract.
#[tokio::test]
async fn all_keys_failed_in_the_words_of_the_contract() {
    for (row, last, comes_back) in [
        (GoogleRow::MinuteRequests, "Rate limit exceeded", true),
        (GoogleRow::DayRequests, "Quota exhausted", true),
        (GoogleRow::KeyInvalid, "Invalid API key", false),
    ] {
        let house = House::open(json!({})).await;
        house.sim.script([Fault::google(row).always()]).expect("room");
        let answer = ask(&house, &json!({"message": "hello"})).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        let detail = format!("All Gemini API keys failed. Last error: {last}");
        assert_eq!(answer.json(), json!({"detail": detail, "message": FRIENDLY}));
        assert_eq!(answer.retry_after().is_some(), comes_back, "{answer:?}");
        let indonesian =
            house.post(QUERY, &json!({"message": "hello"})).header("accept-language", "id-ID,en;q=0.5");
        let message = Answer::to(indonesian).await.json()["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.starts_with("Saya sedang"), "{message}");
        house.close().await;
    }
}

#[tokio::test]
async fn mistakes_are_told_without_friendly_words() {
    let house = House::open(json!({})).await;
    for question in [json!({}), json!({"message": ""}), json!([]), json!({"message": "x", "model": "a b"})] {
        let answer = ask(&house, &question).await;
        answer.is_refusal(400, "bad_request");
        answer.says_house("");
    }
    assert_eq!(house.upstream_requests(), 0);
    let unknown = ask(&house, &json!({"message": "x", "model": "gemini-none"})).await;
    assert_eq!(unknown.status, 404);
    unknown.says_house("gemini-none");
    house.close().await;
}

#[tokio::test]
async fn each_user_has_limits_whoever_asks_for_it() {
    let house = House::open(json!({})).await;
    for _ in 0..20 {
        assert_eq!(ask(&house, &json!({"message": "hello", "user_id": "ann"})).await.status, 200);
    }
    let limited = ask(&house, &json!({"message": "hello", "user_id": "ann"})).await;
    limited.is_refusal(429, "user_limited");
    assert_eq!(limited.json()["message"], FRIENDLY);
    assert!(limited.retry_after().is_some() && !limited.header("ratelimit").is_empty(), "{limited:?}");
    assert_eq!(ask(&house, &json!({"message": "hello", "user_id": "ben"})).await.status, 200);
    assert_eq!(house.upstream_requests(), 21);
    house.close().await;
}

/// Event names and their data.
fn events(text: &str) -> Vec<(String, Value)> {
    let blocks = text.split("\n\n").filter(|block| !block.is_empty());
    blocks
        .map(|block| {
            let (name, data) = block.split_once("\ndata: ").unwrap_or_else(|| panic!("no event: {block}"));
            (name.replace("event: ", ""), serde_json::from_str(data).expect("JSON"))
        })
        .collect()
}

#[tokio::test]
async fn a_stream_tells_deltas_and_then_the_whole() {
    let house = House::open(json!({})).await;
    let answer = ask(&house, &json!({"message": "stream 5", "stream": true})).await;
    answer.is_providers("google", 200, 1);
    assert_eq!(answer.header("content-type"), "text/event-stream");
    let told = events(&answer.text());
    assert_eq!(told.len(), 6, "{answer:?}");
    let text: String = told[..5].iter().filter_map(|(_, data)| data["text"].as_str()).collect();
    let (name, done) = &told[5];
    assert_eq!((name.as_str(), &done["reply"]), ("done", &json!(text)));
    assert!(done["usage"]["total_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{done}");
    assert_eq!(done["request_id"], answer.header("x-request-id"));
    house.google().await.balances();
    house.close().await;
}

#[tokio::test]
async fn a_stream_that_fails_says_so() {
    let house = House::open(json!({})).await;
    let half = HalfStream { events: 2, ending: StreamEnding::Close };
    let error = StreamError { events: 2, row: Some(GoogleRow::Overloaded), bare: false };
    let cut = HalfStream { events: 2, ending: StreamEnding::End };
    for (action, detail) in [
        (Action::HalfStream(half), "broke off"),
        (Action::ErrorInStream(error), "overloaded"),
        (Action::HalfStream(cut), "broke off"),
    ] {
        house.sim.script([Fault::new(action)]).expect("room");
        let answer = ask(&house, &json!({"message": "stream 5", "stream": true})).await;
        assert_eq!(answer.status, 200);
        let told = events(&answer.text());
        let (name, error) = told.last().expect("a last word");
        assert_eq!((told.len(), name.as_str()), (3, "error"), "{answer:?}");
        assert!(error["detail"].as_str().is_some_and(|told| told.contains(detail)), "{error}");
        assert_eq!(error["message"], FRIENDLY);
    }
    house.sim.script([Fault::google(GoogleRow::MinuteRequests).always()]).expect("room");
    let refused = ask(&house, &json!({"message": "stream 5", "stream": true})).await;
    assert_eq!(refused.status, 503, "before the first piece it is an answer like any other: {refused:?}");
    house.google().await.balances();
    house.close().await;
}

#[tokio::test]
async fn a_batch_has_a_result_for_each_question_in_their_order() {
    let house = House::before(simulator(), one_project(), &[]).await;
    house
        .sim
        .script([Fault::google(GoogleRow::UnknownField).model("gemini-2.5-pro").always()])
        .expect("room");
    let batch = json!({"questions": [
        {"message": "one"}, {"message": "two", "model": "gemini-2.5-pro"}, {"message": " "}, {"message": "four"},
    ], "user_id": "ann", "concurrency": 3});
    let answer = Answer::to(house.post(BATCH, &batch)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let told = answer.json();
    assert_eq!((&told["succeeded"], &told["failed"]), (&json!(2), &json!(2)));
    let results = told["results"].as_array().expect("results");
    let statuses: Vec<u64> = results.iter().filter_map(|result| result["status"].as_u64()).collect();
    assert_eq!(statuses, [200, 400, 400, 200]);
    assert_eq!(results[0]["reply"], "You said: one");
    assert_eq!(results[3]["reply"], "You said: four");
    assert!(results[2]["detail"].as_str().is_some_and(|detail| detail.contains("empty")), "{told}");
    assert_eq!(results[3]["request_id"], format!("{}.3", answer.header("x-request-id")));
    house.google().await.balances();
    house.close().await;
}

#[tokio::test]
async fn each_question_of_a_batch_counts_for_its_user() {
    let house = House::open(json!({})).await;
    let batch = json!({"questions": vec![json!({"message": "hello"}); 25], "user_id": "ann"});
    let told = Answer::to(house.post(BATCH, &batch)).await.json();
    assert_eq!((&told["succeeded"], &told["failed"]), (&json!(20), &json!(5)));
    let limited = told["results"].as_array().into_iter().flatten().filter(|result| result["status"] == 429);
    assert!(
        limited.clone().count() == 5 && limited.clone().all(|result| result["retry_after"].is_u64()),
        "{told}"
    );
    assert_eq!(house.upstream_requests(), 20);
    for batch in [json!({"questions": []}), json!({"questions": vec![json!({"message": "x"}); 101]})] {
        Answer::to(house.post(BATCH, &batch)).await.is_refusal(400, "bad_request");
    }
    house.close().await;
}

#[tokio::test]
async fn nobody_unknown_asks() {
    let house = House::before(
        simulator(),
        json!({"clients": {"auth": "required"}}),
        &[("KEYGATE_CLIENT_TOKENS", "kg_known")],
    )
    .await;
    for path in [QUERY, BATCH] {
        let unknown = Answer::to(house.post(path, &json!({"message": "hello"}))).await;
        unknown.is_refusal(401, "unauthenticated");
        unknown.says_house("client token");
        Answer::to(house.post(path, &json!({})).bearer_auth("kg_wrong"))
            .await
            .is_refusal(401, "unauthenticated");
    }
    let known = Answer::to(house.post(QUERY, &json!({"message": "hello"})).bearer_auth("kg_known")).await;
    known.is_providers("google", 200, 1);
    house.close().await;
}
