//! Where a caller has a say in where a request goes: engines, and the `apiGateway` option of the SDK.

use bytes::Bytes;
use http::{HeaderMap, Method};
use keygate_domain::{Access, ApiKey, ErrorKind, Intent};
use keygate_provider::{CallRejected, Ended, Grant, Origin};
use rstest::rstest;
use serde_json::{Value, json};

use crate::asking::{Asked, anam, session_token, wire};

const TALK: &str = "/engine/connect-eu.anam.ai/v1/webrtc/engines/pod-1/talk";
const TARGET: &str = "https://connect-eu.anam.ai/v1/webrtc/engines/pod-1/talk?session_id=s1";
const SAID: &str = r#"{"content":"Hello"}"#;

fn talk(path: &'static str) -> Asked {
    Asked::post(path, SAID).query("session_id=s1").header("content-type", "application/json")
}

fn by_header(target: &str) -> Asked {
    talk("/talk").header("x-anam-target-url", target)
}

fn understood(asked: &Asked) -> Result<Intent, CallRejected> {
    asked.understood()
}

fn sent(asked: &Asked) -> String {
    let key = ApiKey::new("pool-key-1");
    let grant = Grant { key: Some(&key), ..Grant::default() };
    wire(&anam().request(&understood(asked).unwrap(), &asked.inbound(), &grant))
}

#[rstest]
#[case::by_path(talk(TALK))]
#[case::by_header(by_header(TARGET))]
#[case::usual_port(talk("/engine/connect-eu.anam.ai:443/v1/webrtc/engines/pod-1/talk"))]
fn speech_goes_to_the_engine_without_any_credential(#[case] asked: Asked) {
    let asked = asked.bearer("kg_client").header("cookie", "a=b");
    assert_eq!(sent(&asked), format!("POST {TARGET}\ncontent-type: application/json\n\n{SAID}"));
}

#[rstest]
#[case(talk("/engine/127.0.0.1:8091/v1/webrtc/engines/pod-1/talk"))]
#[case(talk("/engine/127.0.0.1%3A8091/v1/webrtc/engines/pod-1/talk"))]
#[case(by_header("http://127.0.0.1:8091/v1/webrtc/engines/pod-1/talk?session_id=s1"))]
fn an_engine_on_this_machine_is_spoken_with_in_clear_text(#[case] asked: Asked) {
    let sent = sent(&asked);
    assert!(
        sent.starts_with("POST http://127.0.0.1:8091/v1/webrtc/engines/pod-1/talk?session_id=s1\n"),
        "{sent}"
    );
}

#[test]
fn who_knows_a_session_and_its_engine_may_speak_there() {
    let intent = understood(&talk(TALK)).unwrap();
    let references: Vec<String> = intent.references.iter().map(ToString::to_string).collect();
    assert_eq!(
        (intent.access, references),
        (Access::ReferenceAlone, vec!["engine/s1@connect-eu.anam.ai".to_owned()])
    );
    assert_eq!(intent.user_units, 0);
}

/// facts/anam.md A7.7, and what else is tried.
#[rstest]
#[case::stranger("https://evil.example/v1/webrtc/engines/p/talk?session_id=s1")]
#[case::metadata("http://169.254.169.254/talk?session_id=s1")]
#[case::metadata_tls("https://169.254.169.254/talk?session_id=s1")]
#[case::look_alike("https://api.anam.ai.evil.tld/talk?session_id=s1")]
#[case::userinfo("https://api.anam.ai@evil.example/talk?session_id=s1")]
#[case::userinfo_on_ours("https://user@connect.anam.ai/talk?session_id=s1")]
#[case::other_port("https://connect.anam.ai:8443/talk?session_id=s1")]
#[case::clear_text("http://connect.anam.ai/talk?session_id=s1")]
#[case::other_loopback_port("http://127.0.0.1:22/talk?session_id=s1")]
#[case::localhost("http://localhost:8091/talk?session_id=s1")]
#[case::other_scheme("file://connect.anam.ai/talk?session_id=s1")]
#[case::no_scheme("//connect.anam.ai/talk?session_id=s1")]
#[case::fragment("https://evil.example#.anam.ai/talk?session_id=s1")]
#[case::backslash("https://evil.example\\.anam.ai/talk?session_id=s1")]
fn no_other_host_is_spoken_with(#[case] target: &str) {
    assert_eq!(understood(&by_header(target)).unwrap_err().kind, ErrorKind::Forbidden, "{target}");
}

