//! The free call that finds out whether a disabled key works again: what is asked, and what answers mean.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use keygate_domain::{ApiKey, Fault, Intent, Replay, Spend, Verdict};
use keygate_provider::{AnswerHead, Grant};
use keygate_provider_google::ADAPTER;

use super::google;

fn asked(key: &str) -> (Intent, keygate_provider::UpstreamRequest) {
    let (headers, body, key) = (HeaderMap::new(), Bytes::new(), ApiKey::new(key));
    let inbound = ADAPTER.free_call.unwrap().inbound(&headers, &body);
    let intent = google().understand(&inbound).unwrap();
    let request = google().request(&intent, &inbound, &Grant { key: Some(&key), ..Grant::default() });
    (intent, request)
}

fn verdict(status: u16, body: &str) -> Verdict {
    let answer = AnswerHead {
        status: StatusCode::from_u16(status).unwrap(),
        headers: &HeaderMap::new(),
        body: body.as_bytes(),
        for_preparation: false,
    };
    google().verdict(&asked("k").0, &answer)
}

fn fault(status: u16, body: &str) -> Option<Fault> {
    match verdict(status, body) {
        Verdict::Failed(failure) => Some(failure.fault),
        Verdict::Served(_) | Verdict::Abandoned | Verdict::Unsent => None,
    }
}

#[test]
fn it_reads_one_line_of_the_list_of_models_under_the_key() {
    for key in ["AIzaSyStandardKey", "AQ.AuthKey"] {
        let (intent, request) = asked(key);
        assert_eq!((&request.method, &*request.path_and_query), (&Method::GET, "/v1beta/models?pageSize=1"));
        let headers: Vec<_> = request.headers.iter().map(|(name, value)| (name.as_str(), value)).collect();
        assert_eq!(headers.len(), 1, "the key and nothing else: {headers:?}");
        assert_eq!(request.headers["x-goog-api-key"], key);
        assert!(request.headers["x-goog-api-key"].is_sensitive() && request.body.is_empty());
        assert_eq!((intent.estimate, intent.replay), (Spend::default(), Replay::Safe), "it costs nothing");
        assert!(intent.model.is_none() && !intent.opens_session);
    }
}

#[test]
fn its_answers_are_judged_by_the_usual_table() {
    assert_eq!(verdict(200, ""), Verdict::Served(Spend::default()));
    let of_reason = |reason: &str| {
        format!(
            r#"{{"error":{{"status":"X","message":"","details":[{{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"{reason}"}}]}}}}"#
        )
    };
    assert_eq!(fault(400, &of_reason("API_KEY_INVALID")), Some(Fault::KeyInvalid));
    assert_eq!(fault(403, &of_reason("API_KEY_IP_ADDRESS_BLOCKED")), Some(Fault::KeyForbidden));
    assert_eq!(fault(403, &of_reason("CONSUMER_SUSPENDED")), Some(Fault::GroupBlocked));
    let leaked = r#"{"error":{"code":403,"message":"Your API key was reported as leaked. Please use another API key.","status":"PERMISSION_DENIED"}}"#;
    assert_eq!(fault(403, leaked), Some(Fault::KeyInvalid));
    // An exhausted project may answer the list, too, with 429: that says nothing of the key.
    let exhausted =
        r#"{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED"}}"#;
    assert_eq!(fault(429, exhausted), Some(Fault::RateLimited));
    assert_eq!(fault(503, "<html>"), Some(Fault::ServerError));
}
