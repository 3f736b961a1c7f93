//! Files on their way in and out.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, StatusCode};
use keygate_domain::{
    Access, ApiKey, Binding, ErrorKind, Fault, Intent, Refusal, Replay, RetryAdvice, Right, Streaming,
    Verdict,
};
use keygate_provider::{AnswerHead, Ended, Extent, Grant};
use rstest::rstest;

use super::{Call, google};

const SESSION: &str = "/upload/v1beta/files?upload_id=AHmgxQ&upload_protocol=resumable";

fn gist(intent: &Intent) -> String {
    let references: Vec<String> = intent.references.iter().map(|resource| resource.kind.to_owned()).collect();
    format!(
        "{} {} {} units={} refs={} {:?} {:?} {:?}",
        intent.operation,
        intent.route,
        intent.target,
        intent.user_units,
        references.join(","),
        intent.access,
        intent.replay,
        intent.streaming
    )
}

#[rstest]
#[case(
    "POST",
    "/upload/v1/files?key=callers-own",
    "upload /upload/{version}/{resource} /upload/v1/files units=1 refs= Token OnlyIfRefused Whole"
)]
#[case(
    "POST",
    "/upload/v1beta/fileSearchStores/s%2D1:uploadToFileSearchStore",
    "upload /upload/{version}/{resource} /upload/v1beta/fileSearchStores/s-1:uploadToFileSearchStore units=1 \
     refs=fileSearchStores Token OnlyIfRefused Whole"
)]
#[case(
    "PUT",
    "/upload/v1/environments/e/files/src/main%20a.py?overwrite=true",
    "upload /upload/{version}/{resource} /upload/v1/environments/e/files/src/main%20a.py?overwrite=true units=1 \
     refs=environments Token OnlyIfRefused Whole"
)]
#[case(
    "POST",
    "/upload/v2/futures/f:send",
    "upload /upload/{version}/{resource} /upload/v2/futures/f:send units=1 refs=resource Token OnlyIfRefused Whole"
)]
#[case(
    "POST",
    "/upload/v1beta/files?upload_id=a%2Db&upload_protocol=resumable&access_token=x",
    "upload_chunk /upload/{version}/{resource}?upload_id={upload} \
     /upload/v1beta/files?upload_id=a%2Db&upload_protocol=resumable units=0 refs=upload Reference OnlyIfRefused Whole"
)]
#[case(
    "PUT",
    "/upload/v1beta/files?uploadType=resumable&upload_id=x",
    "upload_chunk /upload/{version}/{resource}?upload_id={upload} \
     /upload/v1beta/files?uploadType=resumable&upload_id=x units=0 refs=upload Reference OnlyIfRefused Whole"
)]
#[case(
    "GET",
    "/download/v1beta/files/abc:download?alt=media",
    "download /download/{version}/{resource}:download /download/v1beta/files/abc:download?alt=media units=0 \
     refs=files Token Safe File"
)]
#[case(
    "GET",
    "/v1beta/files/abc%3Adownload?alt=media&key=k",
    "download /{version}/files/{file}:download /v1beta/files/abc:download?alt=media units=0 refs=files Token Safe File"
)]
#[case(
    "GET",
    "/v1/environments/e/files/a/b.py?alt=media",
    "download /{version}/environments/{environment}/files/{path}?alt=media \
     /v1/environments/e/files/a/b.py?alt=media units=0 refs=environments Token Safe File"
)]
#[case(
    "GET",
    "/v1/fileSearchStores/s/media/m?alt=media",
    "download /{version}/fileSearchStores/{store}/media/{media}?alt=media \
     /v1/fileSearchStores/s/media/m?alt=media units=0 refs=fileSearchStores Token Safe File"
)]
fn files_are_sent_and_fetched(#[case] method: &str, #[case] target: &str, #[case] expected: &str) {
    let intent = Call::new(method, target).understood().unwrap();
    assert_eq!(gist(&intent), expected);
    assert_eq!((intent.right, intent.estimate.requests, intent.model), (Right::Files, 0, None));
}

#[rstest]
#[case("GET", "/upload/v1/files", ErrorKind::MethodNotAllowed)]
#[case("POST", "/download/v1/files/a:download", ErrorKind::MethodNotAllowed)]
#[case("POST", "/upload/files", ErrorKind::NotFound)]
#[case("POST", "/upload/v1beta", ErrorKind::NotFound)]
#[case("POST", "/upload/v1/../files", ErrorKind::BadRequest)]
#[case("POST", "/upload/v1/%2e%2e/files?upload_id=a", ErrorKind::BadRequest)]
#[case("POST", "/upload/v1/files%2Fa", ErrorKind::BadRequest)]
#[case("GET", "/download/v1/files/a%25:download", ErrorKind::BadRequest)]
fn other_paths_are_refused(#[case] method: &str, #[case] target: &str, #[case] kind: ErrorKind) {
    assert_eq!(Call::new(method, target).understood().unwrap_err().kind, kind);
}

