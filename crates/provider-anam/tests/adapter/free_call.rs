//! The free call that finds out whether a disabled key works again: what is asked, and what answers mean.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use keygate_domain::{Access, ApiKey, Fault, Intent, Replay, Verdict};
use keygate_provider::{AnswerHead, Grant};
use keygate_provider_anam::ADAPTER;

use crate::asking::{anam, wire};

fn asked() -> (Intent, String) {
    let (headers, body, key) = (HeaderMap::new(), Bytes::new(), ApiKey::new("pool-key-1"));
    let inbound = ADAPTER.free_call.unwrap().inbound(&headers, &body);
    let intent = anam().understand(&inbound).unwrap();
    let request = anam().request(&intent, &inbound, &Grant { key: Some(&key), ..Grant::default() });
    (intent, wire(&request))
}

fn fault(status: u16, body: &str) -> Option<Fault> {
    let answer = AnswerHead {
        status: StatusCode::from_u16(status).unwrap(),
        headers: &HeaderMap::new(),
        body: body.as_bytes(),
        for_preparation: false,
    };
    match anam().verdict(&asked().0, &answer) {
        Verdict::Failed(failure) => Some(failure.fault),
        Verdict::Served(_) => None,
        other @ (Verdict::Abandoned | Verdict::Unsent) => panic!("no verdict on a key: {other:?}"),
    }
}

#[test]
fn it_asks_how_many_sessions_are_taken_and_takes_none() {
    let (intent, wire) = asked();
    assert_eq!(wire, "GET /v1/sessions/concurrency\nauthorization: Bearer pool-key-1\n\n");
    assert!(!intent.opens_session && intent.references.is_empty() && intent.access == Access::Token);
    assert_eq!(intent.replay, Replay::Safe);
}

#[test]
fn its_answers_are_judged_by_the_usual_table() {
    assert_eq!(fault(200, ""), None);
    assert_eq!(fault(401, r#"{"error":"Invalid API key"}"#), Some(Fault::KeyInvalid));
    assert_eq!(
        fault(403, r#"{"error":"Forbidden","message":"API key lacks the required permission"}"#),
        Some(Fault::KeyForbidden)
    );
    assert_eq!(fault(429, r#"{"error":"Too many requests"}"#), Some(Fault::RateLimited));
    assert_eq!(fault(502, "<html>"), Some(Fault::ServerError));
}