#[rstest]
#[case("/engine/evil.example/v1/x/talk")]
#[case("/engine/169.254.169.254/talk")]
#[case("/engine/api.anam.ai.evil.tld/talk")]
#[case("/engine/api.anam.ai@evil.example/talk")]
#[case("/engine/connect.anam.ai:8443/talk")]
#[case("/engine/connect.anam.ai%2f@evil.example/talk")]
#[case("/engine//talk")]
fn no_other_host_is_spoken_with_by_path(#[case] path: &'static str) {
    assert_eq!(understood(&talk(path)).unwrap_err().kind, ErrorKind::Forbidden, "{path}");
}

#[rstest]
#[case("/engine/connect.anam.ai/v1/auth/session-token")]
#[case("/engine/connect.anam.ai/talk/..")]
#[case("/engine/connect.anam.ai/../talk")]
#[case("/engine/connect.anam.ai/%2e%2e/talk")]
#[case("/engine/connect.anam.ai/a;b/talk")]
#[case("/engine/connect.anam.ai//talk")]
#[case("/engine/connect.anam.ai")]
#[case::api_without_version("/engine/session")]
fn an_engine_is_only_talked_to(#[case] path: &'static str) {
    assert_eq!(understood(&talk(path)).unwrap_err().kind, ErrorKind::NotFound, "{path}");
}

#[test]
fn a_session_must_be_named_and_only_one() {
    let nameless = Asked::post(TALK, SAID);
    assert_eq!(understood(&nameless).unwrap_err().kind, ErrorKind::BadRequest);
    let two = by_header("https://connect-eu.anam.ai/v1/webrtc/engines/pod-1/talk?session_id=s2");
    assert_eq!(understood(&two).unwrap_err().kind, ErrorKind::BadRequest);
    let hostile = Asked::post(TALK, SAID).query("session_id=s1%26x=1");
    assert_eq!(understood(&hostile).unwrap_err().kind, ErrorKind::BadRequest);
    let headless = talk("/talk");
    let told = understood(&headless).unwrap_err();
    assert!(told.kind == ErrorKind::BadRequest && told.message.contains("apiGateway"), "{told}");
    let read = Asked { method: Method::GET, ..talk(TALK) };
    assert_eq!(understood(&read).unwrap_err().kind, ErrorKind::MethodNotAllowed);
}

