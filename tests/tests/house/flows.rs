//! Large files: memory that stays flat, sides that stop, and connections that break.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::stream;
use keygate_tests::eventually;
use keygate_tests::sim::{Action, Fault, GeneratedFile, HalfBody, Provider, StreamEnding};
use reqwest::Body;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use super::answer::{Answer, Read};
use super::files::{Upload, bytes};
use super::stage::House;
use super::wire;

const MIB: u64 = 1024 * 1024;
/// Far above anything the gateway holds, far below what is sent.
const A_LITTLE: u64 = 48 * MIB;
/// Above all that lies in the sockets of two connections when nobody reads: Linux lets a receiver have 32 MiB and
/// a sender 4 (tcp(7), `tcp_rmem`, `tcp_wmem`).
const IN_SOCKETS: u64 = 96 * MIB;

/// A body of so many bytes that is made as it is taken; counts what was.
fn flow(length: u64) -> (Body, Arc<AtomicU64>) {
    let taken = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&taken);
    let piece = Bytes::from(bytes(64 * 1024));
    let pieces = (0..length / piece.len() as u64).map(move |_| {
        counted.fetch_add(piece.len() as u64, Ordering::SeqCst);
        Ok::<_, std::io::Error>(piece.clone())
    });
    (Body::wrap_stream(stream::iter(pieces)), taken)
}

/// A client that waits for as long as it takes.
fn patient(house: &House, upload: &Upload, command: &str, length: u64) -> reqwest::RequestBuilder {
    let request = upload.with(house, command, 0).header("content-length", length);
    request.timeout(std::time::Duration::from_mins(10))
}

#[tokio::test]
async fn memory_stays_flat_whatever_goes_by() {
    let house =
        House::open(json!({"server": {"workers": 1}, "providers": {"google": {"keys": alpha()}}})).await;
    // Everything that is made once is made.
    Upload::begin(&house, 10).await.finish(&house, 0, b"0123456789".to_vec()).await;
    let before = house.gateway.peak_memory_bytes();

    let length = 512 * MIB;
    let upload = Upload::begin(&house, length).await;
    let (body, _) = flow(length);
    let done = Answer::to(patient(&house, &upload, "upload, finalize", length).body(body)).await;
    assert_eq!(done.json()["file"]["sizeBytes"], length.to_string());
    let sent = house.gateway.peak_memory_bytes();
    assert!(sent < before + A_LITTLE, "{before} before, {sent} after an upload of {length}");

    let (name, length) = made(&house, 512 * MIB, false);
    let path = format!("/download/v1beta/{name}:download?alt=media");
    let mut answer = house.get(&path).send().await.expect("an answer");
    assert_eq!(answer.content_length(), Some(length));
    let mut fetched = 0;
    while let Some(chunk) = answer.chunk().await.expect("it is complete") {
        fetched += chunk.len() as u64;
    }
    assert_eq!(fetched, length);
    let after = house.gateway.peak_memory_bytes();
    assert!(after < before + A_LITTLE, "{before} before, {after} after a download of {length}");
    house.close().await;
}

/// Keys of one project only: the one that has the files which are made.
fn alpha() -> Value {
    json!([{"secret": "env:ALPHA_1", "label": "alpha_1", "group": "alpha"}])
}

/// A file that the service made.
fn made(house: &House, bytes: u64, is_elsewhere: bool) -> (String, u64) {
    (house.sim.make_file(GeneratedFile { project: "alpha".to_owned(), bytes, is_elsewhere }), bytes)
}

