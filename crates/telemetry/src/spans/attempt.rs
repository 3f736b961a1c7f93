//! The span of one request to the provider, until the last byte of its answer.

use std::time::Duration;

use keygate_domain::{Failure, Hint, Intent, Reset, Scope, Usage};
use keygate_provider::Metered;
use opentelemetry::{Array, Value};
use tracing::{Span, field, info, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{KeyFacts, bounded, milliseconds, names, number, record_key};

/// One request about to be sent.
#[derive(Clone, Copy, Debug)]
pub struct AttemptFacts<'a> {
    /// 1 for the first of a request.
    pub number: u32,
    /// What is asked.
    pub intent: &'a Intent,
    /// `gen_ai.provider.name`, from the catalogue.
    pub provider: &'static str,
    /// The provider's host and port.
    pub server: (&'a str, u16),
    /// The key used; `None` for a request that carries the caller's own credential.
    pub key: Option<KeyFacts<'a>>,
}

/// Opens the span of one attempt.
pub fn attempt(parent: &Span, facts: &AttemptFacts<'_>) -> Span {
    if parent.is_disabled() {
        return Span::none();
    }
    let span = open(parent, facts);
    if let Some(key) = &facts.key {
        record_key(&span, key);
    }
    span
}

fn open(parent: &Span, facts: &AttemptFacts<'_>) -> Span {
    let operation = facts.intent.operation.0;
    let model = facts.intent.model.as_ref().map(|model| bounded(model.as_str()));
    info_span!(
        target: super::TARGET,
        parent: parent,
        "attempt",
        otel.name = name(operation, model),
        otel.kind = "client",
        otel.status_code = field::Empty,
        otel.status_description = field::Empty,
        { names::OPERATION_NAME } = operation,
        { names::PROVIDER_NAME } = facts.provider,
        { names::REQUEST_MODEL } = model,
        { names::REQUEST_STREAM } = facts.intent.streaming.is_stream(),
        { names::RESPONSE_MODEL } = field::Empty,
        { names::RESPONSE_ID } = field::Empty,
        { names::RESPONSE_TIME_TO_FIRST_CHUNK } = field::Empty,
        { names::USAGE_INPUT_TOKENS } = field::Empty,
        { names::USAGE_OUTPUT_TOKENS } = field::Empty,
        { names::USAGE_CACHE_READ_INPUT_TOKENS } = field::Empty,
        { names::USAGE_REASONING_OUTPUT_TOKENS } = field::Empty,
        server.address = facts.server.0,
        server.port = i64::from(facts.server.1),
        http.response.status_code = field::Empty,
        "error.type" = field::Empty,
        keygate.attempt = i64::from(facts.number),
        keygate.key.id = field::Empty,
        keygate.key.label = field::Empty,
        keygate.key.index = field::Empty,
        keygate.group = field::Empty,
        keygate.fault = field::Empty,
        keygate.fault.scope = field::Empty,
        keygate.relay.bytes = field::Empty,
        keygate.relay.chunks = field::Empty,
    )
}

fn name(operation: &str, model: Option<&str>) -> String {
    model.map_or_else(|| operation.to_owned(), |model| format!("{operation} {model}"))
}

/// Records the status of the provider's answer.
pub fn record_answer_status(span: &Span, status: u16) {
    if span.is_disabled() {
        return;
    }
    span.record("http.response.status_code", i64::from(status));
    if status >= 400 {
        span.record("otel.status_code", "ERROR");
    }
}

/// Records how long the first byte of the answer's body took, counted from sending.
pub fn record_time_to_first_chunk(span: &Span, waited: Duration) {
    if !span.is_disabled() {
        span.record(names::RESPONSE_TIME_TO_FIRST_CHUNK, waited.as_secs_f64());
    }
}

/// Records how much of the answer went by, and in how many pieces.
pub fn record_relayed(span: &Span, bytes: u64, chunks: u64) {
    if span.is_disabled() {
        return;
    }
    span.record("keygate.relay.bytes", number(bytes));
    span.record("keygate.relay.chunks", number(chunks));
}

/// Records tokens. By the GenAI conventions output includes what was thought and input what
/// came from a cache; the provider reports thoughts apart.
pub fn record_usage(span: &Span, usage: &Usage) {
    if span.is_disabled() {
        return;
    }
    span.record(names::USAGE_INPUT_TOKENS, number(usage.input_tokens));
    span.record(names::USAGE_OUTPUT_TOKENS, number(usage.output_tokens.saturating_add(usage.thought_tokens)));
    if usage.cached_tokens > 0 {
        span.record(names::USAGE_CACHE_READ_INPUT_TOKENS, number(usage.cached_tokens));
    }
    if usage.thought_tokens > 0 {
        span.record(names::USAGE_REASONING_OUTPUT_TOKENS, number(usage.thought_tokens));
    }
}

/// Records what was seen of a successful answer: usage, who answered, why it stopped. A fault
/// told inside the answer is recorded by [`record_failure`].
pub fn record_metered(span: &Span, metered: &Metered) {
    if span.is_disabled() {
        return;
    }
    if let Some(usage) = &metered.usage {
        record_usage(span, usage);
    }
    if let Some(model) = &metered.response_model {
        span.record(names::RESPONSE_MODEL, bounded(model));
    }
    if let Some(id) = &metered.response_id {
        span.record(names::RESPONSE_ID, bounded(id));
    }
    if let Some(reason) = &metered.finish_reason {
        let reasons = Array::String(vec![bounded(reason).to_owned().into()]);
        span.set_attribute(names::RESPONSE_FINISH_REASONS, Value::Array(reasons));
    }
}

/// Records why an attempt failed, and as an event what that takes out of the pool: `cooldown`
/// for a while, `disabled` until a human cures it, plain `fault` when no key is to blame.
pub fn record_failure(span: &Span, failure: &Failure) {
    if span.is_disabled() {
        return;
    }
    let fault = failure.fault.as_str();
    span.record("keygate.fault", fault);
    span.record("keygate.fault.scope", scope_name(failure.scope));
    span.record("error.type", fault);
    span.record("otel.status_description", failure.fault.sentence());
    tell_consequence(span, failure);
}

fn tell_consequence(span: &Span, failure: &Failure) {
    let hint = &failure.hint;
    info!(
        target: super::TARGET,
        parent: span,
        {
            keygate.fault = failure.fault.as_str(),
            keygate.fault.scope = scope_name(failure.scope),
            keygate.metric = hint.metric.as_str(),
            keygate.limit = hint.limit.map(number),
            keygate.rest_ms = hint.retry_after.map(milliseconds),
            keygate.resets = resets(hint),
            keygate.reason = hint.reason,
        },
        "{}",
        consequence(failure)
    );
}

fn consequence(failure: &Failure) -> &'static str {
    match (failure.takes_out(), failure.hint.needs_human) {
        (false, _) => "fault",
        (true, false) => "cooldown",
        (true, true) => "disabled",
    }
}

fn resets(hint: &Hint) -> Option<String> {
    hint.resets.map(|reset| match reset {
        Reset::Midnight(zone) => format!("midnight {zone}"),
        Reset::MonthEnd(zone) => format!("month end {zone}"),
    })
}

fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Nothing => "nothing",
        Scope::Key => "key",
        Scope::KeyRoute => "key_route",
        Scope::Group => "group",
        Scope::GroupRoute => "group_route",
        Scope::GroupBucket => "group_bucket",
        Scope::GroupSessions => "group_sessions",
    }
}
