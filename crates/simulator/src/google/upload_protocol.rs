//! What the requests of an upload say, in the two dialects of its protocol.

use http::Method;
use serde_json::Value;

use super::prompt::field;
use crate::wire::Call;

/// How an upload is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Protocol {
    /// `X-Goog-Upload-Protocol: resumable`.
    Resumable,
    /// `uploadType=resumable`: the same, told in other words.
    OldResumable,
    /// The body is the file.
    Raw,
    /// The body is the description and the file.
    Multipart,
    Unknown,
}

impl Protocol {
    pub(super) fn of(call: &Call) -> Self {
        let header = call.header("x-goog-upload-protocol").map(str::to_ascii_lowercase);
        match (header.as_deref(), call.parameter("uploadType")) {
            (Some("resumable"), _) => Self::Resumable,
            (Some("raw"), _) | (None, Some("media")) => Self::Raw,
            (Some("multipart"), _) | (None, Some("multipart")) => Self::Multipart,
            (None, Some("resumable")) => Self::OldResumable,
            (None, None) if call.header("x-goog-upload-command").is_some() => Self::Resumable,
            _ => Self::Unknown,
        }
    }
}

/// What a call that continues an upload wants, in either dialect.
pub(super) struct Continued {
    pub(super) brings_bytes: bool,
    pub(super) finalizes: bool,
    pub(super) cancels: bool,
    pub(super) offset: Option<u64>,
}

impl Continued {
    pub(super) fn of(call: &Call) -> Self {
        if let Some(command) = call.header("x-goog-upload-command").map(str::to_ascii_lowercase) {
            return Self {
                brings_bytes: command.contains("upload"),
                finalizes: command.contains("finalize"),
                cancels: command.contains("cancel"),
                offset: call.header("x-goog-upload-offset").and_then(|offset| offset.parse().ok()),
            };
        }
        // `bytes 0-5/6`, `bytes 0-2/*`, `bytes */6`.
        let range = call.header("content-range").and_then(|range| range.strip_prefix("bytes "));
        let (span, total) = range.and_then(|range| range.split_once('/')).unwrap_or(("0-", "*"));
        let ends = span.split_once('-');
        let last: Option<u64> = ends.and_then(|(_, last)| last.parse().ok());
        Self {
            brings_bytes: ends.is_some() && call.method != Method::DELETE,
            finalizes: range.is_none() || last.is_some_and(|last| total.parse() == Ok(last + 1)),
            cancels: call.method == Method::DELETE,
            offset: ends.and_then(|(first, _)| first.parse().ok()),
        }
    }
}

/// What is said of a file before its bytes.
pub(super) struct Description {
    pub(super) display_name: Option<String>,
    pub(super) mime_type: Option<String>,
}

impl Description {
    pub(super) fn of(body: &Value) -> Self {
        let file = body.get("file").unwrap_or(body);
        let text =
            |camel: &str, snake: &str| field(file, camel, snake).and_then(Value::as_str).map(str::to_owned);
        Self { display_name: text("displayName", "display_name"), mime_type: text("mimeType", "mime_type") }
    }
}
