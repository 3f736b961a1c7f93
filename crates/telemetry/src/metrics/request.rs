//! One request, from its head to the last byte of its answer, as metrics see it.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use keygate_domain::{ErrorKind, ModelName, Moment, Operation, Usage};
use opentelemetry::trace::{TraceContextExt, TraceId};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::histogram::{Exemplar, add, microseconds};
use super::registry::Worker;
use super::series::{AttemptKey, AttemptSeries, ProviderSeries, RequestKey, RequestSeries, step};

/// What a caller that left before it was answered counts as.
const CALLER_LEFT: u16 = 499;

/// Where nobody found out what was wanted, and where there are too many.
const NOTHING: &str = "none";
const OTHER: &str = "other";

/// Counts one request; counts nothing if metrics are off. Cheap to clone, and never leaves its thread.
#[derive(Clone, Debug, Default)]
pub struct RequestMetrics(Option<Rc<Request>>);

#[derive(Debug)]
struct Request {
    worker: Rc<Worker>,
    series: Arc<ProviderSeries>,
    provider: &'static str,
    operation: Cell<&'static str>,
    status: Cell<u16>,
    /// Time that was not the gateway's.
    elsewhere: Cell<Duration>,
    /// What the answer took as far as it is known before its end.
    own_time: Cell<Option<Duration>>,
    first_byte: Cell<Option<Duration>>,
    trace: Option<TraceId>,
}

/// Which request to a provider.
#[derive(Clone, Copy, Debug)]
pub struct AttemptLabels<'a> {
    /// The provider by the GenAI conventions.
    pub otel: &'static str,
    /// Its operation.
    pub operation: Operation,
    /// The model that was asked, where the provider answered for it.
    pub model: Option<&'a ModelName>,
}

/// What is known of a request to a provider at its end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Served {
    /// What went wrong, if anything did.
    pub fault: Option<&'static str>,
    /// From sending to the last byte.
    pub took: Duration,
    /// From sending to the first bytes, of a streamed answer.
    pub first_chunk: Option<Duration>,
    /// The tokens that the provider reported.
    pub usage: Option<Usage>,
}

impl RequestMetrics {
    pub(super) fn new(worker: Rc<Worker>, provider: &'static str, span: &Span) -> Self {
        let series = worker.provider(provider);
        step(&series.running, 1);
        Self(Some(Rc::new(Request {
            worker,
            series,
            provider,
            operation: Cell::new(NOTHING),
            status: Cell::new(CALLER_LEFT),
            elsewhere: Cell::default(),
            own_time: Cell::default(),
            first_byte: Cell::default(),
            trace: trace_of(span),
        })))
    }

    /// Whether anything is counted: what has to be measured for it can be left out otherwise.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// What the request turned out to want.
    pub fn wants(&self, operation: Operation) {
        if let Some(request) = &self.0 {
            request.operation.set(operation.0);
        }
    }

    /// Time passed that is not the gateway's: the provider's, the caller's, a pause.
    pub fn spent_elsewhere(&self, time: Duration) {
        if let Some(request) = &self.0 {
            request.elsewhere.set(request.elsewhere.get().saturating_add(time));
        }
    }

    /// A key was waited for.
    pub fn waited(&self, time: Duration) {
        if let Some(request) = &self.0
            && !time.is_zero()
        {
            request.series.queue_wait.count_time(time);
            self.spent_elsewhere(time);
        }
    }

    /// A streamed answer begins to go by; until what is returned is dropped.
    pub fn streams(&self) -> Streaming {
        if let Some(request) = &self.0 {
            step(&request.series.streams, 1);
        }
        Streaming(self.0.clone())
    }

    /// The provider answered a request with this status.
    pub fn provider_answered(&self, status: u16) {
        if let Some(request) = &self.0
            && status == 429
        {
            add(&request.series.refused_429, 1);
        }
    }

    /// A request to the provider ended.
    pub fn attempted(&self, labels: &AttemptLabels<'_>, served: &Served) {
        let Some(request) = &self.0 else { return };
        let key = AttemptKey {
            provider: request.provider,
            otel: labels.otel,
            operation: labels.operation.0,
            fault: served.fault.unwrap_or(NOTHING),
            model: labels.model.and_then(|model| request.worker.label(request.provider, model)),
        };
        let other = || AttemptKey { operation: OTHER, model: None, ..key.clone() };
        let series = request.worker.sheet.attempts.at(&key, other, AttemptSeries::new);
        series.duration.count_time(served.took);
        if let Some(first_chunk) = served.first_chunk {
            series.first_chunk.count_time(first_chunk);
        }
        if let Some(usage) = &served.usage {
            count_tokens(&series, usage);
        }
    }

    /// The gateway itself refuses.
    pub fn refused(&self, kind: ErrorKind) {
        let Some(request) = &self.0 else { return };
        let key = (request.provider, kind.as_str());
        let count = request.worker.sheet.refusals.at(&key, || (request.provider, OTHER), AtomicU64::default);
        add(&count, 1);
    }

    /// The answer goes to the caller from here on, `after` the head of the request was read.
    pub fn answered(&self, status: u16, after: Duration, is_stream: bool) {
        let Some(request) = &self.0 else { return };
        request.status.set(status);
        request.own_time.set(Some(after.saturating_sub(request.elsewhere.get())));
        request.first_byte.set(is_stream.then_some(after));
    }

    /// A connection was open, and is over: how long it was is nothing that the gateway took.
    pub fn connected(&self, status: u16) {
        if let Some(request) = &self.0 {
            request.status.set(status);
        }
    }

    /// The last byte went to the caller, or it left. Once.
    pub fn ended(&self, after: Duration, now: impl FnOnce() -> Moment) {
        let Some(request) = &self.0 else { return };
        step(&request.series.running, -1);
        let key = RequestKey {
            provider: request.provider,
            operation: request.operation.get(),
            status: request.status.get(),
        };
        let other = || RequestKey { operation: OTHER, ..key };
        let series = request.worker.sheet.requests.at(&key, other, RequestSeries::new);
        let place = series.duration.count_time(after);
        if let Some(trace) = request.trace {
            let at_ms = now().wall.as_millisecond();
            series.duration.keep(place, Exemplar { trace, value: microseconds(after), at_ms });
        }
        if let Some(own_time) = request.own_time.get() {
            series.own_time.count_time(own_time);
        }
        if let Some(first_byte) = request.first_byte.get() {
            series.first_byte.count_time(first_byte);
        }
    }
}

/// A streamed answer on its way.
#[derive(Debug, Default)]
pub struct Streaming(Option<Rc<Request>>);

impl Drop for Streaming {
    fn drop(&mut self) {
        if let Some(request) = &self.0 {
            step(&request.series.streams, -1);
        }
    }
}

fn count_tokens(series: &AttemptSeries, usage: &Usage) {
    series.input.count(usage.input_tokens);
    series.output.count(usage.output_tokens.saturating_add(usage.thought_tokens));
    if usage.thought_tokens > 0 {
        add(&series.thought_tokens, usage.thought_tokens);
    }
    if usage.cached_tokens > 0 {
        add(&series.cached_tokens, usage.cached_tokens);
    }
}

/// The trace of a sampled request.
fn trace_of(span: &Span) -> Option<TraceId> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let ids = context.span().span_context().clone();
    (ids.is_valid() && ids.is_sampled()).then(|| ids.trace_id())
}
