//! Changing an answer on its way.

use bytes::Bytes;
use http::HeaderMap;

/// Changes one successful answer on its way to the caller. For what cannot be passed on as it came: an
/// address of the provider's that only a key opens, or what the gateway asked for and the caller did
/// not. The meter has seen the bytes before, as the provider sent them.
pub trait Rewrite: Send {
    /// Changes the headers that pass.
    fn headers(&mut self, headers: &mut HeaderMap) {
        let _ = headers;
    }

    /// Whether the body may change. Its length and its validators are not passed on then.
    fn changes_body(&self) -> bool {
        true
    }

    /// What to pass in place of the next bytes; empty if they have to wait. May keep a bounded amount back.
    fn pass(&mut self, chunk: Bytes) -> Bytes {
        chunk
    }

    /// What was kept back, once nothing follows.
    fn rest(&mut self) -> Bytes {
        Bytes::new()
    }
}
