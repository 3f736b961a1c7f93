//! The gateway's own refusals in the shapes that Google's and `OpenAI`'s SDKs turn into exceptions.

use std::time::Duration;

use keygate_domain::{ErrorKind, Refusal};
use keygate_provider::SurfaceAnswer;
use serde_json::{Value, json};

use crate::surface::Surface;

/// The longest wait that an Interactions SDK is told to sit out. They ask five times by themselves and sleep
/// in between as long as `Retry-After` says: Python's sleeps until midnight, inside its caller's call, if it is
/// told to (google-genai 3.4.0, `_gaos/utils/retries.py`).
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// What such an SDK is told instead: its own longest pause (`BackoffStrategy(500, 8000, …)`), so that it gives
/// up in half a minute. The message tells the honest time.
const SDKS_LONGEST_PAUSE_SECONDS: u64 = 8;

/// A refusal as an answer of its own.
pub(crate) fn answer(surface: Surface, refusal: &Refusal, status: u16) -> SurfaceAnswer {
    let mut answer = SurfaceAnswer::json(&body(surface, refusal, status));
    match surface {
        // OpenAI's SDKs retry 429 and 5xx by themselves, which multiplies the load on a pool that
        // has just tried every key; this header stops them.
        Surface::OpenAi if !is_worth_retrying(refusal.kind) => {
            answer.headers.push(("x-should-retry", "false".to_owned()));
        }
        Surface::Interactions if is_too_long_to_sleep(refusal) => {
            answer.headers.push(("retry-after", SDKS_LONGEST_PAUSE_SECONDS.to_string()));
        }
        Surface::Native | Surface::OpenAi | Surface::Interactions => {}
    }
    answer
}

fn is_too_long_to_sleep(refusal: &Refusal) -> bool {
    refusal.retry_after.is_some_and(|wait| wait > LONGEST_SLEEP)
}

/// A refusal as the body of an answer or of an event.
pub(crate) fn body(surface: Surface, refusal: &Refusal, status: u16) -> Value {
    match surface {
        Surface::Native => native(refusal, status),
        Surface::OpenAi => openai(refusal, status),
        Surface::Interactions => interactions(refusal, status),
    }
}

/// A refusal as last words in a stream, each line ended like the stream's own.
pub(crate) fn event(surface: Surface, refusal: &Refusal, status: u16, line_end: &str) -> String {
    let mut body = body(surface, refusal, status);
    if surface == Surface::Interactions {
        body["event_type"] = json!("error");
        return format!("event: error{line_end}data: {body}{line_end}{line_end}");
    }
    format!("data: {body}{line_end}{line_end}")
}

fn is_worth_retrying(kind: ErrorKind) -> bool {
    !matches!(
        kind,
        ErrorKind::PoolExhausted
            | ErrorKind::PoolDisabled
            | ErrorKind::UserLimited
            | ErrorKind::PlanExhausted
    )
}

/// `google.rpc.Status` as JSON, with `RetryInfo` where time can cure it.
fn native(refusal: &Refusal, status: u16) -> Value {
    let mut error = json!({
        "code": status,
        "message": refusal.message,
        "status": rpc_status(refusal.kind, status),
    });
    if let Some(seconds) = refusal.retry_after_seconds() {
        error["details"] = json!([{
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": format!("{seconds}s"),
        }]);
    }
    json!({ "error": error })
}

/// The `google.rpc.Code` that belongs to a status, by the mapping of google/rpc/code.proto.
fn rpc_status(kind: ErrorKind, status: u16) -> &'static str {
    if kind == ErrorKind::AffinityConflict {
        return "FAILED_PRECONDITION";
    }
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        405 | 501 => "UNIMPLEMENTED",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        502 | 503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        400..=498 => "INVALID_ARGUMENT",
        _ => "INTERNAL",
    }
}

fn openai(refusal: &Refusal, status: u16) -> Value {
    json!({ "error": {
        "message": refusal.message,
        "type": openai_type(status),
        "param": null,
        "code": refusal.kind.as_str(),
    }})
}

fn openai_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    }
}

/// An error of Interactions: a code in words, and no details.
fn interactions(refusal: &Refusal, status: u16) -> Value {
    let message = match refusal.retry_after_seconds() {
        Some(seconds) if is_too_long_to_sleep(refusal) => {
            format!("{}. Please retry in {seconds} s.", refusal.message.trim_end_matches('.'))
        }
        _ => refusal.message.clone(),
    };
    json!({ "error": { "code": interactions_code(refusal.kind, status), "message": message } })
}

/// The codes of its documentation; what that does not list is the HTTP status in snake case.
fn interactions_code(kind: ErrorKind, status: u16) -> &'static str {
    if kind == ErrorKind::AffinityConflict {
        return "failed_precondition";
    }
    match status {
        401 => "authentication",
        403 => "permission_denied",
        404 => "not_found",
        405 => "method_not_allowed",
        409 => "aborted",
        413 => "payload_too_large",
        429 => "rate_limit_exceeded",
        502 | 503 => "service_unavailable",
        504 => "deadline_exceeded",
        400..=499 => "invalid_request",
        _ => "internal",
    }
}
