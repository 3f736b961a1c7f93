//! The span of a whole request, from its head to the last byte of its answer.

use http::header::USER_AGENT;
use http::{HeaderMap, Method};
use keygate_domain::{ErrorKind, Intent, KeyId, ModelName, ProviderName, UserId};
use opentelemetry::trace::TraceContextExt;
use tracing::{Span, field, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::bounded;
use crate::propagation::RemoteParent;
use crate::sampling;

/// A request whose head was read.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path without its query: a query may hold a credential.
    pub path: &'a str,
    /// The headers, for `traceparent` and `user-agent`.
    pub headers: &'a HeaderMap,
    /// The id told to the caller in `x-request-id`.
    pub request_id: &'a str,
}

/// Opens the span of a request, or a disabled one if the request is not to be traced.
///
/// The choice is made here and not by the SDK's sampler, which runs after a span with all its
/// attributes was built: a `traceparent` decides by its flag, else the configured share does.
pub fn root(arrival: &Arrival<'_>) -> Span {
    if !tracing::enabled!(target: super::TARGET, tracing::Level::INFO) {
        return Span::none();
    }
    let parent = RemoteParent::of(arrival.headers);
    if !sampling::decide(parent.as_ref().map(RemoteParent::is_sampled)) {
        return Span::none();
    }
    let span = open(arrival);
    if let Some(parent) = parent {
        parent.adopt(&span);
    }
    span
}

fn open(arrival: &Arrival<'_>) -> Span {
    let agent = arrival.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    info_span!(
        target: super::TARGET,
        parent: None,
        "request",
        otel.name = arrival.method.as_str(),
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = arrival.method.as_str(),
        http.route = field::Empty,
        http.response.status_code = field::Empty,
        url.path = bounded(arrival.path.split('?').next().unwrap_or_default()),
        user_agent.original = agent.map(bounded),
        "error.type" = field::Empty,
        keygate.request_id = arrival.request_id,
        keygate.client = field::Empty,
        keygate.user = field::Empty,
        keygate.project = field::Empty,
        keygate.provider = field::Empty,
        keygate.model = field::Empty,
        keygate.fallback_model = field::Empty,
        keygate.source = field::Empty,
        keygate.cache = field::Empty,
        keygate.key.id = field::Empty,
        keygate.attempts = field::Empty,
        keygate.error = field::Empty,
    )
}

/// Records who calls.
pub fn record_caller(span: &Span, user: &UserId) {
    if span.is_disabled() {
        return;
    }
    span.record("keygate.client", bounded(user.client.as_str()));
    span.record("keygate.user", bounded(&user.name));
}

/// Records what the backend says its request belongs to.
pub fn record_project(span: &Span, project: &str) {
    span.record("keygate.project", bounded(project));
}

/// Records what the request turned out to want, and names the span after its route.
pub fn record_intent(span: &Span, method: &Method, provider: ProviderName, intent: &Intent) {
    if span.is_disabled() {
        return;
    }
    span.context().span().update_name(format!("{method} {}", intent.route));
    span.record("http.route", intent.route);
    span.record("keygate.provider", provider.as_str());
    if let Some(model) = &intent.model {
        span.record("keygate.model", bounded(model.as_str()));
    }
}

/// Records what the caller was answered: the status, how many requests went to the provider, and
/// the key that served or was tried last.
pub fn record_response(span: &Span, status: u16, attempts: u32, key: Option<&KeyId>) {
    if span.is_disabled() {
        return;
    }
    span.record("http.response.status_code", i64::from(status));
    span.record("keygate.attempts", i64::from(attempts));
    if let Some(key) = key {
        span.record("keygate.key.id", key.as_str());
    }
    // By the HTTP conventions a 4xx is no error of the server that answers it.
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}

/// Records that the answer does not come from the model that was asked just now: from which other model, or
/// from where.
pub fn record_stand_in(span: &Span, source: &'static str, model: Option<&ModelName>) {
    if span.is_disabled() {
        return;
    }
    span.record("keygate.source", source);
    if let Some(model) = model {
        span.record("keygate.fallback_model", bounded(model.as_str()));
    }
}

/// Records what the cache had to do with the answer: `hit`, `miss` or `bypass`.
pub fn record_cache(span: &Span, used: &'static str) {
    span.record("keygate.cache", used);
}

/// Records that the gateway itself refused.
pub fn record_refusal(span: &Span, kind: ErrorKind) {
    if span.is_disabled() {
        return;
    }
    span.record("error.type", kind.as_str());
    span.record("keygate.error", kind.as_str());
}