/// The same list for requests to the API: what they name must be the API.
#[rstest]
#[case("https://api.anam.ai/v1/engine/session", None)]
#[case("https://api.anam.ai//v1/engine/session", None)]
#[case("https://API.anam.ai:443/v1/engine/session?x=1", None)]
#[case("http://gateway.example/anam/v1/engine/session", None)]
#[case("https://api.anam.ai/v1/auth/session-token", Some(ErrorKind::BadRequest))]
#[case("https://connect.anam.ai/v1/engine/session", Some(ErrorKind::Forbidden))]
#[case("https://evil.example/v1/engine/session", Some(ErrorKind::Forbidden))]
#[case("http://169.254.169.254/v1/engine/session", Some(ErrorKind::Forbidden))]
#[case("https://api.anam.ai.evil.tld/v1/engine/session", Some(ErrorKind::Forbidden))]
#[case("https://api.anam.ai@evil/v1/engine/session", Some(ErrorKind::Forbidden))]
#[case("https://api.anam.ai:8443/v1/engine/session", Some(ErrorKind::Forbidden))]
#[case("http://api.anam.ai/v1/engine/session", Some(ErrorKind::Forbidden))]
#[case("http://gateway.example.evil/v1/engine/session", Some(ErrorKind::Forbidden))]
#[case("", Some(ErrorKind::Forbidden))]
fn the_target_of_an_api_call_is_the_api(#[case] target: &str, #[case] refused: Option<ErrorKind>) {
    let asked = Asked::start_by(&session_token("org-1")).header("x-anam-target-url", target);
    let mut inbound = asked.inbound();
    inbound.origin = Origin { scheme: "http", authority: "gateway.example" };
    let understood = anam().understand(&inbound);
    assert_eq!(understood.as_ref().err().map(|rejected| rejected.kind), refused, "{target}");
    if let Ok(intent) = understood {
        let sent = wire(&anam().request(&intent, &inbound, &Grant::default()));
        assert!(
            sent.starts_with("POST /v1/engine/session\n") && !sent.contains("x-anam-target-url"),
            "{sent}"
        );
    }
}

/// The answer to a start as this caller gets it, in two pieces.
fn answered(asked: &Asked, answer: &Value) -> (Value, Vec<String>) {
    let origin = Origin { scheme: "https", authority: "gateway.example:8443" };
    let mut inbound = asked.inbound();
    inbound.origin = origin;
    let intent = anam().understand(&inbound).unwrap();
    let bytes = answer.to_string();
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let mut meter = anam().meter(&intent, &inbound);
    meter.see(first.as_bytes());
    meter.see(second.as_bytes());
    let metered = meter.finish(Ended::Complete);
    let named = metered.bindings.iter().map(|binding| binding.resource.to_string()).collect();
    let passed = match anam().rewrite(&intent, &inbound, &HeaderMap::new()) {
        Some(mut rewrite) => {
            let pieces = [first, second].map(|piece| rewrite.pass(Bytes::from(piece.to_owned())));
            [&pieces[0][..], &pieces[1], &rewrite.rest()].concat()
        }
        None => bytes.clone().into_bytes(),
    };
    (serde_json::from_slice(&passed).unwrap(), named)
}

fn started() -> Value {
    json!({
        "sessionId": "s1",
        "engineHost": "connect-eu.anam.ai/v1/webrtc/engines/pod-1",
        "engineProtocol": "https",
        "signallingEndpoint": "/v1/webrtc/engines/pod-1/ws",
        "clientConfig": {"iceServers": [{"urls": ["stun:x"]}]},
    })
}

#[test]
fn a_client_that_would_go_there_directly_is_led_through_the_gateway() {
    let asked = Asked::start_by(&session_token("org-1"));
    let (answer, named) = answered(&asked, &started());
    assert_eq!(named, ["session/s1", "engine/s1@connect-eu.anam.ai"]);
    let mut expected = started();
    expected["engineHost"] =
        json!("gateway.example:8443/anam/engine/connect-eu.anam.ai/v1/webrtc/engines/pod-1");
    expected["signallingEndpoint"] = json!("/anam/ws/connect-eu.anam.ai/v1/webrtc/engines/pod-1/ws");
    assert_eq!(answer, expected);
    // What the SDKs make of it for speech is a route of ours.
    let path = answer["engineHost"].as_str().unwrap().strip_prefix("gateway.example:8443/anam").unwrap();
    let path: &'static str = Box::leak(format!("{path}/talk").into_boxed_str());
    assert_eq!(understood(&talk(path)).unwrap().target, "/v1/webrtc/engines/pod-1/talk?session_id=s1");
}

#[test]
fn a_client_that_uses_the_gateway_option_gets_the_answer_as_it_is() {
    let asked = Asked::start_by(&session_token("org-1"))
        .header("x-anam-target-url", "https://api.anam.ai/v1/engine/session");
    let (answer, named) = answered(&asked, &started());
    assert_eq!(answer, started());
    assert_eq!(named, ["session/s1", "engine/s1@connect-eu.anam.ai"]);
}

