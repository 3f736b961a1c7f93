//! Calls that the house makes by itself.

use std::time::Duration;

use bytes::Bytes;
use http::Method;

/// A call as a caller would write it below the provider's prefix. It is understood, sent and judged like
/// one, so that there is one table of faults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnCall {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// The query, without `?`.
    pub query: Option<String>,
    /// The body: JSON, or nothing.
    pub body: Bytes,
}

/// How to look for a session whose start was sent and never answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LostStart {
    /// What the session was marked with.
    pub label: String,
    /// The call whose answer shows every session that was marked so.
    pub search: OwnCall,
    /// What is still nobody's this long after it was seen belongs to nobody: any other start under the same
    /// label has been answered by then.
    pub settles_in: Duration,
}
