//! Errors of Gemini and how each surface writes them.

use serde::Serialize;
use serde_json::{Value, json};

use super::routes::Dialect;
use crate::wire::Answer;

/// An error, before it has the shape of a surface.
#[derive(Clone, Debug)]
pub(crate) struct GoogleError {
    pub(crate) http: u16,
    pub(crate) status: &'static str,
    pub(crate) message: String,
    pub(crate) details: Vec<Value>,
    /// The code in words that Interactions uses.
    pub(crate) word: &'static str,
}

/// The envelope, in the order Google writes it.
#[derive(Serialize)]
struct Envelope<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    code: u16,
    message: &'a str,
    status: &'a str,
    #[serde(skip_serializing_if = "<[Value]>::is_empty")]
    details: &'a [Value],
}

impl GoogleError {
    /// An error without details.
    pub(crate) fn new(http: u16, status: &'static str, message: impl Into<String>) -> Self {
        let word = match (http, status) {
            (429, _) => "rate_limit_exceeded",
            (401, _) => "authentication",
            (402, _) => "payment_required",
            (403, _) => "permission_denied",
            (404, _) => "not_found",
            (409, _) => "aborted",
            (499, _) => "cancelled",
            (503, _) => "service_unavailable",
            (504, _) => "deadline_exceeded",
            (400..500, _) => "invalid_request",
            _ => "internal",
        };
        Self { http, status, message: message.into(), details: Vec::new(), word }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "INVALID_ARGUMENT", message)
    }

    #[must_use]
    pub(crate) fn detail(mut self, detail: Value) -> Self {
        self.details.push(detail);
        self
    }

    /// Adds an `ErrorInfo`.
    #[must_use]
    pub(crate) fn info(self, reason: &str, metadata: &Value) -> Self {
        self.detail(json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason,
            "domain": "googleapis.com",
            "metadata": metadata,
        }))
    }

    /// The native envelope on one line, as it stands inside a stream.
    pub(crate) fn line(&self) -> String {
        serde_json::to_string(&self.envelope()).unwrap_or_default()
    }

    /// The answer on a surface. Google prints errors with two spaces of indent.
    pub(crate) fn answer(&self, dialect: Dialect) -> Answer {
        let text = match dialect {
            Dialect::Native => serde_json::to_string_pretty(&self.envelope()),
            Dialect::OpenAi => serde_json::to_string_pretty(&[self.envelope()]),
            Dialect::Interactions => {
                serde_json::to_string(&json!({"error": {"code": self.word, "message": self.message}}))
            }
        };
        let mut text = text.unwrap_or_default();
        text.push('\n');
        super::serve::framed(Answer::new(self.http, "application/json; charset=UTF-8", text))
    }

    fn envelope(&self) -> Envelope<'_> {
        Envelope {
            error: Inner {
                code: self.http,
                message: &self.message,
                status: self.status,
                details: &self.details,
            },
        }
    }
}
