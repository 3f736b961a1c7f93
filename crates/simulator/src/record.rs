//! One request as it came in and what became of it, credentials shown by their labels.

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::credential::CredentialSeen;
use crate::wire::Call;
use crate::world::Provider;

/// Bytes of a body a record shows.
const SHOWN_BODY_BYTES: usize = 2048;

/// How a streamed answer ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamEnd {
    /// Sent to its end.
    Finished,
    /// The client left.
    CutByClient,
    /// The script broke it.
    CutByScript,
}

/// One request as it came in.
#[derive(Clone, Debug, Serialize)]
pub struct RequestRecord {
    /// Counts up from 1 since the start.
    pub number: u64,
    /// When, in simulated time.
    pub at: Timestamp,
    /// Whose listener.
    pub provider: Provider,
    /// What it asked for, e.g. `generateContent`; `unknown` for unknown routes.
    pub operation: String,
    /// The model named.
    pub model: Option<String>,
    /// Whose key it was.
    pub project: Option<String>,
    /// The HTTP method.
    pub method: String,
    /// The path as sent, escapes included.
    pub path: String,
    /// The query, credentials replaced by labels.
    pub query: Vec<(String, String)>,
    /// Every credential seen, in whatever place.
    pub credentials: Vec<CredentialSeen>,
    /// Headers in order, credentials replaced by labels.
    pub headers: Vec<(String, String)>,
    /// SHA-256 of the body, hexadecimal.
    pub body_sha256: String,
    /// Length of the body.
    pub body_bytes: usize,
    /// The first 2 KiB of the body.
    pub body_start: String,
    /// The status answered; `None` while there is none.
    pub status: Option<u16>,
    /// How the stream ended, for streams.
    pub stream: Option<StreamEnd>,
}

impl RequestRecord {
    /// A record of what came in, credentials shown by `label`.
    pub(crate) fn of(call: &Call, provider: Provider, at: Timestamp, label: &dyn Fn(&str) -> String) -> Self {
        let shown = &call.body[..call.body.len().min(SHOWN_BODY_BYTES)];
        Self {
            number: 0,
            at,
            provider,
            operation: "unknown".to_owned(),
            model: None,
            project: None,
            method: call.method.to_string(),
            path: call.raw_path.clone(),
            query: call
                .query
                .iter()
                .map(|(name, value)| (name.clone(), masked_query(name, value, label)))
                .collect(),
            credentials: Vec::new(),
            headers: call
                .headers
                .iter()
                .map(|(name, value)| {
                    let value = String::from_utf8_lossy(value.as_bytes());
                    (name.to_string(), masked_header(name.as_str(), &value, label))
                })
                .collect(),
            body_sha256: hex(&Sha256::digest(&call.body)),
            body_bytes: call.body.len(),
            body_start: String::from_utf8_lossy(shown).into_owned(),
            status: None,
            stream: None,
        }
    }
}

fn masked_query(name: &str, value: &str, label: &dyn Fn(&str) -> String) -> String {
    if matches!(name, "key" | "access_token") { format!("<{}>", label(value)) } else { value.to_owned() }
}

fn masked_header(name: &str, value: &str, label: &dyn Fn(&str) -> String) -> String {
    match name {
        "x-goog-api-key" | "x-goog-user-project" | "cookie" => format!("<{}>", label(value)),
        "authorization" => match value.split_once(' ') {
            Some((scheme, secret)) => format!("{scheme} <{}>", label(secret.trim())),
            None => "<unknown>".to_owned(),
        },
        _ => value.to_owned(),
    }
}

/// Bytes as hexadecimal text.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