#[test]
fn where_there_is_no_engine_or_one_that_is_not_ours_nothing_is_changed() {
    let asked = Asked::post("/v1/engine/session", "{}");
    let livekit = json!({"sessionId": "s1", "region": "eu"});
    assert_eq!(answered(&asked, &livekit), (livekit.clone(), vec!["session/s1".to_owned()]));
    let mut elsewhere = started();
    elsewhere["engineHost"] = json!("10.0.0.7/v1/webrtc/engines/pod-1");
    assert_eq!(answered(&asked, &elsewhere), (elsewhere.clone(), vec!["session/s1".to_owned()]));
}

#[test]
fn an_endless_or_garbled_answer_passes_as_it_came() {
    let asked = Asked::post("/v1/engine/session", "{}");
    let intent = asked.understood().unwrap();
    let mut rewrite = anam().rewrite(&intent, &asked.inbound(), &HeaderMap::new()).unwrap();
    let piece = Bytes::from(vec![b'x'; 40 * 1024]);
    let passed: usize = (0..3).map(|_| rewrite.pass(piece.clone()).len()).sum();
    assert_eq!(passed + rewrite.rest().len(), 3 * 40 * 1024);
    let mut rewrite = anam().rewrite(&intent, &asked.inbound(), &HeaderMap::new()).unwrap();
    assert!(rewrite.pass(Bytes::from_static(b"<html>")).is_empty());
    assert_eq!(&rewrite.rest()[..], b"<html>");
    let zipped = HeaderMap::from_iter([(http::header::CONTENT_ENCODING, "gzip".parse().unwrap())]);
    assert!(anam().rewrite(&intent, &asked.inbound(), &zipped).is_none());
}

#[test]
fn a_session_takes_its_place_for_as_long_as_its_start_says() {
    let opened = |asked: &Asked| {
        let mut meter = anam().meter(&asked.understood().unwrap(), &asked.inbound());
        meter.see(br#"{"sessionId":"s1"}"#);
        let opened = meter.finish(Ended::Complete).opened.unwrap();
        (opened.session.to_string(), opened.longest.map(|longest| longest.as_secs()))
    };
    let body = r#"{"personaConfig":{"maxSessionLengthSeconds":120}}"#;
    assert_eq!(opened(&Asked::post("/v1/engine/session", body)), ("session/s1".to_owned(), Some(150)));
    assert_eq!(opened(&Asked::post("/v1/engine/session", "{}")), ("session/s1".to_owned(), None));
    let by_token = Asked::post("/v1/engine/session", body).bearer(&session_token("org-1"));
    assert_eq!(opened(&by_token), ("session/s1".to_owned(), None));
}

#[rstest]
#[case::stop(Asked::post("/v1/sessions/s1/stop", ""), "{}", Some("session/s1"))]
#[case::kill(Asked::post("/v1/engine/session/s1/kill", ""), "{}", Some("session/s1"))]
#[case::over(
    Asked::new(Method::GET, "/v1/sessions/s1"),
    r#"{"endTime":"2026-11-20T00:00:00Z"}"#,
    Some("session/s1")
)]
#[case::running(Asked::new(Method::GET, "/v1/sessions/s1"), r#"{"endTime":null}"#, None)]
#[case::transcript(Asked::new(Method::GET, "/v1/sessions/s1/transcript"), r#"{"endTime":1}"#, None)]
fn an_end_that_is_told_frees_the_place(
    #[case] asked: Asked,
    #[case] answer: &str,
    #[case] ended: Option<&str>,
) {
    let mut meter = anam().meter(&asked.understood().unwrap(), &asked.inbound());
    meter.see(answer.as_bytes());
    let told = meter.finish(Ended::Complete).ended.map(|session| session.to_string());
    assert_eq!(told.as_deref(), ended);
}
