//! Streams pass to the byte in every framing that was ever seen or feared (what SDKs make of each is their own),
//! wherever the network cuts them.

use serde_json::json;
use sha2::{Digest, Sha256};

use keygate_tests::simulator;

use super::answer::Answer;
use super::stage::{FLASH, House, OPENAI_CHAT, array_path, chat, openai_chat, stream_path};
use super::wire::Upstream;

const EVENT: &str = r#"{"candidates":[{"content":{"parts":[{"text":"a \u003d","thoughtSignature":"Cq8B+/x="}],"role":"model"}}],"usageMetadata":{"promptTokenCount":1}}"#;
/// The caller's own mistake: it takes nothing out of the pool, so that one house serves all cases.
const ERROR: &str = r#"{"error":{"code":400,"message":"told in the middle","status":"INVALID_ARGUMENT"}}"#;

/// `data: {"candidates":[]}` and a blank line, three times, compressed.
const GZIP: [u8; 50] = [
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 75, 73, 44, 73, 180, 82, 168, 86, 74, 78, 204, 75, 201, 76, 73, 44, 73,
    45, 86, 178, 138, 142, 173, 229, 229, 226, 229, 74, 33, 75, 10, 0, 215, 141, 132, 123, 81, 0, 0, 0,
];

struct Case {
    name: &'static str,
    head: &'static str,
    /// What the provider sends.
    sent: Vec<u8>,
    /// What the caller is to get.
    passed: Vec<u8>,
}

impl Case {
    fn as_it_is(name: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let sent = body.into();
        Self { name, head: "content-type: text/event-stream", passed: sent.clone(), sent }
    }
}

fn event(data: &str, end: &str) -> String {
    format!("data: {data}{end}")
}

/// Everything of facts §3.4 and §10, around events with `data`, of which the first is whole.
fn framings(data: &str, end: &str) -> Vec<Case> {
    let one = event(data, end);
    let around = |between: &str| format!("{one}{between}{one}");
    let with_text = |text: &str| data.replace("a \\u003d", text).replace("\"ab\"", &format!("\"{text}\""));
    vec![
        Case::as_it_is("plain", around("")),
        Case::as_it_is("comment", around(&format!(": keepalive{end}"))),
        Case::as_it_is("error event", format!("{one}event: error\r\ndata: {ERROR}{end}")),
        Case::as_it_is("error as data", around(&event(ERROR, end))),
        Case::as_it_is("bare error", format!("{one}{}\n", ERROR.replace(',', ",\n  "))),
        Case::as_it_is("bare error on one line", format!("{one}{ERROR}\n")),
        Case::as_it_is("data without a space", around(&format!("data:{data}{end}"))),
        Case::as_it_is("done", around(&event("[DONE]", end))),
        Case::as_it_is("no last blank line", format!("{one}data: {data}")),
        Case::as_it_is("truncated JSON", format!("{one}data: {}", &data[..data.len() / 2])),
        Case::as_it_is("truncated JSON that ends as an event", format!("{one}data: {}{end}", &data[..20])),
        Case::as_it_is("blank lines", around(&end.repeat(3))),
        Case::as_it_is("a stray line end", around("\r\n")),
        Case::as_it_is("ids and retries", around(&format!("id: 1\r\nretry: 10\r\n{one}"))),
        Case::as_it_is("separators in text", around(&event(&with_text("\u{2028}\u{2029}\u{85}"), end))),
        Case::as_it_is("a huge event", around(&event(&with_text(&"x".repeat(3 << 20)), end))),
        Case::as_it_is("nothing at all", ""),
        Case::as_it_is("no JSON", event("nothing", end)),
    ]
}

/// One answer in chunks of so many bytes, as HTTP delivers them apart.
fn in_chunks(case: &Case, size: usize) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\n{}\r\nconnection: close\r\n", case.head);
    let mut answer = format!("{head}transfer-encoding: chunked\r\n\r\n").into_bytes();
    for chunk in case.sent.chunks(size) {
        answer.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        answer.extend_from_slice(chunk);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    answer
}

