//! The gateway's own refusals, as the SDKs get them.

use std::time::Duration;

use keygate_domain::{ErrorKind, Refusal};
use rstest::rstest;
use serde_json::{Value, json};

use super::google;

const NATIVE: &str = "/v1beta/models/x:generateContent";
const OPENAI: &str = "/openai/v1/chat/completions";

fn body(path: &str, refusal: &Refusal, status: u16) -> Value {
    let answer = google().refusal(path, refusal, status);
    assert_eq!(answer.content_type, "application/json; charset=utf-8");
    serde_json::from_slice(&answer.body).unwrap()
}

#[test]
fn an_exhausted_pool_is_a_google_status_with_retry_info() {
    let refusal = Refusal::for_a_while(
        ErrorKind::PoolExhausted,
        "All Gemini API keys failed. Last error: Rate limit exceeded",
        Duration::from_millis(12_300),
    );
    let expected = json!({"error": {
        "code": 429,
        "message": "All Gemini API keys failed. Last error: Rate limit exceeded",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "13s"}],
    }});
    assert_eq!(body(NATIVE, &refusal, 429), expected);
    assert!(google().refusal(NATIVE, &refusal, 429).headers.is_empty());
}

#[rstest]
#[case(ErrorKind::BadRequest, 400, "INVALID_ARGUMENT")]
#[case(ErrorKind::Unauthenticated, 401, "UNAUTHENTICATED")]
#[case(ErrorKind::Forbidden, 403, "PERMISSION_DENIED")]
#[case(ErrorKind::NotFound, 404, "NOT_FOUND")]
#[case(ErrorKind::MethodNotAllowed, 405, "UNIMPLEMENTED")]
#[case(ErrorKind::AffinityConflict, 409, "FAILED_PRECONDITION")]
#[case(ErrorKind::TooLarge, 413, "INVALID_ARGUMENT")]
#[case(ErrorKind::UserLimited, 429, "RESOURCE_EXHAUSTED")]
#[case(ErrorKind::Internal, 500, "INTERNAL")]
#[case(ErrorKind::UpstreamGarbled, 502, "UNAVAILABLE")]
#[case(ErrorKind::PoolDisabled, 503, "UNAVAILABLE")]
#[case(ErrorKind::UpstreamOverloaded, 503, "UNAVAILABLE")]
#[case(ErrorKind::DeadlineExceeded, 504, "DEADLINE_EXCEEDED")]
fn native_refusals_are_named_like_google_s(#[case] kind: ErrorKind, #[case] status: u16, #[case] name: &str) {
    let refused = body(NATIVE, &Refusal::new(kind, "why"), status);
    assert_eq!(refused, json!({"error": {"code": status, "message": "why", "status": name}}));
}

#[rstest]
#[case(ErrorKind::Unauthenticated, 401, "authentication_error", false)]
#[case(ErrorKind::BadRequest, 400, "invalid_request_error", false)]
#[case(ErrorKind::UserLimited, 429, "rate_limit_error", true)]
#[case(ErrorKind::PoolExhausted, 429, "rate_limit_error", true)]
#[case(ErrorKind::PoolDisabled, 503, "server_error", true)]
#[case(ErrorKind::Overloaded, 503, "server_error", false)]
#[case(ErrorKind::UpstreamOverloaded, 503, "server_error", false)]
fn openai_refusals_stop_the_sdk_where_retrying_is_in_vain(
    #[case] kind: ErrorKind,
    #[case] status: u16,
    #[case] name: &str,
    #[case] stops: bool,
) {
    let refusal = Refusal::for_a_while(kind, "why", Duration::from_secs(3));
    for path in [OPENAI, "/v1beta/openai/chat/completions", "/v1beta/openai/nothing"] {
        let error = json!({"message": "why", "type": name, "param": null, "code": kind.as_str()});
        assert_eq!(body(path, &refusal, status), json!({ "error": error }));
        let headers = google().refusal(path, &refusal, status).headers;
        assert_eq!(headers.contains(&("x-should-retry", "false".to_owned())), stops);
    }
}

#[rstest]
#[case(ErrorKind::BadRequest, 400, "invalid_request")]
#[case(ErrorKind::Unauthenticated, 401, "authentication")]
#[case(ErrorKind::Forbidden, 403, "permission_denied")]
#[case(ErrorKind::NotFound, 404, "not_found")]
#[case(ErrorKind::MethodNotAllowed, 405, "method_not_allowed")]
#[case(ErrorKind::AffinityConflict, 409, "failed_precondition")]
#[case(ErrorKind::TooLarge, 413, "payload_too_large")]
#[case(ErrorKind::PoolExhausted, 429, "rate_limit_exceeded")]
#[case(ErrorKind::Internal, 500, "internal")]
#[case(ErrorKind::UpstreamGarbled, 502, "service_unavailable")]
#[case(ErrorKind::PoolDisabled, 503, "service_unavailable")]
#[case(ErrorKind::DeadlineExceeded, 504, "deadline_exceeded")]
fn interactions_are_refused_with_a_code_in_words(
    #[case] kind: ErrorKind,
    #[case] status: u16,
    #[case] code: &str,
) {
    let refusal = Refusal::for_a_while(kind, "why", Duration::from_mins(1));
    for path in ["/v1/interactions", "/v1beta/interactions/v1_a/cancel"] {
        assert_eq!(body(path, &refusal, status), json!({"error": {"code": code, "message": "why"}}));
        assert!(google().refusal(path, &refusal, status).headers.is_empty(), "the honest time is told");
    }
}

/// The Python SDK sleeps as long as `Retry-After` says, four times, inside its caller's call.
#[test]
fn no_interactions_sdk_is_told_to_sleep_until_midnight() {
    let refusal = Refusal::for_a_while(ErrorKind::PoolExhausted, "why", Duration::from_hours(3));
    let answer = google().refusal("/v1/interactions", &refusal, 429);
    assert_eq!(answer.headers, [("retry-after", "8".to_owned())]);
    let told = body("/v1/interactions", &refusal, 429);
    assert_eq!(told["error"]["message"], "why. Please retry in 10800 s.");
}

#[test]
fn every_kind_has_a_shape_on_every_path() {
    for kind in ErrorKind::ALL {
        for path in [NATIVE, OPENAI, "/upload/v1beta/files", "/", ""] {
            let refused = body(path, &Refusal::new(kind, "why"), 500);
            assert_eq!(refused["error"]["message"], "why", "{path}");
        }
    }
}
