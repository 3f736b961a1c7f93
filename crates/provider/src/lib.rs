//! The contract every provider fulfils: a translation, not a process.
//!
//! Inbound request → [`Intent`]; intent + key → [`UpstreamRequest`]; answer → [`Verdict`] on the
//! key. An adapter opens no socket, reads no clock and keeps no state.

mod adapter;
mod answer;
mod engine_hosts;
mod extent;
mod free_call;
mod inbound;
mod listing;
mod meter;
mod options;
mod origin;
mod own_call;
mod rewrite;
mod socket;
mod standing_in;
mod transcript;
mod upstream_request;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use keygate_domain::{Binding, Intent, Keepsake, ModelName, OpenedSession, Refusal, Resource, Verdict};
use serde_json::Value;

pub use adapter::{Adapter, KeyVariables, KnownOperation};
pub use answer::{AnswerHead, SurfaceAnswer};
pub use engine_hosts::{EngineHost, EngineHosts, NoEngineHost};
pub use extent::Extent;
pub use free_call::FreeCall;
pub use inbound::{CallRejected, Inbound};
pub use listing::{Listed, ListedPage, Listing, PageMark};
pub use meter::{Ended, Meter, Metered};
pub use options::ProviderOptions;
pub use origin::Origin;
pub use own_call::{LostStart, OwnCall};
pub use rewrite::Rewrite;
pub use socket::{Closing, Frame, OwnFrame, Parting, Refused, Sockets, Terms, Watcher};
pub use standing_in::{OtherModel, StoredReply};
pub use transcript::{Message, Part, Transcript};
pub use upstream_request::{Grant, UpstreamRequest};

