//! The caller's request as adapters see it.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, AsHeaderName};
use http::{HeaderMap, HeaderName, Method};
use keygate_domain::ErrorKind;

use crate::Origin;

const X_SERVER_TIMEOUT: HeaderName = HeaderName::from_static("x-server-timeout");

/// The caller's request. The body is complete and bounded.
#[derive(Clone, Copy, Debug)]
pub struct Inbound<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path as it came (still percent-encoded), a provider prefix removed, `//` collapsed.
    pub path: &'a str,
    /// The query as it came, without `?`.
    pub query: Option<&'a str>,
    /// The headers as they came, credentials included.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a Bytes,
    /// Where the caller reached the gateway.
    pub origin: Origin<'a>,
    /// What the request is called in logs; empty for the house's own. Callers choose it if they like, so it is
    /// not certain to be used once.
    pub request_id: &'a str,
}

impl<'a> Inbound<'a> {
    /// A header as text, if it is there once or more and readable; the first wins. A [`HeaderName`] that was
    /// made before is found in half the time of a text.
    pub fn header(&self, name: impl AsHeaderName) -> Option<&'a str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The token of `Authorization: Bearer …`, if any.
    pub fn bearer(&self) -> Option<&'a str> {
        let (scheme, token) = self.header(AUTHORIZATION)?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// `X-Server-Timeout`: how long the caller is willing to wait, in seconds. Google's SDKs send whole
    /// ones.
    pub fn server_timeout(&self) -> Option<Duration> {
        let seconds: f64 = self.header(X_SERVER_TIMEOUT)?.trim().parse().ok()?;
        Duration::try_from_secs_f64(seconds).ok().filter(|wait| !wait.is_zero())
    }

    /// The raw `name=value` pairs of the query, still percent-encoded.
    pub fn query_pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.query
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }
}

/// Why an adapter cannot take a request. Caller-facing; names nothing inside.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct CallRejected {
    /// `NotFound`, `MethodNotAllowed` or `BadRequest`.
    pub kind: ErrorKind,
    /// What the caller is told, and what to do instead.
    pub message: String,
}

impl CallRejected {
    /// Rejects with a message for the caller.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}
