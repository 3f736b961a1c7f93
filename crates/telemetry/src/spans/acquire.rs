//! The span of asking the pool for a key: it includes the wait in the supervisor's mailbox.

use std::fmt::Display;
use std::time::Duration;

use keygate_domain::{Fault, GroupId, KeyId, ProviderName};
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

/// What is asked of a pool.
#[derive(Clone, Copy, Debug)]
pub struct AskFacts<'a> {
    /// Whose keys.
    pub provider: ProviderName,
    /// How one of the usable keys is chosen.
    pub strategy: &'static str,
    /// Of the request's attempts, which one the key is for; 1 for the first.
    pub attempt: u32,
    /// The user for whom it is: users take turns where there is a queue.
    pub user: &'a str,
}

/// What the pool had to decide with.
#[derive(Clone, Copy, Debug)]
pub struct ChoiceFacts<'a> {
    /// Keys that could be used for what was asked.
    pub usable_keys: usize,
    /// All keys.
    pub keys: usize,
    /// The quota bucket the request counts in, where it names a model.
    pub bucket: Option<&'a str>,
    /// Whether the request finds out if a provider in trouble serves again.
    pub is_trial: bool,
    /// Whether what it names lives in another group, and an equal one is made first.
    pub is_away: bool,
}

/// Why no key was given.
#[derive(Clone, Copy, Debug)]
pub struct RefusalFacts {
    /// In one word: `resting`.
    pub kind: &'static str,
    /// The fault that stands in the way, where it is one.
    pub fault: Option<Fault>,
    /// When there may be a key.
    pub retry_after: Option<Duration>,
}

/// Opens the span of one ask.
pub fn acquire(parent: &Span, ask: &AskFacts<'_>) -> Span {
    if parent.is_disabled() {
        return Span::none();
    }
    info_span!(
        target: super::TARGET,
        parent: parent,
        "acquire",
        otel.name = %format_args!("acquire {}", ask.provider),
        otel.kind = "internal",
        otel.status_code = field::Empty,
        "error.type" = field::Empty,
        keygate.provider = ask.provider.as_str(),
        keygate.strategy = ask.strategy,
        keygate.attempt = i64::from(ask.attempt),
        keygate.user = bounded(ask.user),
        keygate.key.id = field::Empty,
        keygate.key.label = field::Empty,
        keygate.key.index = field::Empty,
        keygate.group = field::Empty,
        keygate.bucket = field::Empty,
        keygate.keys.total = field::Empty,
        keygate.keys.usable = field::Empty,
        keygate.trial = field::Empty,
        keygate.away = field::Empty,
        keygate.refusal = field::Empty,
        keygate.refusal.kind = field::Empty,
        keygate.fault = field::Empty,
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

/// Records what the pool had to decide with.
pub fn record_choice(span: &Span, choice: &ChoiceFacts<'_>) {
    if span.is_disabled() {
        return;
    }
    span.record("keygate.keys.total", number(choice.keys as u64));
    span.record("keygate.keys.usable", number(choice.usable_keys as u64));
    if let Some(bucket) = choice.bucket {
        span.record("keygate.bucket", bounded(bucket));
    }
    if choice.is_trial {
        span.record("keygate.trial", true);
    }
    if choice.is_away {
        span.record("keygate.away", true);
    }
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

/// Records that no key was given, why, and when one may be.
pub fn record_pool_refusal(span: &Span, why: impl Display, facts: &RefusalFacts) {
    if span.is_disabled() {
        return;
    }
    let why = why.to_string();
    span.record("keygate.refusal", bounded(&why));
    span.record("keygate.refusal.kind", facts.kind);
    if let Some(fault) = facts.fault {
        span.record("keygate.fault", fault.as_str());
    }
    span.record("error.type", "no_key");
    span.record("otel.status_code", "ERROR");
    if let Some(wait) = facts.retry_after {
        span.record("keygate.retry_after_ms", milliseconds(wait));
    }
}
