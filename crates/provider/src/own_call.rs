//! Calls that the house makes by itself.

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
    /// The body: JSON, or nothing.
    pub body: Bytes,
}
