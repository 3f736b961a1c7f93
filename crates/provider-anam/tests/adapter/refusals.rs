//! The gateway's own errors as Anam's SDKs read them.

use std::collections::BTreeMap;
use std::time::Duration;

use keygate_domain::{ErrorKind, Refusal};
use serde_json::Value;

use crate::asking::anam;

fn body(refusal: &Refusal) -> Value {
    let answer = anam().refusal("/v1/engine/session", refusal, 429);
    assert!(answer.content_type.starts_with("application/json"), "{}", answer.content_type);
    serde_json::from_slice(&answer.body).unwrap()
}

fn exhausted_for(seconds: u64) -> Value {
    let wait = Duration::from_secs(seconds);
    body(&Refusal::for_a_while(ErrorKind::PoolExhausted, "All Anam API keys failed", wait))
}

#[test]
fn a_pool_that_is_only_busy_says_what_sdks_take_for_busy() {
    for seconds in [1, 10, 120] {
        assert_eq!(
            exhausted_for(seconds),
            serde_json::json!({
                "error": "Concurrent session limit reached",
                "message": "All Anam API keys failed",
            })
        );
    }
}

#[test]
fn a_pool_that_is_used_up_says_what_sdks_take_for_used_up() {
    assert_eq!(exhausted_for(121)["error"], "Usage limit reached");
    assert_eq!(body(&Refusal::new(ErrorKind::PoolExhausted, "m"))["error"], "Usage limit reached");
}

#[test]
fn every_refusal_is_in_anams_envelope() {
    let errors: BTreeMap<&str, String> = ErrorKind::ALL
        .into_iter()
        .map(|kind| {
            let told = body(&Refusal::new(kind, "what the caller is told, with \"quotes\""));
            assert_eq!(told["message"], "what the caller is told, with \"quotes\"");
            (kind.as_str(), told["error"].as_str().unwrap_or_default().to_owned())
        })
        .collect();
    insta::assert_json_snapshot!(errors, @r#"
    {
      "affinity_conflict": "Conflict",
      "ambiguous_credentials": "Ambiguous credentials",
      "bad_request": "Bad request",
      "configuration_refused": "Unprocessable configuration",
      "deadline_exceeded": "Gateway timeout",
      "forbidden": "Forbidden",
      "internal": "Internal server error",
      "method_not_allowed": "Method not allowed",
      "not_found": "Not found",
      "overloaded": "Service busy",
      "plan_exhausted": "Usage limit reached",
      "pool_disabled": "Service unavailable",
      "pool_exhausted": "Usage limit reached",
      "too_large": "Request body too large",
      "unauthenticated": "Missing or invalid API key",
      "upstream_garbled": "Bad gateway",
      "upstream_overloaded": "Service busy",
      "upstream_unreachable": "Bad gateway",
      "user_limited": "Rate limit exceeded"
    }
    "#);
}
