//! What an answer says about the key that was used: the one table of Anam's errors.
//!
//! Anam's envelope is `{"error": <cause>, "message": <text>}`, and `error` is compared to the
//! letter, as its SDKs do. Bodies that are no JSON are judged by their status.

use std::time::Duration;

use http::HeaderMap;
use keygate_domain::{
    Access, Failure, Fault, Hint, Intent, Metric, Operation, Replay, RetryAdvice, Scope, Verdict,
};
use keygate_provider::AnswerHead;
use serde_json::Value;

use crate::routes::{self, MINT_SESSION_TOKEN, START_SESSION, TALK};
use crate::signalling::SIGNALLING;
use crate::{references, waits};

/// `error` of an organisation whose sessions are all taken.
pub(crate) const CONCURRENT_LIMIT: &str = "Concurrent session limit reached";
/// `error` of an organisation that spent its money.
const SPEND_CAP: &str = "Spend cap reached";

/// A plan is bought by a human; nobody expects it within minutes.
const NO_PLAN_REST: Duration = Duration::from_hours(6);
/// Permissions and plans do change; a key is asked again after this.
const FORBIDDEN_REST: Duration = Duration::from_mins(10);
/// What a used-up allowance is asked again after, doubling while it stays used up.
const ALLOWANCE_REST: Duration = Duration::from_hours(1);
const ALLOWANCE_REST_AT_MOST: Duration = Duration::from_hours(24);

/// Judges an answer.
pub(crate) fn verdict(intent: &Intent, answer: &AnswerHead<'_>) -> Verdict {
    if answer.status.is_success() {
        return Verdict::Served(intent.estimate);
    }
    Verdict::Failed(failure(answer.status.as_u16(), &Refused::new(intent, answer)))
}

fn failure(status: u16, refused: &Refused<'_>) -> Failure {
    match status {
        // An engine knows no key.
        400..=499 if refused.operation == TALK || refused.operation == SIGNALLING => callers(""),
        401 => unauthorised(refused),
        402 => blocked(),
        403 => forbidden(refused),
        429 => limited(refused),
        400..=499 => rejected(refused),
        503 if refused.operation == START_SESSION => no_capacity(refused),
        _ => broken(status, refused),
    }
}

/// An error answer with what of the request matters for judging it.
struct Refused<'a> {
    /// What was asked of Anam: for a preparation the mint, whatever it prepares.
    operation: Operation,
    /// Whether the caller's own session token was used, and no key of the pool.
    by_own_token: bool,
    is_preparation: bool,
    names_owned: bool,
    replay: Replay,
    headers: &'a HeaderMap,
    body: Option<Value>,
}

impl<'a> Refused<'a> {
    fn new(intent: &Intent, answer: &AnswerHead<'a>) -> Self {
        let is_preparation = answer.for_preparation;
        Self {
            operation: if is_preparation { MINT_SESSION_TOKEN } else { intent.operation },
            by_own_token: intent.access == Access::OwnCredential && !is_preparation,
            is_preparation,
            names_owned: intent.references.iter().any(references::is_owned) || names_in_path(intent),
            replay: if is_preparation { Replay::Safe } else { intent.replay },
            headers: answer.headers,
            body: answer.json(),
        }
    }

    fn error(&self) -> Option<&str> {
        self.field("error")
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.body.as_ref()?.get(name)?.as_str()
    }

    /// Whether the envelope's texts contain `words`, in any case.
    fn says(&self, words: &str) -> bool {
        let texts = ["error", "message"].into_iter().filter_map(|name| self.field(name));
        texts.into_iter().any(|text| text.to_ascii_lowercase().contains(words))
    }

    fn uses_an_allowance(&self) -> bool {
        self.operation == MINT_SESSION_TOKEN || self.operation == START_SESSION
    }
}

/// Whether the route itself is about one thing.
fn names_in_path(intent: &Intent) -> bool {
    intent.route.contains("{id}")
}

/// Status 401: a session token that is refused is the caller's, whoever's key is leased beside it; an
/// answer cannot tell a token minted a moment ago for a start abroad from the caller's own, so
/// that one is not held against the key either. A stop passes the engine's status on, so there
/// the key is to blame only if the answer speaks of it.
fn unauthorised(refused: &Refused<'_>) -> Failure {
    if refused.by_own_token {
        return callers("the session token is invalid or has expired");
    }
    if routes::ends_session(refused.operation) && !refused.says("api key") {
        return callers("the engine refused to stop the session");
    }
    Failure::of(Fault::KeyInvalid).hinting(Hint {
        needs_human: true,
        reason: "Anam does not know the API key",
        ..Hint::default()
    })
}

