//! An answer as a caller sees it, and the shapes errors have on each surface.

use std::fmt;

use bytes::Bytes;
use keygate_tests::PATIENCE;
use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use tokio::time::timeout;

/// A complete answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}\n{}", self.status, self.headers, self.text())
    }
}

impl Answer {
    /// Sends a request and waits for the whole answer.
    pub(crate) async fn to(request: RequestBuilder) -> Self {
        let answer = request.send().await.expect("the head of an answer comes");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.bytes().await.expect("the answer is complete");
        Self { status, headers, body }
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// A header as text; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// `Retry-After` in seconds.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        self.headers.get("retry-after")?.to_str().ok()?.parse().ok()
    }

    /// What the model said in an answer in one piece.
    pub(crate) fn said(&self) -> String {
        let text = &self.json()["candidates"][0]["content"]["parts"][0]["text"];
        text.as_str().unwrap_or_else(|| panic!("no answer of a model: {self:?}")).to_owned()
    }

    /// Checks that it is the provider's own answer, after so many attempts.
    #[track_caller]
    pub(crate) fn is_providers(&self, provider: &str, status: u16, attempts: u32) {
        assert_eq!(self.status, status, "{self:?}");
        self.took(provider, attempts);
        assert_eq!(self.header("x-keygate-source"), "provider", "{self:?}");
        assert_eq!(self.header("x-keygate-error"), "", "{self:?}");
        assert_eq!(self.header("x-keygate-key").len(), 12, "{self:?}");
    }

    /// Checks that an avatar's engine gave this answer, which is asked without a key.
    #[track_caller]
    pub(crate) fn is_engines(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
        self.took("anam", 1);
        assert_eq!(self.header("x-keygate-source"), "provider", "{self:?}");
        assert_eq!(self.header("x-keygate-key"), "", "{self:?}");
    }

    /// Checks that it is a refusal of the gateway itself.
    #[track_caller]
    pub(crate) fn is_refusal(&self, status: u16, error: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("x-keygate-error"), error, "{self:?}");
        assert_eq!(self.header("x-keygate-source"), "", "{self:?}");
        assert!(self.header("content-type").starts_with("application/json"), "{self:?}");
        assert!(!self.header("x-request-id").is_empty(), "{self:?}");
    }

    /// Checks what the headers tell of its way.
    #[track_caller]
    pub(crate) fn took(&self, provider: &str, attempts: u32) {
        assert!(!self.header("x-request-id").is_empty(), "{self:?}");
        assert_eq!(self.header("x-keygate-provider"), provider, "{self:?}");
        assert_eq!(self.header("x-keygate-attempts"), attempts.to_string(), "{self:?}");
    }

    /// Checks the body of an error in Gemini's own shape.
    #[track_caller]
    pub(crate) fn says_native(&self, rpc_status: &str, message: &str) {
        let body = self.json();
        assert_eq!(body["error"]["code"], self.status, "{self:?}");
        assert_eq!(body["error"]["status"], rpc_status, "{self:?}");
        self.says(&body["error"]["message"], message);
    }

    /// Checks the body of an error of the gateway in the shape of `OpenAI`.
    #[track_caller]
    pub(crate) fn says_openai(&self, kind: &str, message: &str) {
        let body = self.json();
        assert_eq!(body["error"]["type"], kind, "{self:?}");
        assert_eq!(body["error"]["code"], self.header("x-keygate-error"), "{self:?}");
        assert!(body["error"].as_object().is_some_and(|error| error.contains_key("param")), "{self:?}");
        self.says(&body["error"]["message"], message);
    }

    /// Checks the body of an error in Anam's envelope.
    #[track_caller]
    pub(crate) fn says_anam(&self, error: &str, message: &str) {
        let body = self.json();
        assert_eq!(body["error"], error, "{self:?}");
        self.says(&body["message"], message);
    }

    /// Checks the body of an error of the house's own routes.
    #[track_caller]
    pub(crate) fn says_house(&self, message: &str) {
        let body = self.json();
        assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "{self:?}");
        self.says(&body["detail"], message);
    }

    #[track_caller]
    fn says(&self, told: &Value, message: &str) {
        assert!(told.as_str().is_some_and(|told| told.contains(message)), "{message:?} is not in {self:?}");
    }
}

/// An answer read as it comes, and how it ended.
pub(crate) struct Read {
    pub(crate) bytes: Vec<u8>,
    /// Whether it ended as HTTP wants it; else the connection broke.
    pub(crate) is_complete: bool,
}

impl Read {
    /// Reads to the end, whatever the end.
    pub(crate) async fn to_end(mut answer: Response) -> Self {
        let mut bytes = Vec::new();
        loop {
            match answer.chunk().await {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => return Self { bytes, is_complete: true },
                Err(_broken) => return Self { bytes, is_complete: false },
            }
        }
    }

    /// The bytes as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// Sends a request and waits for the head and the first bytes of the answer.
pub(crate) async fn begun(request: RequestBuilder) -> (Response, Bytes) {
    let mut answer = request.send().await.expect("the head of an answer comes");
    let first = timeout(PATIENCE, answer.chunk()).await.expect("the first bytes come in time");
    let first = first.expect("the connection holds").expect("there is a body");
    (answer, first)
}

/// The request with this JSON as its body.
pub(crate) fn json_body(request: RequestBuilder, body: &Value) -> RequestBuilder {
    request.header("content-type", "application/json").body(body.to_string())
}
