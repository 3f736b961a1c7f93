//! The span of asking the limiter: it includes the wait in the limiter's mailbox, and the plan's word.

use keygate_domain::{Refusal, UserId};
use tracing::{Span, field, info_span};

use super::{bounded, milliseconds, number};

/// What a user is asked for.
#[derive(Clone, Copy, Debug)]
pub struct AdmitFacts<'a> {
    /// Who.
    pub user: &'a UserId,
    /// What the call counts.
    pub units: u32,
    /// The user's plan, if the client's token names one.
    pub plan: Option<&'a str>,
}

/// Opens the span of one ask.
pub fn admit(parent: &Span, ask: &AdmitFacts<'_>) -> Span {
    if parent.is_disabled() {
        return Span::none();
    }
    info_span!(
        target: super::TARGET,
        parent: parent,
        "admit",
        otel.kind = "internal",
        otel.status_code = field::Empty,
        "error.type" = field::Empty,
        keygate.client = bounded(ask.user.client.as_str()),
        keygate.user = bounded(&ask.user.name),
        keygate.plan = ask.plan.map(bounded),
        keygate.units = i64::from(ask.units),
        keygate.admitted = field::Empty,
        keygate.limit = field::Empty,
        keygate.remaining = field::Empty,
        keygate.refusal = field::Empty,
        keygate.retry_after_ms = field::Empty,
    )
}

/// Records that the user may, and what is left of the minute.
pub fn record_admitted(span: &Span, limit: u32, remaining: u32) {
    if span.is_disabled() {
        return;
    }
    span.record("keygate.admitted", true);
    span.record("keygate.limit", number(u64::from(limit)));
    span.record("keygate.remaining", number(u64::from(remaining)));
}

/// Records that the user may not, and why.
pub fn record_not_admitted(span: &Span, refusal: &Refusal) {
    if span.is_disabled() {
        return;
    }
    span.record("keygate.admitted", false);
    span.record("keygate.refusal", bounded(&refusal.message));
    span.record("error.type", refusal.kind.as_str());
    span.record("otel.status_code", "ERROR");
    if let Some(wait) = refusal.retry_after {
        span.record("keygate.retry_after_ms", milliseconds(wait));
    }
}
