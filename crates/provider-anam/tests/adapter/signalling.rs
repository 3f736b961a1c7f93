//! Signalling: where connections go, who may have one, and what their ends say.

use http::{HeaderMap, StatusCode};
use keygate_domain::{Access, ApiKey, ErrorKind, Fault, Refusal, Verdict};
use keygate_provider::{
    AnswerHead, CallRejected, Closing, Ended, Frame, Grant, Inbound, Parting, Refused, Sockets,
};
use rstest::rstest;
use std::time::Duration;

use crate::asking::{Asked, anam};

const PATH: &str = "/ws/connect-eu.anam.ai/v1/webrtc/engines/pod-1/ws";
const ADDRESS: &str =
    "target_url=wss%3A%2F%2Fconnect-eu.anam.ai%2Fv1%2Fwebrtc%2Fengines%2Fpod-1%2Fws%3Fsession_id%3Ds1";

fn handshake(path: &'static str, query: &'static str) -> Asked {
    Asked::new(http::Method::GET, path)
        .query(query)
        .header("upgrade", "websocket")
        .header("connection", "Upgrade")
        .header("user-agent", "browser")
        .header("origin", "https://page.example")
        .header("cookie", "a=b")
}

fn with_sockets<T>(look: impl FnOnce(&dyn Sockets) -> T) -> T {
    let anam = anam();
    look(anam.sockets().unwrap())
}

fn rejected(asked: &Asked) -> ErrorKind {
    let rejected: CallRejected = asked.understood().unwrap_err();
    rejected.kind
}

#[rstest]
#[case::by_path(handshake(PATH, "session_id=s1"))]
#[case::by_address(handshake("/ws", ADDRESS))]
fn a_connection_goes_to_the_engine_without_any_credential(#[case] asked: Asked) {
    let asked = asked.bearer("kg_client");
    let intent = asked.understood().unwrap();
    assert_eq!((intent.access, intent.user_units, intent.opens_session), (Access::ReferenceAlone, 0, false));
    let [engine] = &intent.references[..] else { panic!("{intent:?}") };
    assert_eq!(engine.to_string(), "engine/s1@connect-eu.anam.ai");
    let key = ApiKey::new("pool-key-1");
    let grant = Grant { key: Some(&key), ..Grant::default() };
    let request = anam().request(&intent, &asked.inbound(), &grant);
    let host = request.host.unwrap();
    assert_eq!((host.scheme(), host.authority.as_str()), ("https", "connect-eu.anam.ai"));
    assert_eq!(request.path_and_query, "/v1/webrtc/engines/pod-1/ws?session_id=s1");
    let names: Vec<_> = request.headers.keys().map(http::HeaderName::as_str).collect();
    assert_eq!(names, ["user-agent"]);
}

#[test]
fn only_who_gives_the_whole_address_reads_codes() {
    let terms = |asked: &Asked| {
        let inbound: Inbound<'_> = asked.inbound();
        with_sockets(|sockets| sockets.terms(&asked.understood().unwrap(), &inbound))
    };
    let (by_path, by_address) = (terms(&handshake(PATH, "session_id=s1")), terms(&handshake("/ws", ADDRESS)));
    assert!(by_address.refuses_by_closing && !by_path.refuses_by_closing);
    for terms in [by_path, by_address] {
        assert!(!terms.opens_with_frame && !terms.is_session);
        let (session, grace) = terms.about.unwrap();
        assert_eq!((session.to_string().as_str(), grace), ("session/s1", Duration::from_secs(30)));
    }
}

/// facts/anam.md A7.7.
#[rstest]
#[case("target_url=wss%3A%2F%2Fevil.example%2Fws%3Fsession_id%3Ds1")]
#[case("target_url=ws%3A%2F%2F169.254.169.254%2Fws%3Fsession_id%3Ds1")]
#[case("target_url=wss%3A%2F%2Fapi.anam.ai.evil.tld%2Fws%3Fsession_id%3Ds1")]
#[case("target_url=wss%3A%2F%2Fapi.anam.ai%40evil.example%2Fws%3Fsession_id%3Ds1")]
#[case("target_url=wss%3A%2F%2Fconnect.anam.ai%3A8443%2Fws%3Fsession_id%3Ds1")]
#[case("target_url=ws%3A%2F%2Fconnect.anam.ai%2Fws%3Fsession_id%3Ds1")]
#[case("target_url=file%3A%2F%2Fconnect.anam.ai%2Fws%3Fsession_id%3Ds1")]
#[case("target_url=ws%3A%2F%2F127.0.0.1%3A22%2Fws%3Fsession_id%3Ds1")]
fn no_other_host_is_connected_to(#[case] query: &'static str) {
    assert_eq!(rejected(&handshake("/ws", query)), ErrorKind::Forbidden, "{query}");
}

