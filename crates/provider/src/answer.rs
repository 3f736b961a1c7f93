//! Answers: the provider's, as an adapter judges it, and the gateway's own, as a surface shapes it.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// The provider's answer as far as it is known before a byte is relayed.
#[derive(Clone, Copy, Debug)]
pub struct AnswerHead<'a> {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// For an error the first 64 KiB of the body; empty for a success.
    pub body: &'a [u8],
    /// True for the answer to [`crate::Provider::preparation`], which is sent under the lease's
    /// key even when the request itself carries the caller's own credential.
    pub for_preparation: bool,
}

impl AnswerHead<'_> {
    /// How much of an error's body is read for a verdict, in bytes.
    pub const MAX_ERROR_BYTES: usize = 64 * 1024;

    /// The body as JSON, if it is JSON.
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(self.body).ok()
    }
}

/// One of the gateway's own answers in the shape of a surface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SurfaceAnswer {
    /// The media type.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
    /// Headers that the surface's SDKs understand besides the usual ones.
    pub headers: Vec<(&'static str, String)>,
}

impl SurfaceAnswer {
    /// A JSON answer without further headers.
    pub fn json(body: &serde_json::Value) -> Self {
        Self {
            content_type: "application/json; charset=utf-8",
            body: Bytes::from(body.to_string()),
            headers: Vec::new(),
        }
    }
}
