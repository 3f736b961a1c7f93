//! Reads the trace a caller's request belongs to, from its W3C `traceparent` header.
//!
//! There is no way out of here: nothing of the gateway's own goes upstream, and a provider has no
//! business learning the trace ids of its customers. `tracestate` is left alone for the same
//! reason: it is other vendors' text, and with no hop after this one nobody would read it.

use http::{HeaderMap, HeaderName};
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// `00-` + 32 + `-` + 16 + `-01`; a later version may be longer.
const SHORTEST: usize = 55;

/// The caller's span, if the request names a valid one.
pub(crate) struct RemoteParent(Context);

impl RemoteParent {
    /// Reads the header. An unreadable one counts as none, as the recommendation wants it.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        // The common request has no such header and must not pay for the propagator, which also
        // takes ids that are too short.
        headers.get(TRACEPARENT).filter(|value| value.len() >= SHORTEST)?;
        let context =
            TraceContextPropagator::new().extract_with_context(&Context::new(), &Traceparent(headers));
        context.span().span_context().is_valid().then_some(Self(context))
    }

    /// Whether the caller's own tracing keeps this trace.
    pub(crate) fn is_sampled(&self) -> bool {
        self.0.span().span_context().is_sampled()
    }

    /// Makes `span`, which must be new, a child of the caller's.
    pub(crate) fn adopt(self, span: &Span) {
        // It fails only where no trace is recorded, and then there is nothing to connect.
        let _ = span.set_parent(self.0);
    }
}

struct Traceparent<'a>(&'a HeaderMap);

impl Extractor for Traceparent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        if key != TRACEPARENT.as_str() {
            return None;
        }
        self.0.get(TRACEPARENT)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::sampled("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Some(true))]
    #[case::not_sampled("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", Some(false))]
    #[case::zero_trace("00-00000000000000000000000000000000-00f067aa0ba902b7-01", None)]
    #[case::zero_span("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", None)]
    #[case::short("00-4bf9-00f0-01", None)]
    #[case::forbidden_version("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None)]
    #[case::nonsense("hello", None)]
    fn reads_the_flag_or_nothing(#[case] header: &str, #[case] expected: Option<bool>) {
        let headers = HeaderMap::from_iter([(TRACEPARENT, header.parse().unwrap())]);
        assert_eq!(RemoteParent::of(&headers).map(|parent| parent.is_sampled()), expected);
    }

    #[test]
    fn no_header_is_no_parent() {
        assert!(RemoteParent::of(&HeaderMap::new()).is_none());
    }
}