#[rstest]
#[case("/ws", "")]
#[case("/ws", "target_url=%FF")]
#[case("/ws", "target_url=wss%3A%2F%2Fconnect.anam.ai%2Fws")]
#[case("/ws", "target_url=wss%3A%2F%2Fconnect.anam.ai%2Fa%2F..%2Fws%3Fsession_id%3Ds1")]
#[case("/ws", "target_url=wss%3A%2F%2Fconnect.anam.ai%2F%252e%252e%2Fws%3Fsession_id%3Ds1")]
#[case("/ws", "target_url=wss%3A%2F%2Fconnect.anam.ai%2Fws%3Fsession_id%3Da%2526b")]
#[case("/ws/connect.anam.ai", "session_id=s1")]
#[case("/ws/connect.anam.ai//ws", "session_id=s1")]
#[case("/ws/connect.anam.ai/../ws", "session_id=s1")]
#[case("/ws/connect.anam.ai/ws", "session_id=..")]
fn what_is_no_address_goes_nowhere(#[case] path: &'static str, #[case] query: &'static str) {
    assert_eq!(rejected(&handshake(path, query)), ErrorKind::BadRequest, "{path} {query}");
}

#[test]
fn what_is_no_handshake_is_told_so() {
    assert_eq!(rejected(&Asked::new(http::Method::GET, PATH).query("session_id=s1")), ErrorKind::BadRequest);
    let post = Asked { method: http::Method::POST, ..handshake(PATH, "session_id=s1") };
    assert_eq!(rejected(&post), ErrorKind::MethodNotAllowed);
}

#[rstest]
#[case(r#"{"actionType":"endsession","sessionId":"s1","payload":"bye"}"#, true)]
#[case(r#"{"actionType":"ENDSESSION"}"#, true)]
#[case(r#"{"actionType":"talkstream","payload":{"content":"endsession"}}"#, false)]
#[case(r#"{"payload":{"actionType":"endsession"}}"#, false)]
#[case(r#"{"actionType":"heartbeat"}"#, false)]
#[case("endsession", false)]
fn the_end_of_a_session_is_heard_from_either_side(#[case] signal: &str, #[case] is_end: bool) {
    let intent = handshake(PATH, "session_id=s1").understood().unwrap();
    for by_caller in [true, false] {
        let mut watcher = with_sockets(|sockets| sockets.watcher(&intent));
        let frame = Frame::Text(signal);
        if by_caller {
            watcher.sent(frame);
        } else {
            watcher.received(frame);
        }
        let ended = watcher.finish(Ended::Complete).ended;
        assert_eq!(ended.map(|session| session.to_string()), is_end.then(|| "session/s1".to_owned()));
    }
}

#[test]
fn refusals_are_told_so_that_nobody_comes_back_in_vain() {
    let closing = |why: &Refused<'_>| with_sockets(|sockets| sockets.closing(why));
    let unknown = Refusal::new(ErrorKind::NotFound, "words");
    let told = closing(&Refused::Here(&unknown, 404));
    assert_eq!((told.code, told.reason.as_str()), (1008, "Backend WebSocket refused with status 404"));
    let busy = Refusal::for_a_while(ErrorKind::Overloaded, "words", Duration::from_secs(1));
    assert_eq!(closing(&Refused::Here(&busy, 503)).code, 1011);
    for (status, code) in [(401, 1008), (403, 1008), (404, 1008), (429, 1011), (500, 1011), (502, 1011)] {
        let told = closing(&Refused::There(StatusCode::from_u16(status).unwrap(), b""));
        assert!(told.code == code && told.reason.starts_with("Backend WebSocket "), "{told:?}");
    }
}

#[test]
fn an_engine_blames_no_key() {
    let intent = handshake(PATH, "session_id=s1").understood().unwrap();
    let watcher = with_sockets(|sockets| sockets.watcher(&intent));
    assert!(watcher.is_taken_in(), "an engine need not say anything first");
    assert_eq!(watcher.failure(Some(&Closing::new(1008, "no"))), None);
    assert_eq!(watcher.failure(None), None);
    let broken = watcher.told(Parting::Broken);
    assert!(broken.code == 1011 && broken.reason.starts_with("Backend WebSocket "), "{broken:?}");
    let headers = HeaderMap::new();
    for status in [401, 402, 403, 429] {
        let status = StatusCode::from_u16(status).unwrap();
        let head = AnswerHead { status, headers: &headers, body: b"{}", for_preparation: false };
        let Verdict::Failed(failure) = anam().verdict(&intent, &head) else {
            panic!("{status} is no success")
        };
        assert_eq!((failure.fault, failure.takes_out()), (Fault::Caller, false), "{status}");
    }
}