#[rstest]
#[case(Method::POST, "/upload/v1beta/files", true)]
#[case(Method::PUT, "/upload/v1/environments/e/files/p", true)]
#[case(Method::GET, "/upload/v1beta/files", false)]
#[case(Method::POST, "/v1beta/models/m:generateContent", false)]
#[case(Method::GET, "/download/v1beta/files/a:download", false)]
fn only_bodies_of_uploads_are_passed_on_unread(
    #[case] method: Method,
    #[case] path: &str,
    #[case] expected: bool,
) {
    assert_eq!(google().streams_body(&method, path), expected);
}

#[test]
fn the_id_of_an_upload_is_known_by_its_sum() {
    let call = |target: &str| Call::post(target, "").understood().unwrap().references;
    let plain = call(SESSION);
    assert_eq!(plain, call("/upload/v9/elsewhere?%75pload_id=%41HmgxQ&upload_id=second"));
    assert_eq!(plain[0].name.len(), 64);
    assert_ne!(plain, call("/upload/v1beta/files?upload_id=ahmgxq"), "ids have a case");
    // An empty one is none: then a token is asked for.
    let empty = Call::post("/upload/v1beta/files?upload_id=", "").understood().unwrap();
    assert_eq!(empty.access, Access::Token);
}

fn sent(call: &Call) -> String {
    let intent = call.understood().unwrap();
    let key = ApiKey::new("pool-key");
    let grant = Grant { key: Some(&key), ..Grant::default() };
    let request = google().request(&intent, &call.inbound(), &grant);
    let mut text = format!("{} {}\n", request.method, request.path_and_query);
    let mut headers: Vec<_> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    headers.sort_unstable();
    for (name, value) in headers {
        writeln!(text, "{name}: {value}").unwrap();
    }
    text
}