#[tokio::test]
async fn a_provider_that_stops_reading_holds_the_caller_up_until_the_time_is_over() {
    let house = House::open(json!({"providers": {"google": {"timeout": "1s"}}})).await;
    let upload = Upload::begin(&house, 256 * MIB).await;
    let hang = Action::HalfBody(HalfBody { bytes: MIB, ending: StreamEnding::Hang });
    house.sim.script([Fault::new(hang).provider(Provider::Google)]).expect("room");
    let (body, taken) = flow(256 * MIB);
    let answer = Answer::to(patient(&house, &upload, "upload", 256 * MIB).body(body)).await;
    answer.is_refusal(504, "deadline_exceeded");
    answer.took("google", 1);
    assert_eq!(answer.header("x-goog-upload-status"), "", "it may be gone on with");
    let taken = taken.load(Ordering::SeqCst);
    assert!(taken < IN_SOCKETS, "{taken} bytes were taken from the caller");
    // It does not even notice that it is left, and is as little in the way as before.
    let received = upload.received(&house).await;
    assert!((MIB..2 * MIB).contains(&received), "{received}");
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn an_upload_takes_longer_than_the_timeout_if_only_it_moves() {
    // What lies in the sockets when the last byte is sent is read well within the timeout, and all of it is not.
    let timeout = std::time::Duration::from_secs(1);
    let house = House::open(json!({"providers": {"google": {"timeout": "1s"}}})).await;
    let upload = Upload::begin(&house, 32 * MIB).await;
    let slow = Action::SlowReader { pause: std::time::Duration::from_millis(20) };
    house.sim.script([Fault::new(slow).provider(Provider::Google)]).expect("room");
    let began = tokio::time::Instant::now();
    upload.finish(&house, 0, bytes(usize::try_from(32 * MIB).expect("small"))).await;
    assert!(began.elapsed() > timeout, "too fast to tell anything");
    house.close().await;
}

#[tokio::test]
async fn a_caller_that_falls_silent_is_given_up_and_so_is_its_request() {
    let house = House::open(json!({"providers": {"google": {"timeout": "1s"}}})).await;
    let upload = Upload::begin(&house, 8 * MIB).await;
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: gateway\r\nx-goog-upload-command: upload\r\nx-goog-upload-offset: 0\r\n\
         content-length: {}\r\n\r\n{}",
        upload.path,
        8 * MIB,
        "x".repeat(512 * 1024),
    );
    let answer = wire::send(&house.gateway, &head).await;
    answer.is_refusal(504, "deadline_exceeded");
    answer.says_native("DEADLINE_EXCEEDED", "stopped coming");
    eventually("the provider is left", async || (house.counts().google.unanswered == 1).then_some(())).await;
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_provider_that_breaks_inside_a_chunk_is_told_and_the_chunk_is_gone_on_with() {
    for ending in [StreamEnding::Reset, StreamEnding::Close] {
        let house = House::open(json!({})).await;
        let upload = Upload::begin(&house, 8 * MIB).await;
        let whole = bytes(usize::try_from(8 * MIB).expect("small"));
        let half = Action::HalfBody(HalfBody { bytes: 2 * MIB, ending });
        house.sim.script([Fault::new(half).provider(Provider::Google)]).expect("room");
        let broken = upload.send(&house, "upload, finalize", 0, whole.clone()).await;
        broken.is_refusal(502, "upstream_unreachable");
        broken.took("google", 1);
        // Without a status Google's Python SDK sends the chunk again by itself.
        assert_eq!(broken.header("x-goog-upload-status"), "");
        assert!(broken.retry_after().is_some());
        let received = upload.received(&house).await;
        assert!((MIB..8 * MIB).contains(&received), "{received}");
        let rest = whole[usize::try_from(received).expect("small")..].to_vec();
        upload.finish(&house, received, rest).await;
        house.google().await.blames_nobody();
        house.close().await;
    }
}

#[tokio::test]
async fn what_the_provider_says_before_the_end_of_a_chunk_reaches_the_caller() {
    let house = House::open(json!({})).await;
    let upload = Upload::begin(&house, 64 * MIB).await;
    let early = Fault::google(keygate_tests::sim::GoogleRow::FileStorage);
    house.sim.script([early]).expect("room");
    let (body, _) = flow(64 * MIB);
    let answer = patient(&house, &upload, "upload", 64 * MIB).body(body).send().await;
    // Who closes with bytes unread may lose what he said before: on either way it may be a broken connection.
    if let Ok(answer) = answer {
        assert!([429, 502].contains(&answer.status().as_u16()), "{answer:?}");
    }
    let pool = house.google().await;
    pool.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_download_is_fetched_in_parts_and_from_where_it_is_kept() {
    let house = House::open(json!({"providers": {"google": {"keys": alpha()}}})).await;
    for is_elsewhere in [false, true] {
        let (name, length) = made(&house, 300_000, is_elsewhere);
        let path = format!("/v1beta/{name}:download?alt=media&key=callers-own");
        let whole = Answer::to(house.get(&path)).await;
        whole.is_providers("google", 200, 1);
        assert_eq!(whole.body.len() as u64, length);
        let part = Answer::to(house.get(&path).header("range", "bytes=100000-100009")).await;
        part.is_providers("google", 206, 1);
        assert_eq!(part.header("content-range"), "bytes 100000-100009/300000");
        assert_eq!(part.body, whole.body[100_000..100_010]);
    }
    let paths: Vec<String> = house.sim.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths.iter().filter(|path| path.starts_with("/download/")).count(), 2, "{paths:?}");
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn nobody_is_followed_to_another_host() {
    let house = House::open(json!({"providers": {"google": {"keys": alpha()}}})).await;
    let (name, _) = made(&house, 10, false);
    let path = format!("/v1beta/{name}:download?alt=media");
    let secret = "http://169.254.169.254/v1beta/files/x:download";
    for location in [secret, "//elsewhere.example/v1/files/x:download", "/v1beta/models", "not a place"] {
        let away = json!({"answer": {"status": 302, "headers": {"location": location}}});
        let action = serde_json::from_value(away).expect("an action");
        house.sim.clear_script();
        house.sim.script([Fault::new(action).always()]).expect("room");
        let answer = Answer::to(house.get(&path)).await;
        assert_eq!(answer.status, 502, "{location}: {answer:?}");
        assert_eq!(answer.header("location"), "");
        assert!(!answer.text().contains("169.254"), "{answer:?}");
        assert!(house.sim.requests().iter().all(|asked| asked.path == format!("/v1beta/{name}:download")));
    }
    house.close().await;
}

#[tokio::test]
async fn a_file_belongs_to_the_client_that_sent_it_and_to_its_project() {
    let tokens = ("KEYGATE_CLIENT_TOKENS", "kg_first,kg_second");
    let guarded = json!({"clients": {"auth": "required"}});
    let house = House::before(keygate_tests::simulator(), guarded, &[tokens]).await;
    let start = super::files::starting(&house, super::files::START, 2).header("x-goog-api-key", "kg_first");
    let upload = Upload::of(&house, &Answer::to(start).await);
    // Sent by somebody who shows nothing: it is the first client's all the same.
    let name = upload.finish(&house, 0, b"hi".to_vec()).await;
    let project = house.sim.requests()[0].project.clone();
    let path = format!("/v1beta/{name}:download?alt=media");
    Answer::to(house.get(&path)).await.is_refusal(401, "unauthenticated");
    Answer::to(house.get(&path).header("x-goog-api-key", "kg_second")).await.is_refusal(403, "forbidden");
    for _ in 0..4 {
        let answer = Answer::to(house.get(&path).header("x-goog-api-key", "kg_first")).await;
        // Google gives out only what it made itself; another project would hear that there is no such file.
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.text().contains("Only generated files"), "{answer:?}");
        assert_eq!(house.sim.requests().pop().expect("one").project, project);
    }
    house.close().await;
}

#[tokio::test]
async fn a_download_that_nobody_reads_is_given_up() {
    let house = House::open(json!({"providers": {"google": {"timeout": "500ms", "keys": alpha()}}})).await;
    let (name, _) = made(&house, 64 * MIB, false);
    let mut socket = wire::connect(&house.gateway).await;
    let request = format!("GET /v1beta/{name}:download?alt=media HTTP/1.1\r\nhost: gateway\r\n\r\n");
    socket.write_all(request.as_bytes()).await.expect("written");
    // Nothing is read.
    eventually("the provider is left", async || {
        (house.counts().google.streams_cut_by_client == 1).then_some(())
    })
    .await;
    house.google().await.blames_nobody();
    drop(socket);
    // While one that is read goes on for longer than the timeout.
    let slow = Action::SlowChunks { pause: std::time::Duration::from_millis(100) };
    house.sim.script([Fault::new(slow)]).expect("room");
    let (name, length) = made(&house, 640 * 1024, false);
    let answer = house.get(&format!("/v1beta/{name}:download?alt=media")).send().await.expect("an answer");
    let read = Read::to_end(answer).await;
    assert!(read.is_complete && read.bytes.len() as u64 == length);
    house.close().await;
}