/// A provider as a translation. All methods are pure.
pub trait Provider: Send + Sync + 'static {
    /// Whether an unprefixed path is this provider's (`/v1beta/…` is Google's). Paths under
    /// `/{provider name}` are always its own and arrive here with that prefix removed.
    fn claims(&self, path: &str) -> bool;

    /// Whether the body is passed on as it comes, because it may be larger than memory and nothing has to be
    /// known of it. Asked with the head alone: [`Provider::understand`] is handed an empty body then.
    fn streams_body(&self, method: &Method, path: &str) -> bool {
        let _ = (method, path);
        false
    }

    /// How large the whole is of which a request's body is a part, where [`Provider::streams_body`].
    fn extent(&self, inbound: &Inbound<'_>) -> Extent {
        let _ = inbound;
        Extent::default()
    }

    /// The status that answers a call at `path` without a key, a caller or the provider: for what SDKs report
    /// by themselves and nobody waits for.
    fn answers_alone(&self, method: &Method, path: &str) -> Option<u16> {
        let _ = (method, path);
        None
    }

    /// The name that a request asks for what it makes, where callers choose names. Each group has names of its
    /// own, and they are one name here.
    fn chosen_name(&self, intent: &Intent, inbound: &Inbound<'_>) -> Option<Resource> {
        let _ = (intent, inbound);
        None
    }

    /// Reads what the request wants.
    ///
    /// # Errors
    /// [`CallRejected`] when the route is unknown, the path tries to leave its segment, or the
    /// body cannot be what the route takes. No key is touched then.
    fn understand(&self, inbound: &Inbound<'_>) -> Result<Intent, CallRejected>;

    /// A call that must succeed under this key before the request itself can be sent, if any.
    /// Its answer is handed to [`Provider::request`] in [`Grant::prepared`].
    fn preparation(
        &self,
        intent: &Intent,
        inbound: &Inbound<'_>,
        grant: &Grant<'_>,
    ) -> Option<UpstreamRequest> {
        let _ = (intent, inbound, grant);
        None
    }

    /// The request as the provider wants it: exactly one credential, in the provider's place,
    /// and nothing of the caller's credentials.
    fn request(&self, intent: &Intent, inbound: &Inbound<'_>, grant: &Grant<'_>) -> UpstreamRequest;

    /// What an answer says about the key that was used. A success is `Served` with the intent's
    /// estimate; the real usage comes from the meter.
    fn verdict(&self, intent: &Intent, answer: &AnswerHead<'_>) -> Verdict;

    /// Whether an answer with `status` is what was asked for. Some protocols say with a redirection that
    /// there is more to come.
    fn is_served(&self, intent: &Intent, status: StatusCode) -> bool {
        let _ = intent;
        status.is_success()
    }

    /// What to ask instead when the provider sends a request on to `path_and_query` of its own host; nothing
    /// if this request is not to be sent on. Nobody is ever followed to another host.
    fn onward(&self, intent: &Intent, path_and_query: &str) -> Option<Intent> {
        let _ = (intent, path_and_query);
        None
    }

    /// What the head of a successful answer says was created.
    fn bindings(&self, intent: &Intent, headers: &HeaderMap) -> Vec<Binding> {
        let _ = (intent, headers);
        Vec::new()
    }

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

    /// Its WebSockets, if it has any.
    fn sockets(&self) -> Option<&dyn Sockets> {
        None
    }

    /// The call that ends a session which nobody came to know of: its caller left before it was answered.
    fn end_session(&self, session: &OpenedSession) -> Option<OwnCall> {
        let _ = session;
        None
    }

    /// How to look for the session that a start may have opened although its answer never came. `kept` is what is
    /// remembered of the credential that the caller brought, where it was started with that.
    fn lost_start(&self, intent: &Intent, request_id: &str, kept: Option<&Keepsake>) -> Option<LostStart> {
        let _ = (intent, request_id, kept);
        None
    }

    /// The sessions that still run under the label of a lost start, by the answer to its search; nothing if
    /// that cannot be read.
    fn running(&self, lost: &LostStart, answer: &[u8]) -> Option<Vec<Resource>> {
        let _ = (lost, answer);
        None
    }

    /// The call that makes a token with which a browser starts an avatar session, for the avatar that `wish`
    /// describes; `None` where there are no avatars.
    ///
    /// # Errors
    /// [`CallRejected`] when the wish names no avatar.
    fn avatar_token(&self, wish: &Value) -> Option<Result<OwnCall, CallRejected>> {
        let _ = wish;
        None
    }

    /// An error of the provider's at `path` as SDKs of that surface read it, where that is not how it came. Its
    /// words stay the provider's own.
    fn retell(&self, path: &str, error: &Bytes) -> Option<Bytes> {
        let _ = (path, error);
        None
    }

    /// A refusal of the gateway itself, in the shape that the SDKs of the surface at `path`
    /// (prefix removed) turn into their usual exception.
    fn refusal(&self, path: &str, refusal: &Refusal, status: u16) -> SurfaceAnswer;

    /// The same request of another `model`, for when every key failed for the one that it names. Nothing where
    /// what one model makes is no use in place of what another makes, such as embeddings.
    fn of_other_model(
        &self,
        intent: &Intent,
        inbound: &Inbound<'_>,
        model: &ModelName,
    ) -> Option<OtherModel> {
        let _ = (intent, inbound, model);
        None
    }

    /// What a user asks, where a stored text can be the answer: the last thing that was said, by the user, in
    /// words. Nothing when a tool may be called, or the answer has to have a form of its own.
    fn question(&self, intent: &Intent, inbound: &Inbound<'_>) -> Option<String> {
        let _ = (intent, inbound);
        None
    }

    /// A stored text as the answer to a request that asked a [`Provider::question`], in the form in which it asked
    /// for one.
    fn stored_reply(
        &self,
        intent: &Intent,
        inbound: &Inbound<'_>,
        stored: &StoredReply<'_>,
    ) -> Option<SurfaceAnswer> {
        let _ = (intent, inbound, stored);
        None
    }

    /// Whether [`Provider::transcript`] can tell what is said in such a request.
    fn transcribes(&self, intent: &Intent) -> bool {
        let _ = intent;
        false
    }

    /// What a request with the body `asked` says, and its answer as far as it came. Never for a thread that
    /// serves: it reads all of it.
    fn transcript(&self, intent: &Intent, asked: &[u8], answered: &[u8]) -> Transcript {
        let _ = (intent, asked, answered);
        Transcript::default()
    }

    /// What of a request its answer depends on, besides its target: equal for requests that mean the same.
    /// Nothing for one whose answer must not be given again: it changes or makes something, names something
    /// that may change, or offers tools.
    fn sameness(&self, intent: &Intent, inbound: &Inbound<'_>) -> Option<Vec<u8>> {
        let _ = (intent, inbound);
        None
    }

    /// Whether a successful answer to such a request may be given again.
    fn may_be_given_again(&self, intent: &Intent, answer: &[u8]) -> bool {
        let _ = (intent, answer);
        true
    }
}
