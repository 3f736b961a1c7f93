//! A key that the provider prints, cut by the network where it likes.

use keygate_tests::simulator;
use serde_json::{Value, json};

use super::answer::Answer;
use super::stage::{FLASH, House, chat, generate_path, stream_path};
use super::wire::Upstream;

/// The keys a pool of one would use, cut in the middle of what the provider says of it.
async fn cut(kind: &'static str, before: &'static str, after: &'static str) -> (Upstream, House) {
    let upstream = Upstream::in_pieces(move |_, _| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n");
        vec![head.into(), format!("{before}sim-goo").into(), format!("gle-alpha-1{after}").into()]
    })
    .await;
    let keys: Value = json!([{"secret": "env:ALPHA_1", "label": "alpha_1", "group": "alpha"}]);
    let changes = json!({"providers": {"google": {"base_url": upstream.url, "keys": keys}}});
    let house = House::before(simulator(), changes, &[]).await;
    (upstream, house)
}

#[tokio::test]
async fn a_key_cut_by_the_network_does_not_pass_inside_a_stream() {
    let first = "data: {\"candidates\": []}\r\n\r\n";
    let error = "data: {\"error\": {\"code\": 503, \"message\": \"Consumer 'api_key:";
    let before: &'static str = format!("{first}{error}").leak();
    let (_upstream, house) = cut("text/event-stream", before, "' failed.\"}}\r\n\r\n").await;
    let answer = Answer::to(house.post(&stream_path(FLASH), &chat("hello"))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let stars = "*".repeat("sim-google-alpha-1".len());
    assert_eq!(answer.text(), format!("{before}{stars}' failed.\"}}}}\r\n\r\n"));
    house.close().await;
}

#[tokio::test]
async fn a_key_cut_by_the_network_does_not_pass_inside_an_answer_in_one_piece() {
    let before = "{\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"";
    let (_upstream, house) = cut("application/json", before, "\"}]}, \"finishReason\": \"STOP\"}]}").await;
    let answer = Answer::to(house.post(&generate_path(FLASH), &chat("hello"))).await;
    assert_eq!(answer.said(), "*".repeat("sim-google-alpha-1".len()), "{answer:?}");
    house.close().await;
}

#[tokio::test]
async fn an_error_that_nobody_can_look_into_is_not_passed() {
    let coded = Upstream::start(|_, _| {
        let head = "HTTP/1.1 400 Bad\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n";
        format!("{head}connection: close\r\ncontent-length: 4\r\n\r\nabcd").into_bytes()
    })
    .await;
    let page = Upstream::start(|_, _| {
        let body = "<html>not found</html>";
        let head = "HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\nconnection: close\r\n";
        format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    })
    .await;
    for (upstream, status, error) in [(coded, 400, "bad_request"), (page, 404, "not_found")] {
        let changes = json!({"providers": {"google": {"base_url": upstream.url}}});
        let house = House::before(simulator(), changes, &[]).await;
        let answer = house.generate(FLASH, "hello").await;
        answer.is_refusal(status, error);
        assert_eq!(answer.retry_after(), None, "sending it again cannot help: {answer:?}");
        assert_eq!(answer.header("content-encoding"), "");
        house.close().await;
    }
}
