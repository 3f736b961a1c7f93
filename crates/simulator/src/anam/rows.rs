//! The rows of Anam's error tables, by name. `error` is what SDKs decide by.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::script::Row;
use crate::wire::Answer;

/// One row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnamRow {
    /// 400: the body is not understood.
    InvalidBody,
    /// 401: no credential.
    MissingApiKey,
    /// 401: the key is no key.
    InvalidApiKey,
    /// 401: the session token is no token of ours.
    InvalidSessionToken,
    /// 401: the session token expired.
    SessionTokenExpired,
    /// 402: the organisation has no plan.
    NoPlan,
    /// 403 without more.
    Forbidden,
    /// 403: the key lacks a permission.
    MissingPermission,
    /// 403: the plan does not include it.
    PlanForbids,
    /// 403: a persona of another organisation, or none.
    ForeignPersona,
    /// 404.
    ResourceNotFound,
    /// 422: an image was refused.
    ModerationRefused,
    /// 429: too many sessions at once.
    ConcurrentSessions,
    /// 429: the spend cap.
    SpendCap,
    /// 429: the minutes are used.
    UsageLimit,
    /// 500.
    ServerError,
    /// 503: no engine is free.
    NoEngines,
}

impl From<AnamRow> for Row {
    fn from(row: AnamRow) -> Self {
        Self::Anam(row)
    }
}

impl AnamRow {
    /// The row's answer.
    pub(crate) fn answer(self) -> Answer {
        let (status, error, message) = self.parts();
        let mut body = json!({"error": error});
        if !message.is_empty() {
            body["message"] = Value::from(message);
        }
        Answer::json(status, &body)
    }

    fn parts(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::InvalidBody => (400, "Invalid request body", ""),
            Self::MissingApiKey => (401, "Missing or invalid API key", ""),
            Self::InvalidApiKey => (401, "Invalid API key", ""),
            Self::InvalidSessionToken => (401, "Invalid session token", "The session token is not valid"),
            Self::SessionTokenExpired => (401, "Invalid session token", "The session token has expired"),
            Self::NoPlan => (402, "No plan found", "Please sign up for a plan to start a session"),
            Self::Forbidden => (403, "Forbidden", ""),
            Self::MissingPermission => (403, "Forbidden", "API key lacks the required permission"),
            Self::PlanForbids => (403, "Forbidden", "This feature is not available on your plan"),
            Self::ForeignPersona => {
                (403, "Forbidden", "Persona is not available to the authenticated organization")
            }
            Self::ResourceNotFound => (404, "Not found", ""),
            Self::ModerationRefused => (422, "Image rejected by moderation", ""),
            Self::ConcurrentSessions => (
                429,
                "Concurrent session limit reached",
                "Your organization has reached its concurrent session limit",
            ),
            Self::SpendCap => (429, "Spend cap reached", "Your organization has reached its spend cap"),
            Self::UsageLimit => {
                (429, "Usage limit reached", "Your organization has used its included minutes")
            }
            Self::ServerError => (500, "Internal server error", ""),
            Self::NoEngines => {
                (503, "No engines available", "There are no available personas, please try again later")
            }
        }
    }
}

/// 400 as the validator writes it: which field, and what is wrong with it.
pub(crate) fn invalid_body(field: &str, wrong: &str) -> Answer {
    let details = json!({"_errors": [], field: {"_errors": [wrong]}});
    Answer::json(400, &json!({"error": "Invalid request body", "details": details}))
}
