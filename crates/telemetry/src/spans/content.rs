//! What goes along with a span besides what is recorded on it.

use opentelemetry::trace::TraceContextExt;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::names;
use crate::content::ContentSlip;
use crate::sampling;

/// Where prompt and answer of an attempt are left for its span; nowhere if it is not traced, or they stay in the
/// house. Costs one comparison then.
pub fn content_slip(span: &Span) -> Option<ContentSlip> {
    if span.is_disabled() {
        return None;
    }
    let desk = sampling::desk()?;
    let context = span.context();
    Some(desk.slip(context.span().span_context().span_id()))
}

/// Records that the content of a span is missing: it is too large, or too much is on its way.
pub fn record_content_missing(span: &Span) {
    if !span.is_disabled() {
        span.set_attribute(names::CONTENT_TRUNCATED, true);
    }
}
