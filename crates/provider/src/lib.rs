//! The contract every provider fulfils: a translation, not a process.
//!
//! Inbound request → [`Intent`]; intent + key → [`UpstreamRequest`]; answer → [`Verdict`] on the
//! key. An adapter opens no socket, reads no clock and keeps no state.

mod adapter;
mod answer;
mod free_call;
mod inbound;
mod listing;
mod meter;
mod origin;
mod rewrite;
mod upstream_request;

use http::HeaderMap;
use keygate_domain::{Intent, Refusal, Verdict};

pub use adapter::{Adapter, KeyVariables, KnownOperation};
pub use answer::{AnswerHead, SurfaceAnswer};
pub use free_call::FreeCall;
pub use inbound::{CallRejected, Inbound};
pub use listing::{Listed, ListedPage, Listing, PageMark};
pub use meter::{Ended, Meter, Metered};
pub use origin::Origin;
pub use rewrite::Rewrite;
pub use upstream_request::{Grant, UpstreamRequest};

/// A provider as a translation. All methods are pure.
pub trait Provider: Send + Sync + 'static {
    /// Whether an unprefixed path is this provider's (`/v1beta/…` is Google's). Paths under
    /// `/{provider name}` are always its own and arrive here with that prefix removed.
    fn claims(&self, path: &str) -> bool;

    /// Reads what the request wants.
    ///
    /// # Errors
    /// [`CallRejected`] when the route is unknown, the path tries to leave its segment, or the
    /// body cannot be what the route takes. No key is touched then.
    fn understand(&self, inbound: &Inbound<'_>) -> Result<Intent, CallRejected>;

    /// A call that must succeed under this key before the request itself can be sent, if any.
    /// Its answer is handed to [`Provider::request`] in [`Grant::prepared`].
    fn preparation(&self, intent: &Intent, grant: &Grant<'_>) -> Option<UpstreamRequest> {
        let _ = (intent, grant);
        None
    }

    /// The request as the provider wants it: exactly one credential, in the provider's place,
    /// and nothing of the caller's credentials.
    fn request(&self, intent: &Intent, inbound: &Inbound<'_>, grant: &Grant<'_>) -> UpstreamRequest;

    /// What an answer says about the key that was used. A success is `Served` with the intent's
    /// estimate; the real usage comes from the meter.
    fn verdict(&self, intent: &Intent, answer: &AnswerHead<'_>) -> Verdict;

    /// How the answer is put together when every group has a part of what `inbound` lists; nothing for
    /// everything else. Asked for `GET` only.
    fn listing(&self, intent: &Intent, inbound: &Inbound<'_>) -> Option<Box<dyn Listing>> {
        let _ = (intent, inbound);
        None
    }

    /// Watches the bytes of a successful answer pass.
    fn meter(&self, intent: &Intent, inbound: &Inbound<'_>) -> Box<dyn Meter>;

    /// Changes a successful answer with `headers` on its way to the caller, if this one has to be changed.
    /// Most are not: they pass as they came.
    fn rewrite(
        &self,
        intent: &Intent,
        inbound: &Inbound<'_>,
        headers: &HeaderMap,
    ) -> Option<Box<dyn Rewrite>> {
        let _ = (intent, inbound, headers);
        None
    }

    /// A refusal of the gateway itself, in the shape that the SDKs of the surface at `path`
    /// (prefix removed) turn into their usual exception.
    fn refusal(&self, path: &str, refusal: &Refusal, status: u16) -> SurfaceAnswer;
}
