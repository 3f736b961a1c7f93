//! What a backend is told when there is no reply: `{"detail": …}`, and words for its user where nobody is to
//! blame for asking.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use keygate_domain::{ErrorKind, Refusal};
use keygate_journey::{Facts, Refused};
use serde::Serialize;

use super::reply::ErrorBody;
use crate::answer_out::put_facts;
use crate::error_response::{put, status_of};
use crate::rate_limit_headers::put_refused;

/// Longest message of the provider's that is passed on, in characters.
const MAX_DETAIL_CHARS: usize = 2000;

/// No reply.
#[derive(Serialize)]
pub(super) struct NoReply {
    #[serde(skip)]
    status: u16,
    /// Why, for the backend.
    detail: String,
    /// Friendly words for its user.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// When asking again makes sense, in seconds.
    #[serde(skip)]
    retry_after: Option<u64>,
    /// Why the gateway itself refuses.
    #[serde(skip)]
    kind: Option<ErrorKind>,
    #[serde(skip)]
    facts: Facts,
    #[serde(skip)]
    turned_away: Option<keygate_limits::TurnedAway>,
}

/// No reply, as one result among several.
#[derive(Serialize)]
pub(super) struct NoReplyResult {
    status: u16,
    #[serde(flatten)]
    told: NoReply,
    retry_after: Option<u64>,
}

impl NoReply {
    /// The gateway refused. `busy` are friendly words in the language of the user.
    pub(super) fn refused(refused: Refused, busy: &str) -> Self {
        let Refused { refusal, facts, turned_away } = refused;
        // An assistant that rests is not available; no caller of it asked too often.
        let rests = refusal.kind == ErrorKind::PoolExhausted;
        let status = if rests { 503 } else { status_of(refusal.kind) };
        Self {
            status,
            message: words(status, busy),
            retry_after: refusal.retry_after_seconds(),
            detail: refusal.message,
            kind: Some(refusal.kind),
            facts,
            turned_away,
        }
    }

    /// The provider refused, with these words.
    pub(super) fn by_provider(status: u16, body: &[u8], facts: Facts, busy: &str) -> Self {
        let told = serde_json::from_slice::<ErrorBody>(body).unwrap_or_default().error.message;
        let detail = told.map_or_else(
            || format!("The provider answered with status {status}."),
            |message| message.chars().take(MAX_DETAIL_CHARS).collect(),
        );
        let message = words(status, busy);
        Self { status, detail, message, retry_after: None, kind: None, facts, turned_away: None }
    }

    /// A refusal before anything was asked.
    pub(super) fn of(refusal: Refusal, busy: &str) -> Self {
        Self::refused(Refused { refusal, facts: Facts::default(), turned_away: None }, busy)
    }

    /// The answer.
    pub(super) fn respond(self, request_id: &str) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status).json(&self);
        put(&mut response, "x-request-id", request_id);
        if let Some(kind) = self.kind {
            put(&mut response, "x-keygate-error", kind.as_str());
        }
        if let Some(seconds) = self.retry_after {
            put(&mut response, "retry-after", &seconds.to_string());
        }
        put_facts(&mut response, &self.facts);
        if let Some(away) = &self.turned_away {
            put_refused(&mut response, away);
        }
        response
    }

    /// The same as one result among several.
    pub(super) fn result(self) -> NoReplyResult {
        NoReplyResult { status: self.status, retry_after: self.retry_after, told: self }
    }
}

/// Friendly words belong to what is nobody's mistake: too many requests, and whatever is broken.
fn words(status: u16, busy: &str) -> Option<String> {
    (status == 429 || status >= 500).then(|| busy.to_owned())
}
