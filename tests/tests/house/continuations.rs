//! Long answers that are told in several hops: each goes to the project that gave the token, byte for byte.

use keygate_tests::simulator;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::answer::{Answer, begun};
use super::stage::{FLASH, House, array_path, chat, generate_path, stream_path};
use super::wire::{Upstream, json_answer};

const TOKENS: (&str, &str) = ("KEYGATE_CLIENT_TOKENS", "kg_first,kg_second");
const INTERACTIONS: &str = "/v1/interactions";

/// The token in an answer of any framing.
fn token_in(answer: &str, key: &str) -> Option<String> {
    let (_, behind) = answer.rsplit_once(&format!("\"{key}\":\""))?;
    Some(behind.split('"').next()?.to_owned())
}

/// As the Python SDK sends it back: the bytes in the other alphabet of base64.
fn respelled(token: &str) -> String {
    token.replace('+', "-").replace('/', "_")
}

async fn guarded() -> House {
    let changes =
        json!({"clients": {"auth": "required"}, "limits": {"per_user": {"requests_per_minute": 1000}}});
    House::before(simulator(), changes, &[TOKENS]).await
}

async fn first(request: RequestBuilder) -> Answer {
    Answer::to(request.header("x-goog-api-key", "kg_first")).await
}

#[tokio::test]
async fn each_hop_goes_to_the_project_that_began() {
    let house = guarded().await;
    for path in [generate_path(FLASH), stream_path(FLASH), array_path(FLASH)] {
        // Of three keys in turn, in two projects.
        for _ in 0..3 {
            let mut body = chat("continue 4");
            for number in 1..=4 {
                let answer = first(house.post(&path, &body)).await;
                answer.is_providers("google", 200, 1);
                let said = answer.text();
                assert!(said.contains(&format!("part {number} ")), "{path}: {said}");
                let token = token_in(&said, "continuationToken");
                assert_eq!(token.is_some(), number < 4, "{said}");
                let Some(token) = token else { break };
                assert!(token.contains('+') || token.contains('/'), "the test respells something: {token}");
                let spelling = if number % 2 == 0 { token } else { respelled(&token) };
                let key = if number % 2 == 0 { "continuation_token" } else { "continuationToken" };
                body = chat("continue 4");
                body[key] = json!(spelling);
            }
        }
    }
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn an_interaction_goes_on_where_it_is_kept_or_where_its_token_is_from() {
    let house = guarded().await;
    for (is_stream, is_kept) in [(false, true), (true, true), (false, false), (true, false)] {
        for _ in 0..3 {
            let asked = json!({"model": FLASH, "input": "continue 3", "stream": is_stream, "store": is_kept});
            let mut body = asked.clone();
            for number in 1..=3 {
                let answer = first(house.post(INTERACTIONS, &body)).await;
                answer.is_providers("google", 200, 1);
                let said = answer.text();
                assert!(said.contains(&format!("part {number} ")), "{said}");
                let Some(token) = token_in(&said, "continuation_token") else {
                    assert_eq!(number, 3, "{said}");
                    break;
                };
                body = asked.clone();
                body["continuation_token"] = json!(token);
                if is_kept {
                    body["previous_interaction_id"] = json!(token_in(&said, "id"));
                    body.as_object_mut().expect("an object").remove("input");
                }
            }
        }
    }
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_token_is_its_makers_alone_and_survives_a_restart() {
    let house = guarded().await;
    let answer = first(house.post(&generate_path(FLASH), &chat("continue 2"))).await;
    let mut next = chat("continue 2");
    next["continuationToken"] = json!(token_in(&answer.text(), "continuationToken"));
    let before = house.upstream_requests();
    let foreign = house.post(&generate_path(FLASH), &next).header("x-goog-api-key", "kg_second");
    Answer::to(foreign).await.is_refusal(403, "forbidden");
    assert_eq!(house.upstream_requests(), before, "nobody was asked");
    let house = house.restarted().await;
    for _ in 0..3 {
        first(house.post(&generate_path(FLASH), &next)).await.is_providers("google", 200, 1);
    }
    house.close().await;
}

/// The SDK goes on from the last token that it was given when a stream breaks.
#[tokio::test]
async fn a_token_can_be_used_while_its_stream_still_runs() {
    let told =
        json!({"candidates": [{"content": {"parts": [{"text": "a"}]}, "continuationToken": "dG9r+/8="}]});
    let event = format!("data: {told}\r\n\r\n");
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let mut upstream = Upstream::in_pieces(move |number, _| match number {
        0 => [vec![format!("{head}{event}").into_bytes()], vec![b"data: {}\r\n\r\n".to_vec(); 20]].concat(),
        _ => vec![json_answer(200, &json!({"candidates": []}))],
    })
    .await;
    let house =
        House::before(simulator(), json!({"providers": {"google": {"base_url": upstream.url}}}), &[]).await;
    let (stream, first) = begun(house.stream("hello")).await;
    assert!(String::from_utf8_lossy(&first).contains("dG9r+/8="), "as it came: {first:?}");
    let key_of =
        |headers: &reqwest::header::HeaderMap| headers["x-keygate-key"].to_str().expect("a key").to_owned();
    let of_beta = house.pool_now("google").await.id("beta_1").to_owned();
    let is_betas = key_of(stream.headers()) == of_beta;
    for _ in 0..3 {
        let mut next = chat("hello");
        next["continuationToken"] = json!("dG9r-_8");
        let answer = Answer::to(house.post(&generate_path(FLASH), &next)).await;
        answer.is_providers("google", 200, 1);
        assert_eq!(key_of(&answer.headers) == of_beta, is_betas, "the project that gave it");
    }
    drop(stream);
    let requests = upstream.requests();
    assert!(requests[1].contains(r#""continuationToken":"dG9r-_8""#), "as it came: {}", requests[1]);
    house.close().await;
}

#[tokio::test]
async fn signatures_and_tokens_pass_both_ways_as_they_are_written() {
    let answer = r#"{"candidates":[{"content":{"parts":[{"text":"\u003d","thoughtSignature":"Cq8B+/x\u003d"}]},"continuationToken":"a\/b+\u003d"}]}"#;
    let whole = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{answer}",
        answer.len()
    );
    let mut upstream = Upstream::start(move |_, _| whole.clone().into_bytes()).await;
    let house =
        House::before(simulator(), json!({"providers": {"google": {"base_url": upstream.url}}}), &[]).await;
    let asked = r#"{ "contents":[{"role":"model","parts":[{"text":"x","thoughtSignature":"Cq8B+\/x\u003d", "n":1.50}]}],"continuationToken" : "a/b+=" }"#;
    for _ in 0..2 {
        let request = house.post(&generate_path(FLASH), &Value::Null).body(asked);
        let told = Answer::to(request).await;
        assert_eq!(told.text(), answer);
        let request = upstream.requests().pop().expect("a request");
        assert_eq!(request.split_once("\r\n\r\n").map(|(_, body)| body), Some(asked));
    }
    house.close().await;
}
