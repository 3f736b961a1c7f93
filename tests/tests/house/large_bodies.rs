//! Bodies over `server.max_body`: refused in the surface's shape before anybody is asked.

use futures_util::stream;
use serde_json::json;

use super::answer::Answer;
use super::stage::{FLASH, House, OPENAI_CHAT, chat, generate_path};
use super::wire;

const MOST: usize = 64 * 1024;
const PATHS: [&str; 3] =
    ["/v1beta/models/gemini-2.5-flash:generateContent", OPENAI_CHAT, "/anam/v1/auth/session-token"];

async fn small_house() -> House {
    House::open(json!({"server": {"max_body": "64KiB"}})).await
}

fn is_too_large(answer: &Answer, path: &str) {
    answer.is_refusal(413, "too_large");
    match path {
        OPENAI_CHAT => answer.says_openai("invalid_request_error", "larger than"),
        path if path.starts_with("/anam") => answer.says_anam("Request body too large", "larger than"),
        _ => answer.says_native("INVALID_ARGUMENT", "larger than"),
    }
}

async fn asked_nobody(house: House) {
    let counts = house.counts();
    assert_eq!((counts.google.requests, counts.anam.requests), (0, 0));
    let pool = house.google().await;
    pool.blames_nobody();
    assert_eq!(pool.ledger("attempts"), 0, "no key was touched");
    house.close().await;
}

#[tokio::test]
async fn a_body_that_declares_itself_too_large_is_refused_unread() {
    let house = small_house().await;
    for path in PATHS {
        let head = format!("POST {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n");
        let request =
            format!("{head}content-type: application/json\r\ncontent-length: 999999999999\r\n\r\n{{");
        is_too_large(&wire::send(&house.gateway, &request).await, path);
    }
    asked_nobody(house).await;
}

#[tokio::test]
async fn a_chunked_body_is_refused_where_it_becomes_too_large() {
    let house = small_house().await;
    for path in PATHS {
        let chunks = (0..9).map(|_| Ok::<_, std::io::Error>(vec![b' '; 8 * 1024]));
        let body = reqwest::Body::wrap_stream(stream::iter(chunks));
        let request = house.post(path, &json!(null)).body(body);
        is_too_large(&Answer::to(request).await, path);
    }
    asked_nobody(house).await;
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_served() {
    let house = small_house().await;
    let frame = chat("").to_string().len();
    let answer = Answer::to(house.post(&generate_path(FLASH), &chat(&"x".repeat(MOST - frame)))).await;
    answer.is_providers("google", 200, 1);
    let one_more = Answer::to(house.post(&generate_path(FLASH), &chat(&"x".repeat(MOST - frame + 1)))).await;
    is_too_large(&one_more, "");
    assert_eq!(house.upstream_requests(), 1);
    assert_eq!(house.sim.requests()[0].body_bytes, MOST);
    house.close().await;
}

#[tokio::test]
async fn a_body_that_ends_too_early_asks_nobody() {
    let house = small_house().await;
    let path = generate_path(FLASH);
    let head = format!("POST {path} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n");
    let mut socket = wire::connect(&house.gateway).await;
    let request = format!("{head}content-length: 1000\r\n\r\n{{\"contents\": [");
    tokio::io::AsyncWriteExt::write_all(&mut socket, request.as_bytes()).await.expect("written");
    drop(socket);
    // Another request, so that the first is surely behind it.
    house.generate(FLASH, "hello").await.is_providers("google", 200, 1);
    assert_eq!(house.upstream_requests(), 1);
    house.close().await;
}

/// What follows a refused body, or is hidden in it, must not be taken for requests that nobody let in.
#[tokio::test]
async fn the_rest_of_a_refused_body_is_not_taken_for_requests() {
    let house = small_house().await;
    let hidden = "GET /hidden HTTP/1.1\r\nhost: gateway\r\n\r\n";
    for length in [70_000, 300_000] {
        let head = format!("POST {} HTTP/1.1\r\nhost: gateway\r\ncontent-length: {length}\r\n\r\n", PATHS[0]);
        let body: String = hidden.chars().cycle().take(length).collect();
        let end = "GET /healthz HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n";
        let answer = wire::send(&house.gateway, &format!("{head}{body}{end}")).await;
        assert_eq!(answer.status, 413, "{answer:?}");
        assert!(!answer.text().contains("/hidden"), "{answer:?}");
    }
    asked_nobody(house).await;
}

#[tokio::test]
async fn a_stranger_with_a_large_body_is_told_to_be_a_stranger() {
    let house = House::open(json!({"clients": {"auth": "required"}})).await;
    let chunks = (0..30).map(|_| Ok::<_, std::io::Error>(vec![b' '; 8 * 1024]));
    let body = reqwest::Body::wrap_stream(stream::iter(chunks));
    let answer = Answer::to(house.post(PATHS[0], &json!(null)).body(body)).await;
    answer.is_refusal(401, "unauthenticated");
    asked_nobody(house).await;
}
