//! The gateway's own refusals in the shapes that Google's and `OpenAI`'s SDKs turn into exceptions.

use keygate_domain::{ErrorKind, Refusal};
use keygate_provider::SurfaceAnswer;
use serde_json::{Value, json};

use crate::surface::Surface;

/// A refusal as an answer of its own.
pub(crate) fn answer(surface: Surface, refusal: &Refusal, status: u16) -> SurfaceAnswer {
    let mut answer = SurfaceAnswer::json(&body(surface, refusal, status));
    if surface == Surface::OpenAi && !is_worth_retrying(refusal.kind) {
        // OpenAI's SDKs retry 429 and 5xx by themselves, which multiplies the load on a pool that
        // has just tried every key; this header stops them.
        answer.headers.push(("x-should-retry", "false".to_owned()));
    }
    answer
}

/// A refusal as the body of an answer or of an event.
pub(crate) fn body(surface: Surface, refusal: &Refusal, status: u16) -> Value {
    match surface {
        Surface::Native => native(refusal, status),
        Surface::OpenAi => openai(refusal, status),
    }
}

fn is_worth_retrying(kind: ErrorKind) -> bool {
    !matches!(kind, ErrorKind::PoolExhausted | ErrorKind::PoolDisabled | ErrorKind::UserLimited)
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
