//! The call that finds out whether a key works.

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::{Inbound, Origin};

/// A `GET` that any working key may make and that costs nothing: it generates, starts and creates
/// nothing. It is understood, sent and judged like a caller's, so that there is one table of faults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FreeCall {
    /// The path, as a caller would write it below the provider's prefix.
    pub path: &'static str,
    /// The query, without `?`.
    pub query: Option<&'static str>,
}

impl FreeCall {
    /// The call as a request of the house itself: with these headers and an empty body, which nobody else
    /// sent.
    pub fn inbound<'a>(&self, headers: &'a HeaderMap, body: &'a Bytes) -> Inbound<'a> {
        Inbound {
            method: &Method::GET,
            path: self.path,
            query: self.query,
            headers,
            body,
            origin: Origin::INSIDE,
            request_id: "",
        }
    }
}