/// What google-genai 3.4.0 sends (`_extra_utils.py`, `_api_client.py`).
#[test]
fn the_first_step_carries_our_key_and_the_second_none() {
    let start = Call::post("/upload/v1beta/files", "")
        .with("content-type", "application/json")
        .with("x-goog-api-key", "callers-own")
        .with("x-goog-api-client", "google-genai-sdk/3.4.0")
        .with("x-goog-upload-protocol", "resumable")
        .with("x-goog-upload-command", "start")
        .with("x-goog-upload-header-content-length", "12")
        .with("x-goog-upload-header-content-type", "text/plain")
        .with("x-goog-upload-file-name", "notes.txt")
        .with("cookie", "callers-own")
        .with("x-user-id", "alice");
    insta::assert_snapshot!(sent(&start), @r"
    POST /upload/v1beta/files
    content-type: application/json
    x-goog-api-client: google-genai-sdk/3.4.0
    x-goog-api-key: pool-key
    x-goog-upload-command: start
    x-goog-upload-file-name: notes.txt
    x-goog-upload-header-content-length: 12
    x-goog-upload-header-content-type: text/plain
    x-goog-upload-protocol: resumable
    ");
    let chunk = Call::post(&format!("{SESSION}&key=callers-own"), "")
        .with("x-goog-api-key", "callers-own")
        .with("authorization", "Bearer callers-own")
        .with("content-length", "12")
        .with("transfer-encoding", "chunked")
        .with("expect", "100-continue")
        .with("x-goog-upload-command", "upload, finalize")
        .with("x-goog-upload-offset", "0");
    insta::assert_snapshot!(sent(&chunk), @r"
    POST /upload/v1beta/files?upload_id=AHmgxQ&upload_protocol=resumable
    x-goog-upload-command: upload, finalize
    x-goog-upload-offset: 0
    ");
    let download = Call::get("/v1beta/files/abc:download?alt=media&key=callers-own")
        .with("range", "bytes=0-9")
        .with("if-range", "\"e\"")
        .with("accept-encoding", "gzip");
    insta::assert_snapshot!(sent(&download), @r#"
    GET /v1beta/files/abc:download?alt=media
    if-range: "e"
    range: bytes=0-9
    x-goog-api-key: pool-key
    "#);
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
}

#[test]
fn the_answer_to_the_first_step_names_the_gateway_and_is_remembered() {
    let url = "https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=AHmgxQ&key=AIzaReal";
    let call = Call::post("/upload/v1beta/files", "");
    let intent = call.understood().unwrap();
    let mut answer = headers(&[("x-goog-upload-url", url), ("x-goog-upload-control-url", url)]);
    let bindings = google().bindings(&intent, &answer);
    let session = Call::post(SESSION, "").understood().unwrap().references;
    assert_eq!(bindings.len(), 1);
    assert_eq!(bindings[0].resource, session[0], "what step 2 names is what step 1 made");
    assert_eq!(bindings[0].lifetime, Duration::from_hours(24));

    let mut rewrite = google().rewrite(&intent, &call.inbound(), &answer).unwrap();
    assert!(!rewrite.changes_body());
    rewrite.headers(&mut answer);
    let moved = "https://gateway.example/upload/v1beta/files?upload_id=AHmgxQ";
    assert!(
        answer["x-goog-upload-url"] == moved && answer["x-goog-upload-control-url"] == moved,
        "{answer:?}"
    );
    assert_eq!(answer.len(), 2);

    // The older protocol: its address is in a header that is withheld otherwise.
    let older = headers(&[(
        "location",
        "https://g.example/upload/v1beta/files?uploadType=resumable&upload_id=AHmgxQ",
    )]);
    assert_eq!(google().bindings(&intent, &older)[0].resource, session[0]);
    let mut passing = HeaderMap::new();
    google().rewrite(&intent, &call.inbound(), &older).unwrap().headers(&mut passing);
    assert_eq!(
        passing["location"],
        "https://gateway.example/upload/v1beta/files?uploadType=resumable&upload_id=AHmgxQ"
    );
}

fn made(call: &Call, answer: &str) -> Vec<Binding> {
    let intent = call.understood().unwrap();
    let mut meter = google().meter(&intent, &call.inbound());
    for piece in answer.as_bytes().chunks(7) {
        meter.see(piece);
    }
    meter.finish(Ended::Complete).bindings
}

#[test]
fn a_file_that_was_received_is_remembered_for_as_long_as_it_is_kept() {
    let chunk = Call::post(SESSION, "");
    let file = r#"{"file": {"name": "files/abc", "createTime": "2026-11-20T10:00:00Z", "expirationTime": "2026-11-20T11:30:00.5Z"}}"#;
    let bound = made(&chunk, file);
    assert_eq!((bound[0].resource.kind, &*bound[0].resource.name), ("files", "abc"));
    assert_eq!(bound[0].lifetime, Duration::from_millis(5_400_500));
    let silent = made(&Call::post("/upload/v1/files", ""), r#"{"file": {"name": "files/abc"}}"#);
    assert_eq!(silent[0].lifetime, Duration::from_hours(48));
    for nothing in
        ["", "{}", r#"{"file": {"name": "main.py"}}"#, r#"{"file": {"name": "files/"}}"#, "{\"file\": ["]
    {
        assert_eq!(made(&chunk, nothing), [], "{nothing}");
    }
    let long = format!(r#"{{"file": {{"name": "files/abc", "x": "{}"}}}}"#, "x".repeat(70_000));
    assert_eq!(made(&chunk, &long), [], "what is kept is bounded");
}

fn verdict(call: &Call, status: u16, body: &str) -> Option<(Fault, RetryAdvice, bool)> {
    let intent = call.understood().unwrap();
    let answer = AnswerHead {
        status: StatusCode::from_u16(status).unwrap(),
        headers: &HeaderMap::new(),
        body: body.as_bytes(),
        for_preparation: false,
    };
    match google().verdict(&intent, &answer) {
        Verdict::Failed(failure) => Some((failure.fault, failure.retry, failure.takes_out())),
        Verdict::Served(_) | Verdict::Abandoned | Verdict::Unsent => None,
    }
}

#[test]
fn a_chunk_blames_no_key_and_is_not_sent_again_on_an_answer() {
    let chunk = Call::post(SESSION, "");
    let invalid = r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}"#;
    for (status, body) in
        [(404, "Upload not found."), (400, "Wrong offset."), (400, invalid), (403, ""), (429, "")]
    {
        assert_eq!(
            verdict(&chunk, status, body),
            Some((Fault::Caller, RetryAdvice::Never, false)),
            "{status} {body}"
        );
    }
    let (fault, advice, _) = verdict(&chunk, 503, "").unwrap();
    assert!(fault.is_providers() && advice == RetryAdvice::Never);
    let (fault, _, takes_out) = verdict(&Call::post("/upload/v1/files", ""), 400, invalid).unwrap();
    assert!(fault == Fault::KeyInvalid && takes_out, "a start goes with a key");
}

#[test]
fn more_to_come_is_an_answer_and_so_is_nothing_new() {
    let served = |call: &Call, status| google().is_served(&call.understood().unwrap(), status);
    assert!(served(&Call::post(SESSION, ""), StatusCode::PERMANENT_REDIRECT));
    assert!(served(&Call::get("/v1/files/a:download"), StatusCode::NOT_MODIFIED));
    for call in
        [Call::post("/upload/v1/files", ""), Call::get("/v1/files/a:download"), Call::get("/v1/models")]
    {
        assert!(!served(&call, StatusCode::PERMANENT_REDIRECT));
    }
}

#[test]
fn a_download_is_sent_on_within_the_api_only() {
    let intent = Call::get("/v1beta/files/a:download?alt=media").understood().unwrap();
    let onward =
        google().onward(&intent, "/download/v1beta/files/a:download?alt=media&key=AIzaReal").unwrap();
    assert_eq!(onward.target, "/download/v1beta/files/a:download?alt=media");
    assert_eq!((onward.streaming, onward.replay), (Streaming::File, Replay::Safe));
    assert!(google().onward(&intent, "/v1beta/models").is_none());
    let generate = Call::post("/v1/models/m:generateContent", "{}").understood().unwrap();
    assert!(google().onward(&generate, "/download/v1beta/files/a:download").is_none());
}

#[test]
fn only_what_cannot_be_cured_tells_a_client_to_stop() {
    let status = |path, refusal: Refusal| {
        let answer = google().refusal(path, &refusal, 404);
        answer.headers.iter().any(|header| *header == ("x-goog-upload-status", "final".to_owned()))
    };
    let path = "/upload/v1beta/files";
    assert!(status(path, Refusal::new(ErrorKind::NotFound, "gone")));
    assert!(status(path, Refusal::new(ErrorKind::TooLarge, "much")));
    assert!(!status(path, Refusal::for_a_while(ErrorKind::UserLimited, "soon", Duration::from_secs(9))));
    assert!(!status(path, Refusal::new(ErrorKind::DeadlineExceeded, "late")));
    assert!(!status("/v1/files", Refusal::new(ErrorKind::NotFound, "gone")));
}

#[test]
fn addresses_of_downloads_move_and_nothing_else_is_looked_at() {
    let json = headers(&[("content-type", "application/json; charset=UTF-8")]);
    let call = Call::post(SESSION, "");
    let mut rewrite = google().rewrite(&call.understood().unwrap(), &call.inbound(), &json).unwrap();
    let file = r#"{"uri": "https://g.example/v1beta/files/a", "downloadUri": "https://g.example/v1beta/files/a:download?alt=media"}"#;
    let passed = [rewrite.pass(Bytes::from(file)), rewrite.rest()].concat();
    assert_eq!(
        String::from_utf8(passed).unwrap(),
        file.replace("https://g.example/v1beta/files/a:", "https://gateway.example/v1beta/files/a:")
    );
    let none = |call: &Call, headers: &HeaderMap| {
        google().rewrite(&call.understood().unwrap(), &call.inbound(), headers).is_none()
    };
    assert!(none(&Call::post("/v1/models/m:generateContent", "{}"), &json));
    assert!(none(&Call::post("/v1/models/m:streamGenerateContent?alt=sse", "{}"), &json));
    assert!(none(&Call::get("/v1/files/a:download?alt=media"), &json));
    assert!(none(&call, &headers(&[("content-type", "video/mp4")])));
}

#[rstest]
#[case(&[("x-goog-upload-header-content-length", "7")], "", (Some(7), 0))]
#[case(&[("x-upload-content-length", "8")], "?uploadType=resumable", (Some(8), 0))]
#[case(&[], "?uploadType=media", (None, 0))]
#[case(&[("x-goog-upload-offset", "5"), ("x-goog-upload-header-content-length", "1")], "?upload_id=u", (None, 5))]
#[case(&[("content-range", "bytes 3-4/9")], "?upload_id=u", (Some(9), 3))]
#[case(&[("content-range", "bytes 3-4/*")], "?upload_id=u", (None, 3))]
#[case(&[("content-range", "bytes */9")], "?upload_id=u", (Some(9), 0))]
#[case(&[("x-goog-upload-offset", "many"), ("content-range", "lines 1-2/3")], "?upload_id=u", (None, 0))]
fn the_extent_of_an_upload_is_what_its_requests_say(
    #[case] headers: &[(&'static str, &str)],
    #[case] query: &str,
    #[case] (whole, before): (Option<u64>, u64),
) {
    let call = Call::post(&format!("/upload/v1beta/files{query}"), "");
    let call = headers.iter().fold(call, |call, (name, value)| call.with(name, value));
    assert_eq!(google().extent(&call.inbound()), Extent { whole, before });
}