fn sum(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

/// Asks for every case, whole and cut, and compares sums.
async fn all_pass(path: &str, body: serde_json::Value, cases: Vec<Case>) {
    let sizes =
        |case: &Case| if case.sent.len() > 10_000 { vec![4096, 1 << 24] } else { vec![1, 7, 1 << 24] };
    let wanted: Vec<(usize, usize)> = cases
        .iter()
        .enumerate()
        .flat_map(|(at, case)| sizes(case).into_iter().map(move |size| (at, size)))
        .collect();
    let answers: Vec<Vec<u8>> = wanted.iter().map(|(at, size)| in_chunks(&cases[*at], *size)).collect();
    let upstream = Upstream::start(move |number, _| answers.get(number).cloned().unwrap_or_default()).await;
    let changes = json!({
        "providers": {"google": {"base_url": upstream.url, "retry": {"max_attempts": 1}}},
        "limits": {"per_user": {"requests_per_minute": 1000}},
    });
    let house = House::before(simulator(), changes, &[]).await;
    for (at, size) in wanted {
        let case = &cases[at];
        let answer = Answer::to(house.post(path, &body)).await;
        assert_eq!(answer.status, 200, "{} in chunks of {size}: {answer:?}", case.name);
        let is_same = sum(&answer.body) == sum(&case.passed);
        assert!(is_same, "{} in chunks of {size} on {path}: {answer:?}", case.name);
        assert_eq!(answer.header("x-keygate-attempts"), "1", "{}", case.name);
    }
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn native_events_pass_in_every_framing() {
    for end in ["\r\n\r\n", "\n\n", "\r\r"] {
        all_pass(&stream_path(FLASH), chat("hello"), framings(EVENT, end)).await;
    }
}

#[tokio::test]
async fn mixed_line_ends_and_coded_events_pass() {
    let mixed =
        [event(EVENT, "\r\n\r\n"), event(EVENT, "\n\n"), event(EVENT, "\r\r"), event(EVENT, "\n\r\n")];
    let coded = "content-type: text/event-stream\r\ncontent-encoding: gzip";
    let cases = vec![
        Case::as_it_is("mixed line ends", mixed.concat()),
        Case { head: coded, ..Case::as_it_is("gzip", GZIP) },
    ];
    all_pass(&stream_path(FLASH), chat("hello"), cases).await;
}

#[tokio::test]
async fn an_array_passes_however_it_is_written() {
    let json = "content-type: application/json; charset=UTF-8";
    let bodies = [
        ("an array", format!("[{EVENT}\r\n,\r\n{EVENT}\r\n]\r\n")),
        ("an array on one line", format!("[{EVENT},{EVENT}]")),
        ("an array of one", format!("[{EVENT}]")),
        ("an empty array", "[]".to_owned()),
        ("an array that ends early", format!("[{EVENT},\n{{\"cand")),
        ("an array with an error", format!("[{EVENT}\n,\n{ERROR}\n]\n")),
        ("an array with space around", format!(" \n[\n  {EVENT}\n]\n\n")),
    ];
    let cases = bodies.map(|(name, body)| Case { head: json, ..Case::as_it_is(name, body) });
    all_pass(&array_path(FLASH), chat("hello"), cases.into()).await;
}

const CHUNK: &str =
    r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"ab"}}]}"#;
const USAGE: &str =
    r#"{"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#;

#[tokio::test]
async fn openai_events_pass_in_every_framing_and_lose_the_usage_nobody_asked_for() {
    for end in ["\n\n", "\r\n\r\n", "\r\r"] {
        let usage = event(USAGE, end);
        let hidden = framings(CHUNK, end).into_iter().map(|case| {
            // Behind the first event, where the stream stands between two for sure.
            let first = case.sent.len().min(event(CHUNK, end).len());
            let sent = [&case.sent[..first], usage.as_bytes(), &case.sent[first..]].concat();
            let is_stream = case.sent.starts_with(event(CHUNK, end).as_bytes());
            if is_stream { Case { sent, ..case } } else { case }
        });
        all_pass(OPENAI_CHAT, openai_chat("hello", true), hidden.collect()).await;
        let asked = framings(CHUNK, end).into_iter().map(|case| {
            let sent = [usage.as_bytes(), &case.sent].concat();
            Case { passed: sent.clone(), sent, ..case }
        });
        let mut body = openai_chat("hello", true);
        body["stream_options"] = json!({"include_usage": true});
        all_pass(OPENAI_CHAT, body, asked.collect()).await;
    }
}
