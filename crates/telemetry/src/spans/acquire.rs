//! The span of asking the pool for a key: it includes the wait in the supervisor's mailbox.

use std::fmt::Display;
use std::time::Duration;

use keygate_domain::{GroupId, KeyId, ProviderName};
use opentelemetry::{Array, StringValue, Value};
use tracing::{Span, field, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{bounded, milliseconds, number};

/// Most keys named as skipped; a pool may hold thousands.
const MOST_SKIPPED: usize = 16;

/// The public side of a leased key.
#[derive(Clone, Copy, Debug)]
pub struct KeyFacts<'a> {
    /// Its id.
    pub id: &'a KeyId,
    /// What operators call it.
    pub label: &'a str,
    /// Its position in the pool.
    pub index: usize,
    /// Its quota group.
    pub group: &'a GroupId,
}

/// Opens the span of one ask.
pub fn acquire(parent: &Span, provider: ProviderName) -> Span {
    if parent.is_disabled() {
        return Span::none();
    }
    info_span!(
        target: super::TARGET,
        parent: parent,
        "acquire",
        otel.name = %format_args!("acquire {provider}"),
        otel.kind = "internal",
        otel.status_code = field::Empty,
        "error.type" = field::Empty,
        keygate.provider = provider.as_str(),
        keygate.key.id = field::Empty,
        keygate.key.label = field::Empty,
        keygate.key.index = field::Empty,
        keygate.group = field::Empty,
        keygate.refusal = field::Empty,
        keygate.retry_after_ms = field::Empty,
        keygate.waited_ms = field::Empty,
    )
}

/// Records the key that was leased; on the span of the ask or of the attempt.
pub fn record_key(span: &Span, key: &KeyFacts<'_>) {
    if span.is_disabled() {
        return;
    }
    span.record("keygate.key.id", key.id.as_str());
    span.record("keygate.key.label", bounded(key.label));
    span.record("keygate.key.index", number(key.index as u64));
    span.record("keygate.group", bounded(key.group.as_str()));
}

/// Records how long the key was waited for in the queue; nothing when it came at once.
pub fn record_waited(span: &Span, waited: Duration) {
    if !waited.is_zero() {
        span.record("keygate.waited_ms", milliseconds(waited));
    }
}

/// Records which keys were passed over and why, each as `<key id> <why>`; 16 at most.
pub fn record_skipped<'a, W: Display>(span: &Span, skipped: impl IntoIterator<Item = (&'a KeyId, W)>) {
    if span.is_disabled() {
        return;
    }
    let told: Vec<StringValue> =
        skipped.into_iter().take(MOST_SKIPPED).map(|(key, why)| format!("{key} {why}").into()).collect();
    if !told.is_empty() {
        span.set_attribute("keygate.skipped", Value::Array(Array::String(told)));
    }
}

/// Records that no key was given, and when one may be.
pub fn record_pool_refusal(span: &Span, why: impl Display, retry_after: Option<Duration>) {
    if span.is_disabled() {
        return;
    }
    let why = why.to_string();
    span.record("keygate.refusal", bounded(&why));
    span.record("error.type", "no_key");
    span.record("otel.status_code", "ERROR");
    if let Some(wait) = retry_after {
        span.record("keygate.retry_after_ms", milliseconds(wait));
    }
}
