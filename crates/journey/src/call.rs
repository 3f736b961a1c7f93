//! A call as the front hands it over: read, bounded, and with what is known of the caller.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};
use keygate_domain::{ClientId, ClientProfile, Moment, Refusal, Right, UserId};
use keygate_provider::{Inbound, Origin};
use keygate_telemetry::metrics::RequestMetrics;
use tracing::Span;

use crate::Inflow;

/// Where a caller says what its call is for.
const TAG_HEADER: &str = "x-keygate-tag";

/// A complete inbound call.
#[derive(Debug)]
pub struct Call<'a> {
    /// The method.
    pub method: Method,
    /// The path below the provider's prefix, percent-encoded, `//` collapsed.
    pub path: &'a str,
    /// The query, without `?`.
    pub query: Option<&'a str>,
    /// The headers as they came.
    pub headers: HeaderMap,
    /// The body, as far as it was read.
    pub body: Bytes,
    /// The rest of it, where the provider's adapter wants it passed on as it comes.
    pub inflow: Option<Inflow>,
    /// Where the caller reached the gateway.
    pub origin: Origin<'a>,
    /// When its head was read; deadlines count from here.
    pub began: Moment,
    /// Who calls.
    pub identity: Identity,
    /// What the caller is told to quote when it reports trouble.
    pub request_id: &'a str,
    /// The span of the whole request; disabled when it is not traced.
    pub span: Span,
    /// What counts it.
    pub metrics: RequestMetrics,
}

impl Call<'_> {
    /// The call as adapters see it.
    pub fn inbound(&self) -> Inbound<'_> {
        Inbound {
            method: &self.method,
            path: self.path,
            query: self.query,
            headers: &self.headers,
            body: &self.body,
            origin: self.origin,
            request_id: self.request_id,
        }
    }

    /// The same call at another path and with another body. Only of a call whose body was read.
    pub(crate) fn to_other<'o>(&'o self, path: &'o str, body: Bytes) -> Call<'o> {
        Call {
            method: self.method.clone(),
            path,
            query: self.query,
            headers: self.headers.clone(),
            body,
            inflow: None,
            origin: self.origin,
            began: self.began,
            identity: self.identity.clone(),
            request_id: self.request_id,
            span: self.span.clone(),
            metrics: self.metrics.clone(),
        }
    }

    /// What the caller calls the purpose of its call.
    pub(crate) fn tag(&self) -> Option<&str> {
        self.headers.get(TAG_HEADER).and_then(|value| value.to_str().ok()).map(str::trim)
    }

    /// Why its body cannot be passed on, or was not to its end.
    pub(crate) fn body_lost(&self) -> Option<Refusal> {
        self.inflow.as_ref().and_then(Inflow::lost)
    }

    /// Whether its body can be sent no second time.
    pub(crate) fn is_body_spent(&self) -> bool {
        self.inflow.as_ref().is_some_and(Inflow::is_spent)
    }
}

/// A client, the user it speaks for, and what it may do.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The client.
    pub client: ClientId,
    /// The user.
    pub user: UserId,
    /// What the client's token allows, and how much of it.
    pub profile: Arc<ClientProfile>,
}

impl Caller {
    /// Whether its token allows what needs `right`. The right of operators includes every other.
    pub fn may(&self, right: Right) -> bool {
        self.profile.may(right)
    }
}

/// What is known of the caller.
#[derive(Clone, Debug)]
pub enum Identity {
    /// Admitted.
    Known(Caller),
    /// Not admitted. Only a call that carries a provider's own credential (an avatar session
    /// token) may go on, as `stand_in`; every other gets `refusal`.
    Unknown {
        /// Why not.
        refusal: Refusal,
        /// The peer as a caller without rights.
        stand_in: Caller,
    },
}