/// Status 402: the organisation has no plan. Also when its session token was used: that is what starts
/// the session elsewhere.
fn blocked() -> Failure {
    Failure::of(Fault::GroupBlocked).hinting(Hint {
        retry_after: Some(NO_PLAN_REST),
        reason: "the organisation has no Anam plan",
        ..Hint::default()
    })
}

/// Status 403 has three causes: the key's permissions, the organisation's plan, or a resource of another
/// organisation. The last says nothing about the key, and taking the key out for it would let
/// one request about one persona close the pool to all others; so where the request names such a
/// resource, the key stays in unless its permissions are what the answer speaks of.
fn forbidden(refused: &Refused<'_>) -> Failure {
    if refused.is_preparation {
        return not_portable();
    }
    let failure = Failure::of(Fault::KeyForbidden);
    if refused.by_own_token {
        let reason = "the organisation may not start this session";
        return failure.at(Scope::Nothing).retrying(RetryAdvice::Once).hinting(because(reason));
    }
    let of_another = refused.names_owned || refused.says("authenticated organization");
    if of_another && !refused.says("permission") {
        return failure
            .at(Scope::Nothing)
            .hinting(because("the request names what this organisation may not use"));
    }
    failure.hinting(Hint {
        retry_after: Some(FORBIDDEN_REST),
        reason: "the key lacks a permission, or its plan does not include this",
        ..Hint::default()
    })
}

/// Status 429 blames the organisation also when its session token was used: that is what starts the
/// session elsewhere.
fn limited(refused: &Refused<'_>) -> Failure {
    match refused.error() {
        Some(CONCURRENT_LIMIT) => busy(refused),
        Some(SPEND_CAP) => used_up(Metric::Spend, "the organisation's spend cap is reached"),
        Some(_) if refused.uses_an_allowance() && !waits::speaks_of_a_window(refused.headers) => {
            used_up(Metric::Unnamed, "the organisation's usage limit is reached")
        }
        // A poll, a stop or a page of something in between must not take an organisation out
        // for hours.
        Some(_) | None => window_full(refused),
    }
}

fn busy(refused: &Refused<'_>) -> Failure {
    Failure::of(Fault::Busy).hinting(Hint {
        retry_after: waits::until_a_session_is_free(refused.body.as_ref(), refused.headers),
        metric: Metric::Concurrent,
        reason: "all concurrent sessions of the organisation are taken",
        ..Hint::default()
    })
}

fn used_up(metric: Metric, reason: &'static str) -> Failure {
    Failure::of(Fault::QuotaExhausted).at(Scope::Group).hinting(Hint {
        retry_after: Some(ALLOWANCE_REST),
        doubles_up_to: Some(ALLOWANCE_REST_AT_MOST),
        metric,
        reason,
        ..Hint::default()
    })
}

fn window_full(refused: &Refused<'_>) -> Failure {
    Failure::of(Fault::RateLimited).at(Scope::GroupRoute).hinting(Hint {
        retry_after: waits::stated(refused.headers),
        reason: "the organisation calls this route too often",
        ..Hint::default()
    })
}

/// Statuses 400, 404, 422 and the rest of the four hundreds.
fn rejected(refused: &Refused<'_>) -> Failure {
    if refused.is_preparation { not_portable() } else { callers("") }
}

/// Status 503 of a start: "no engines available". Every organisation shares the engines, and some SDKs
/// try again themselves.
fn no_capacity(refused: &Refused<'_>) -> Failure {
    Failure::of(Fault::Overloaded).retrying(RetryAdvice::Once).hinting(Hint {
        retry_after: waits::stated(refused.headers),
        reason: "Anam has no free engine",
        ..Hint::default()
    })
}

/// The five hundreds, and whatever else is no answer. A start or a creation may have taken effect; a mint
/// answers 500 to anything it dislikes, so it is worth one other organisation and no more.
fn broken(status: u16, refused: &Refused<'_>) -> Failure {
    let advice = match refused.operation {
        // It creates or changes something, and may have done so whatever is said of it.
        _ if refused.replay == Replay::OnlyIfRefused => RetryAdvice::Never,
        MINT_SESSION_TOKEN if status == 500 => RetryAdvice::Once,
        _ => RetryAdvice::Again,
    };
    Failure::of(Fault::ServerError).retrying(advice).hinting(because("Anam failed"))
}

/// The mint was accepted at home and is rejected here: what it names (an avatar of its own, a
/// model of its plan) is not here. Worth one more organisation, and nobody's fault.
fn not_portable() -> Failure {
    Failure::of(Fault::KeyForbidden)
        .at(Scope::Nothing)
        .retrying(RetryAdvice::Once)
        .hinting(because("this organisation cannot mint an equal session token"))
}

fn callers(reason: &'static str) -> Failure {
    Failure::of(Fault::Caller).hinting(because(reason))
}

fn because(reason: &'static str) -> Hint {
    Hint { reason, ..Hint::default() }
}
