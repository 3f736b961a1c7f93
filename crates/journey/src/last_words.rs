//! What callers are told in the end: the provider's last words where an SDK can read them, else the gateway's own.

use std::time::Duration;

use http::StatusCode;
use keygate_domain::{ErrorKind, Fault, Refusal};

use crate::attempt::{Failed, Kept};
use crate::{Answer, AnswerBody, Facts};

/// Whether the provider answered with something that the caller can be given.
pub(crate) fn has_words(failed: &Failed) -> bool {
    failed.kept.as_ref().is_some_and(reads_as_answer)
}

/// Whether an SDK can read this as an error: an HTML page of some proxy on the way cannot, and a
/// redirect would lead it and its token off the gateway. Nobody asked for a coded answer, and
/// secrets cannot be found in one.
pub(crate) fn reads_as_answer(kept: &Kept) -> bool {
    if kept.closing.is_some() {
        return true;
    }
    if kept.status.is_redirection() || !kept.is_whole || kept.headers.contains_key("content-encoding") {
        return false;
    }
    kept.status.is_success()
        || serde_json::from_slice::<serde::de::IgnoredAny>(&kept.body).is_ok()
        || (kept.status.is_client_error() && !kept.body.trim_ascii_start().starts_with(b"<"))
}

pub(crate) fn as_answer(kept: Kept, facts: Facts) -> Answer {
    let body = AnswerBody::Whole(kept.body);
    Answer { status: kept.status, headers: kept.headers, body, facts, session: None }
}

/// An answer that is no answer of the provider's API. What blames the request keeps its meaning, so
/// that nobody sends again what cannot succeed.
pub(crate) fn unreadable(status: StatusCode) -> Refusal {
    let kind = match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => ErrorKind::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => ErrorKind::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => ErrorKind::TooLarge,
        StatusCode::BAD_REQUEST | StatusCode::URI_TOO_LONG => ErrorKind::BadRequest,
        _ => return garbled(),
    };
    Refusal::new(kind, format!("The provider refused this request with status {}.", status.as_u16()))
}

fn garbled() -> Refusal {
    Refusal::for_a_while(
        ErrorKind::UpstreamGarbled,
        "The provider answered with something that is not its API. Please retry shortly.",
        Duration::from_secs(1),
    )
}

pub(crate) fn unprepared() -> Refusal {
    Refusal::for_a_while(
        ErrorKind::UpstreamGarbled,
        "The provider failed a call that has to come before this one. Please retry shortly.",
        Duration::from_secs(1),
    )
}

pub(crate) fn too_late() -> Refusal {
    Refusal::new(ErrorKind::DeadlineExceeded, "Deadline expired before the provider answered.")
}

/// Nobody reads it but logs and traces.
pub(crate) fn nobody_waits() -> Refusal {
    Refusal::new(ErrorKind::DeadlineExceeded, "The caller hung up.")
}

pub(crate) fn unanswered(fault: Fault) -> Refusal {
    if fault == Fault::Timeout {
        return too_late();
    }
    Refusal::for_a_while(
        ErrorKind::UpstreamUnreachable,
        "The provider could not be reached, or closed the connection without an answer.",
        Duration::from_secs(1),
    )
}
