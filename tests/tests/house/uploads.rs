//! Uploads: a session begun with a token and continued by whoever knows its id.

use keygate_tests::sim::{Fault, GoogleRow, KeyState, Provider};
use keygate_tests::simulator;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::answer::Answer;
use super::database::{bytes as database, holds};
use super::files::{START, Upload, bytes, starting};
use super::stage::{House, states};
use super::wire;

const MIB: usize = 1024 * 1024;
const TOKENS: (&str, &str) = ("KEYGATE_CLIENT_TOKENS", "kg_first,kg_second");

/// A house that asks for tokens.
async fn guarded() -> House {
    House::before(simulator(), json!({"clients": {"auth": "required"}}), &[TOKENS]).await
}

#[tokio::test]
async fn a_file_is_sent_in_pieces_to_an_address_of_the_gateway() {
    let house = House::open(json!({})).await;
    // A key in the query is repeated in the address by Google: ours goes in a header, so that it has none.
    let started = Answer::to(starting(&house, &format!("{START}?key=callers-own"), 3 * MIB as u64)).await;
    let upload = Upload::of(&house, &started);
    assert!(!upload.path.contains("key="), "{}", upload.path);
    assert!(upload.path.contains("upload_protocol=resumable"), "{}", upload.path);

    let whole = bytes(3 * MIB);
    let first = upload.send(&house, "upload", 0, whole[..2 * MIB].to_vec()).await;
    first.is_providers("google", 200, 1);
    assert_eq!(first.header("x-goog-upload-status"), "active");
    assert_eq!(upload.received(&house).await, 2 * MIB as u64);
    upload.finish(&house, 2 * MIB as u64, whole[2 * MIB..].to_vec()).await;

    let requests = house.sim.requests();
    let chunk = &requests[1];
    assert_eq!(chunk.body_bytes, 2 * MIB);
    let header =
        |name: &str| chunk.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!(header("content-length"), Some("2097152"), "the length is passed on");
    assert_eq!(header("transfer-encoding"), None);
    let project = requests[0].project.clone();
    assert!(requests.iter().all(|request| request.project == project), "{requests:?}");
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn who_knows_the_id_needs_no_token_and_who_does_not_gets_nowhere() {
    let house = guarded().await;
    Answer::to(starting(&house, START, 5)).await.is_refusal(401, "unauthenticated");
    let started = Answer::to(starting(&house, START, 5).header("x-goog-api-key", "kg_first")).await;
    let upload = Upload::of(&house, &started);
    let before = house.upstream_requests();

    // Nothing of the body is sent: the answer comes without.
    for path in
        ["/upload/v1beta/files?upload_id=made-up", "/google/upload/v1/files?upload_id=made-up&key=kg_first"]
    {
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: gateway\r\nx-goog-upload-command: upload, finalize\r\n");
        let answer = wire::send(&house.gateway, &format!("{head}content-length: 8388608\r\n\r\n")).await;
        answer.is_refusal(404, "not_found");
        answer.says_native("NOT_FOUND", "upload");
        assert_eq!(
            answer.header("x-goog-upload-status"),
            "final",
            "so that Python does not try again: {answer:?}"
        );
    }
    let head = format!("POST {START} HTTP/1.1\r\nhost: gateway\r\n");
    let stranger = wire::send(&house.gateway, &format!("{head}content-length: 8388608\r\n\r\n")).await;
    stranger.is_refusal(401, "unauthenticated");
    assert_eq!(house.upstream_requests(), before, "nobody was asked");

    upload.finish(&house, 0, b"hello".to_vec()).await;
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn the_path_prefix_of_the_provider_is_a_door_too() {
    let house = House::open(json!({})).await;
    let upload = Upload::of(&house, &Answer::to(starting(&house, "/google/upload/v1/files", 2)).await);
    assert!(upload.path.starts_with("/upload/v1/files?"), "SDKs drop the prefix: {}", upload.path);
    upload.finish(&house, 0, b"hi".to_vec()).await;
    let upload = Upload::begin(&house, 2).await;
    let prefixed = Upload { path: format!("/google{}", upload.path) };
    prefixed.finish(&house, 0, b"hi".to_vec()).await;
    house.close().await;
}

#[tokio::test]
async fn the_address_is_the_one_the_caller_knows() {
    let house = House::open(json!({})).await;
    let proxied =
        starting(&house, START, 1).header("x-forwarded-proto", "https").header("host", "ai.example");
    let answer = Answer::to(proxied).await;
    let url = answer.header("x-goog-upload-url");
    assert!(url.starts_with("https://ai.example/upload/v1beta/files?upload_id="), "{url}");
    house.close().await;

    let house = House::open(json!({"server": {"public_url": "https://ai.example/gateway/"}})).await;
    let answer = Answer::to(starting(&house, START, 1)).await;
    let url = answer.header("x-goog-upload-url");
    assert!(url.starts_with("https://ai.example/gateway/upload/v1beta/files?upload_id="), "{url}");
    house.close().await;
}

#[tokio::test]
async fn a_key_that_dies_between_the_steps_is_missed_by_nobody() {
    let house = House::open(json!({})).await;
    let upload = Upload::begin(&house, 2).await;
    let project = house.sim.requests()[0].project.clone().expect("a project");
    let keys = if project == "alpha" {
        ["sim-google-alpha-1", "sim-google-alpha-2"]
    } else {
        ["sim-google-beta-1"; 2]
    };
    let invalid = KeyState::Google(GoogleRow::KeyInvalid);
    house.sim.declare(states(&keys.map(|key| (key, invalid)))).expect("known keys");
    upload.finish(&house, 0, b"hi".to_vec()).await;
    assert_eq!(house.sim.requests()[1].credentials.len(), 0, "the id is the credential");
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_start_that_is_refused_is_made_with_another_key() {
    let house = House::open(json!({})).await;
    house.sim.script([Fault::google(GoogleRow::KeyInvalid)]).expect("room");
    Answer::to(starting(&house, START, 2)).await.is_providers("google", 200, 2);
    // What may have taken effect is not done twice.
    let reset = Fault::new(keygate_tests::sim::Action::Reset).provider(Provider::Google);
    house.sim.script([reset]).expect("room");
    let broken = Answer::to(starting(&house, START, 2)).await;
    broken.is_refusal(502, "upstream_unreachable");
    broken.took("google", 1);
    house.close().await;
}

#[tokio::test]
async fn an_upload_outlives_a_gateway_that_is_killed() {
    let house = guarded().await;
    let started = Answer::to(starting(&house, START, 5).header("x-goog-api-key", "kg_first")).await;
    let upload = Upload::of(&house, &started);
    holds(house.gateway.home(), "binding", 1).await;
    let id =
        upload.path.split_once("upload_id=").expect("an id").1.split('&').next().expect("an id").to_owned();
    assert!(!database(house.gateway.home()).contains(&id), "the id opens an upload, and is on no disk");
    let house = house.killed().await;
    upload.finish(&house, 0, b"hello".to_vec()).await;
    // The file, too.
    holds(house.gateway.home(), "binding", 2).await;
    house.close().await;
}

#[tokio::test]
async fn an_upload_is_given_up() {
    let house = House::open(json!({})).await;
    let upload = Upload::begin(&house, 10).await;
    upload.send(&house, "upload", 0, b"hello".to_vec()).await.is_providers("google", 200, 1);
    let cancelled = upload.send(&house, "cancel", 0, Vec::new()).await;
    assert_eq!((cancelled.status, cancelled.header("x-goog-upload-status")), (200, "cancelled"));
    let length = house.sim.requests()[2].headers.iter().find(|(name, _)| name == "content-length").cloned();
    assert_eq!(length.expect("Google wants it").1, "0");
    // The provider's own words on an offset that does not fit pass as they are, at once.
    let upload = Upload::begin(&house, 10).await;
    let wrong = upload.send(&house, "upload", 7, b"hello".to_vec()).await;
    wrong.is_providers("google", 400, 1);
    assert_eq!(wrong.text(), "Upload offset does not match the bytes received.");
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn what_is_too_large_is_refused_where_that_is_known() {
    let house = House::open(json!({"server": {"max_upload": "1MiB"}})).await;
    let upload = Upload::begin(&house, 10).await;
    let head = format!("POST {} HTTP/1.1\r\nhost: gateway\r\nx-goog-upload-command: upload\r\n", upload.path);
    let declared = wire::send(&house.gateway, &format!("{head}content-length: 1048577\r\n\r\n")).await;
    declared.is_refusal(413, "too_large");
    declared.says_native("INVALID_ARGUMENT", "1048576 bytes");
    assert_eq!(declared.header("x-goog-upload-status"), "final");
    assert_eq!(house.upstream_requests(), 1);

    let pieces = futures_util::stream::iter((0..20).map(|_| Ok::<_, std::io::Error>(bytes(64 * 1024))));
    let chunked = upload.with(&house, "upload", 0).body(reqwest::Body::wrap_stream(pieces));
    Answer::to(chunked).await.is_refusal(413, "too_large");
    assert_eq!(house.sim.requests()[1].status, None, "the provider was never told the end");
    let received = upload.received(&house).await;
    upload.finish(&house, received, bytes(MIB - usize::try_from(received).expect("few"))).await;
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn an_upload_that_is_too_large_as_a_whole_is_refused_as_soon_as_that_is_known() {
    let house = House::open(json!({"server": {"max_upload": "1MiB"}})).await;
    let announced = Answer::to(starting(&house, START, 1024 * 1024 + 1)).await;
    announced.is_refusal(413, "too_large");
    announced.says_native("INVALID_ARGUMENT", "1048576 bytes");
    assert_eq!(announced.header("x-goog-upload-status"), "final", "no SDK tries again");
    let older = house.post("/upload/v1beta/files?uploadType=resumable", &json!({}));
    Answer::to(older.header("x-upload-content-length", 1_048_577)).await.is_refusal(413, "too_large");
    assert_eq!(house.upstream_requests(), 0, "nobody was asked");

    // One that announces less than it sends, or nothing.
    let upload = Upload::begin(&house, 10).await;
    for at in 0..4 {
        upload.send(&house, "upload", at * 262_144, bytes(262_144)).await.is_providers("google", 200, 1);
    }
    let before = house.upstream_requests();
    upload.send(&house, "upload, finalize", 1_048_576, vec![7]).await.is_refusal(413, "too_large");
    assert_eq!(house.upstream_requests(), before);
    upload.finish(&house, 1_048_576, Vec::new()).await;
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_body_of_unknown_length_passes_in_chunks() {
    let house = House::open(json!({})).await;
    let upload = Upload::begin(&house, 2 * MIB as u64).await;
    let pieces = futures_util::stream::iter((0..32).map(|_| Ok::<_, std::io::Error>(bytes(64 * 1024))));
    let request = upload.with(&house, "upload, finalize", 0).body(reqwest::Body::wrap_stream(pieces));
    let answer = Answer::to(request).await;
    assert_eq!(answer.json()["file"]["sizeBytes"], (2 * MIB).to_string());
    let mut sent = Vec::new();
    (0..32).for_each(|_| sent.extend(bytes(64 * 1024)));
    let whole = &house.sim.requests()[1];
    assert_eq!(whole.body_bytes, sent.len());
    house.close().await;
}

#[tokio::test]
async fn the_start_counts_for_the_user_and_the_pieces_do_not() {
    let house = House::open(json!({"limits": {"per_user": {"requests_per_minute": 2, "burst": 2}}})).await;
    let upload = Upload::begin(&house, 30).await;
    for at in 0..5 {
        upload.send(&house, "upload", at * 5, b"hello".to_vec()).await.is_providers("google", 200, 1);
    }
    upload.finish(&house, 25, b"hello".to_vec()).await;
    Upload::begin(&house, 30).await;
    let refused = Answer::to(starting(&house, START, 30)).await;
    refused.is_refusal(429, "user_limited");
    assert_eq!(refused.header("x-goog-upload-status"), "", "it may be tried again later");
    house.close().await;
}

#[tokio::test]
async fn a_file_is_sent_in_one_piece_as_well() {
    let house = House::open(json!({})).await;
    // Small: a key that is refused is made good by another.
    house.sim.script([Fault::google(GoogleRow::KeyInvalid)]).expect("room");
    let raw = |length: usize| {
        let request = house.post(START, &json!(null)).header("x-goog-upload-protocol", "raw");
        request.header("content-type", "text/plain").body(bytes(length))
    };
    let small = Answer::to(raw(1000)).await;
    small.is_providers("google", 200, 2);
    assert_eq!(
        (&small.json()["file"]["sizeBytes"], small.header("x-goog-upload-status")),
        (&json!("1000"), "final")
    );
    let large = Answer::to(raw(MIB)).await;
    large.is_providers("google", 200, 1);
    assert_eq!(large.json()["file"]["sizeBytes"], MIB.to_string());
    // Large: it went by, and only the caller has it. The pool has a key left, so it may come again at once.
    let keys = ["sim-google-alpha-1", "sim-google-alpha-2", "sim-google-beta-1"];
    let all = |state| states(&keys.map(|key| (key, state)));
    house.sim.declare(all(KeyState::Google(GoogleRow::KeyInvalid))).expect("known keys");
    let refused = Answer::to(raw(MIB)).await;
    refused.is_refusal(429, "pool_exhausted");
    refused.took("google", 1);
    assert_eq!(refused.retry_after(), Some(1));
    house.sim.declare(all(KeyState::Valid)).expect("known keys");
    assert_eq!(Answer::to(raw(MIB)).await.status, 200);

    let boundary = "--b\r\ncontent-type: application/json\r\n\r\n{\"file\": {\"displayName\": \"d\"}}\r\n--b\r\n\
        content-type: text/plain\r\n\r\nhello\r\n--b--";
    let multipart = house.gateway.http().post(house.gateway.url(&format!("{START}?uploadType=multipart")));
    let multipart = multipart.header("content-type", "multipart/related; boundary=b").body(boundary);
    let described = Answer::to(multipart).await.json();
    assert_eq!(
        (&described["file"]["displayName"], &described["file"]["sizeBytes"]),
        (&json!("d"), &json!("5"))
    );
    house.close().await;
}

/// The protocol of Google's older API clients: `Location`, `PUT`, `Content-Range`, and 308 for more to come.
#[tokio::test]
async fn the_older_protocol_passes_as_well() {
    let house = guarded().await;
    let start = house
        .post(&format!("{START}?uploadType=resumable"), &json!({"file": {}}))
        .header("x-goog-api-key", "kg_first")
        .header("x-upload-content-type", "text/plain")
        .header("x-upload-content-length", 6);
    let started = Answer::to(start).await;
    started.is_providers("google", 200, 1);
    let base = house.gateway.url("");
    let path = started.header("location").strip_prefix(&base).expect("the gateway's").to_owned();
    let put = |range: &str, body: &'static str| {
        let request = house.gateway.http().put(house.gateway.url(&path)).header("content-range", range);
        Answer::to(request.body(body))
    };
    let more = put("bytes 0-2/6", "abc").await;
    assert_eq!((more.status, more.header("range")), (308, "bytes=0-2"), "{more:?}");
    let asked = put("bytes */6", "").await;
    assert_eq!((asked.status, asked.header("range")), (308, "bytes=0-2"), "{asked:?}");
    let done = put("bytes 3-5/6", "def").await;
    assert_eq!((done.status, &done.json()["file"]["sizeBytes"]), (200, &json!("6")), "{done:?}");
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn stores_and_environments_are_sent_files_too() {
    let house = House::open(json!({})).await;
    let store = "/upload/v1beta/fileSearchStores/s1:uploadToFileSearchStore";
    let upload = Upload::of(&house, &Answer::to(starting(&house, store, 2)).await);
    assert!(upload.path.starts_with(&format!("{store}?upload_id=")), "{}", upload.path);
    let done = upload.send(&house, "upload, finalize", 0, b"hi".to_vec()).await;
    assert!(done.text().contains("fileSearchStores/s1/upload/operations/"), "{done:?}");

    let path = "/upload/v1/environments/env_1/files/src/main.py?overwrite=true";
    let put = house.gateway.http().put(house.gateway.url(path));
    let put = put.header("x-goog-upload-protocol", "resumable").header("x-goog-upload-command", "start");
    let upload = Upload::of(&house, &Answer::to(put.body("")).await);
    let done = upload.send(&house, "upload, finalize", 0, b"hi".to_vec()).await;
    assert_eq!(done.json()["file"]["name"], "main.py");
    assert_eq!(house.sim.requests()[2].method, "PUT");
    house.close().await;
}

#[tokio::test]
async fn a_path_that_tries_to_leave_is_refused_and_asks_nobody() {
    let house = House::open(json!({})).await;
    for path in
        ["/upload/v1beta/%2e%2e/admin", "/upload/v1beta/files%2f..%2fx", "/upload/files", "/upload/v1beta"]
    {
        let answer = Answer::to(starting(&house, path, 1)).await;
        assert!(matches!(answer.status, 400 | 404), "{path}: {answer:?}");
    }
    let wrong = Answer::to(house.get(START)).await;
    wrong.is_refusal(405, "method_not_allowed");
    assert_eq!(house.upstream_requests(), 0);
    house.close().await;
}

/// A connection that ends inside a chunk, and what was received of it.
#[tokio::test]
async fn a_client_that_leaves_inside_a_chunk_may_come_back() {
    let house = House::open(json!({})).await;
    let upload = Upload::begin(&house, 8 * MIB as u64).await;
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: gateway\r\nx-goog-upload-command: upload\r\nx-goog-upload-offset: 0\r\n\
         content-length: {}\r\n\r\n",
        upload.path,
        8 * MIB
    );
    let whole = bytes(8 * MIB);
    let mut socket = wire::connect(&house.gateway).await;
    socket.write_all(head.as_bytes()).await.expect("written");
    socket.write_all(&whole[..3 * MIB]).await.expect("written");
    drop(socket);
    keygate_tests::eventually("the provider is left, too", async || {
        (house.counts().google.unanswered == 1).then_some(())
    })
    .await;
    let pool = house.google().await;
    pool.blames_nobody();
    let received = upload.received(&house).await;
    assert!(received > 0 && received <= 3 * MIB as u64, "{received}");
    let rest = whole[usize::try_from(received).expect("small")..].to_vec();
    upload.finish(&house, received, rest).await;
    house.close().await;
}
