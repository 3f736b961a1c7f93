//! The request as the provider gets it, and the right to send it.

use bytes::Bytes;
use http::{HeaderMap, Method};
use keygate_domain::{ApiKey, GroupId, Keepsake};

use crate::EngineHost;

/// What a lease grants an adapter for one attempt.
#[derive(Clone, Copy, Debug, Default)]
pub struct Grant<'a> {
    /// The key; `None` only for a request that carries the caller's own provider-issued
    /// credential whose owner is not known.
    pub key: Option<&'a ApiKey>,
    /// The key's quota group.
    pub group: Option<&'a GroupId>,
    /// Set when the key's group does not own the resource named, with what is needed to make an
    /// equal one there.
    pub away: Option<&'a Keepsake>,
    /// The answer's body of [`crate::Provider::preparation`], once it succeeded.
    pub prepared: Option<&'a [u8]>,
}

/// A request to the provider.
#[derive(Clone, Debug)]
pub struct UpstreamRequest {
    /// The method.
    pub method: Method,
    /// Where it goes, if not to the base URL. An adapter takes it from [`crate::EngineHosts`] only.
    pub host: Option<EngineHost>,
    /// Path and query below the base URL or of `host`, percent-encoded, starting with `/`.
    pub path_and_query: String,
    /// Headers, the one credential included and marked sensitive; no `host`, no
    /// `content-length`, no hop-by-hop header (RFC 9110 §7.6.1).
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}
