//! Close codes: what Google's say about the key that met them, and which of them the gateway's own refusals
//! are told with (facts/gemini.md §3.3).
//!
//! | code | what it is |
//! |---|---|
//! | 1007 | the request is wrong, an unsupported place, or a key that is no key |
//! | 1008 | policy: the key, the project, an unknown model or handle |
//! | 1011 | quota if the reason says so; anything inside Google else |

use keygate_domain::{ErrorKind, Failure, Fault, Hint, Metric, Spend};
use keygate_provider::{AnswerHead, Closing, Refused};
use serde_json::{Value, json};

use crate::faults;

/// What a refused handshake says about the key. A 429 that names no quota is about connections: how many
/// of them run at once is Live's own limit, and nothing else of the project rests for it.
pub(crate) fn on_handshake(answer: &AnswerHead<'_>, estimate: Spend) -> Failure {
    let failure = faults::failure_of_answer(answer, estimate);
    if failure.fault != Fault::RateLimited || failure.hint.metric != Metric::Unnamed {
        return failure;
    }
    let hint = Hint {
        metric: Metric::Concurrent,
        may_be_providers: false,
        reason: "the project has as many Live connections as it may",
        ..failure.hint
    };
    Failure::of(Fault::Busy).hinting(hint)
}

/// What a close frame of Google's says about the key; nothing if it is an ordinary end.
pub(super) fn failure(closing: Option<&Closing>, estimate: Spend) -> Option<Failure> {
    let Closing { code, reason } = closing?;
    let said = reason.to_ascii_lowercase();
    let (status, name) = match code {
        1007 if said.starts_with("user location") || said.starts_with("gemini api free tier") => {
            (400, "FAILED_PRECONDITION")
        }
        1007 => (400, "INVALID_ARGUMENT"),
        // It begins with the caller's own word for the model.
        1008 if said.starts_with("models/") => (404, "NOT_FOUND"),
        1008 if said.starts_with("api keys are not supported") || said.contains("oauth 2 access token") => {
            (401, "UNAUTHENTICATED")
        }
        1008 => (403, "PERMISSION_DENIED"),
        1011 if is_quota(&said) => (429, "RESOURCE_EXHAUSTED"),
        1012..=1014 => (503, "UNAVAILABLE"),
        1011 => (500, "INTERNAL"),
        1002 | 1003 | 1009 | 1010 => return Some(Failure::of(Fault::Caller)),
        _ => return None,
    };
    let error = json!({ "code": status, "status": name, "message": reason });
    Some(faults::failure_in_stream(error.to_string().as_bytes(), estimate))
}

/// The reason of a quota: a close frame holds 123 bytes of it, and not always the same ones.
fn is_quota(said: &str) -> bool {
    [
        "quota",
        "resource_exhausted",
        "resource has been exhausted",
        "spending cap",
        "prepayment credits",
        "rate limit",
    ]
    .iter()
    .any(|word| said.contains(word))
}

/// The close frame for what comes to nothing.
pub(super) fn of_refusal(why: &Refused<'_>) -> Closing {
    match why {
        Refused::Here(refusal, _status) => {
            let (code, name) = match refusal.kind {
                ErrorKind::UserLimited | ErrorKind::PlanExhausted | ErrorKind::PoolExhausted => {
                    (Closing::INTERNAL, "RESOURCE_EXHAUSTED")
                }
                ErrorKind::Unauthenticated => (Closing::POLICY, "UNAUTHENTICATED"),
                ErrorKind::Forbidden => (Closing::POLICY, "PERMISSION_DENIED"),
                ErrorKind::NotFound => (Closing::POLICY, "NOT_FOUND"),
                ErrorKind::AffinityConflict => (Closing::INVALID, "FAILED_PRECONDITION"),
                ErrorKind::AmbiguousCredentials
                | ErrorKind::BadRequest
                | ErrorKind::MethodNotAllowed
                | ErrorKind::TooLarge
                | ErrorKind::ConfigurationRefused => (Closing::INVALID, "INVALID_ARGUMENT"),
                ErrorKind::DeadlineExceeded => (Closing::INTERNAL, "DEADLINE_EXCEEDED"),
                ErrorKind::PoolDisabled
                | ErrorKind::Overloaded
                | ErrorKind::UpstreamUnreachable
                | ErrorKind::UpstreamGarbled
                | ErrorKind::UpstreamOverloaded => (Closing::INTERNAL, "UNAVAILABLE"),
                ErrorKind::Internal => (Closing::INTERNAL, "INTERNAL"),
            };
            Closing::new(code, format!("{name}: {}", refusal.message))
        }
        Refused::There(status, body) => {
            let code = match status.as_u16() {
                401 | 403 | 404 => Closing::POLICY,
                400..=499 if status.as_u16() != 429 => Closing::INVALID,
                _ => Closing::INTERNAL,
            };
            let told: Value = serde_json::from_slice(body).unwrap_or_default();
            let message = told["error"]["message"].as_str().unwrap_or("The provider refused the connection.");
            Closing::new(code, message)
        }
    }
}
