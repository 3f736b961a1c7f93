//! Requests and attempts as metrics see them: from their beginning to the last byte.

use std::time::Duration;

use keygate_actors::clock;
use keygate_domain::{Failure, ModelName, Moment, Operation, ProviderName, Refusal};
use keygate_provider::Metered;
use keygate_telemetry::metrics::{AttemptLabels, RequestMetrics, Served, Streaming};
use tracing::Span;

use crate::attempt::Attempt;
use crate::settle::Ending;
use crate::{Answer, AnswerBody, House};

/// What an attempt came to that its caller did not wait for.
const ABANDONED: &str = "abandoned";

/// One request, from its head until this is dropped: it goes along with a streamed answer.
#[derive(Debug)]
pub struct RequestTimer {
    metrics: RequestMetrics,
    began: Moment,
}

impl RequestTimer {
    /// A request whose head was read when it `began`; `span` is that of the whole request.
    pub fn start(house: &House, provider: Option<ProviderName>, span: &Span, began: Moment) -> Self {
        let metrics = house.metrics.as_ref().map(|metrics| metrics.request(provider, span));
        Self { metrics: metrics.unwrap_or_default(), began }
    }

    /// What counts it, for its call.
    pub fn metrics(&self) -> RequestMetrics {
        self.metrics.clone()
    }

    /// The time since it began; nothing where nobody counts.
    pub fn lap(&self) -> Duration {
        if self.metrics.is_on() { clock::since(self.began) } else { Duration::ZERO }
    }

    /// It is answered. A streamed answer takes the timer along.
    pub fn answered(self, answer: &mut Answer) {
        let status = answer.status.as_u16();
        match &mut answer.body {
            AnswerBody::Whole(_) => self.metrics.answered(status, self.lap(), false),
            AnswerBody::Stream { relay, .. } => {
                self.metrics.answered(status, self.lap(), true);
                relay.accompany(self);
            }
        }
    }

    /// The gateway itself refuses it, with this status.
    pub fn refused(self, refusal: &Refusal, status: u16) {
        self.metrics.refused(refusal.kind);
        self.metrics.answered(status, self.lap(), false);
    }

    /// It was a connection, and that is over.
    pub fn connected(self) {
        self.metrics.connected(101);
    }
}

impl Drop for RequestTimer {
    fn drop(&mut self) {
        if self.metrics.is_on() {
            if std::thread::panicking() {
                self.metrics.connected(500);
            }
            self.metrics.ended(clock::since(self.began), clock::now);
        }
    }
}

/// One attempt, from sending until it is told what became of it; if it is dropped before, nobody waited.
pub(crate) struct AttemptTimer {
    metrics: RequestMetrics,
    otel: &'static str,
    operation: Operation,
    model: Option<ModelName>,
    is_stream: bool,
    sent: Moment,
    /// When the answer could go to the caller.
    opened: Option<Duration>,
    streaming: Option<Streaming>,
    is_told: bool,
}

impl AttemptTimer {
    pub(crate) fn start(attempt: &Attempt<'_>, sent: Moment) -> Self {
        Self {
            metrics: attempt.call.metrics.clone(),
            otel: attempt.lane.adapter.otel_name,
            operation: attempt.intent.operation,
            model: attempt.intent.model.clone(),
            is_stream: attempt.intent.streaming.is_stream(),
            sent,
            opened: None,
            streaming: None,
            is_told: false,
        }
    }

    /// The answer can go to the caller: until here the provider was waited for.
    pub(crate) fn opened(&mut self) {
        if self.metrics.is_on() {
            let waited = clock::since(self.sent);
            self.metrics.spent_elsewhere(waited);
            self.opened = Some(waited);
        }
    }

    /// What is open goes on for a while.
    pub(crate) fn streams(&mut self) {
        self.streaming = Some(self.metrics.streams());
    }

    /// It came to nothing that could go to the caller.
    pub(crate) fn failed(mut self, failure: &Failure, status: Option<u16>) {
        if let Some(status) = status {
            self.metrics.provider_answered(status);
        }
        self.tell(Some(failure.fault.as_str()), None);
    }

    /// The answer has ended.
    pub(crate) fn served(mut self, metered: &Metered, ending: Ending) {
        let told = metered.failure.as_ref().map(|failure| failure.fault.as_str());
        let fault = match ending {
            Ending::Complete => told,
            Ending::Cut(fault) => Some(fault.as_str()),
            Ending::Abandoned => told.or(Some(ABANDONED)),
        };
        self.tell(fault, Some(metered));
    }

    fn tell(&mut self, fault: Option<&'static str>, metered: Option<&Metered>) {
        self.is_told = true;
        if !self.metrics.is_on() {
            return;
        }
        let took = clock::since(self.sent);
        if self.opened.is_none() {
            self.metrics.spent_elsewhere(took);
        }
        // A model that nobody has served is what a caller made of it, and no label.
        let model = self.model.as_ref().filter(|_| self.opened.is_some());
        let labels = AttemptLabels { otel: self.otel, operation: self.operation, model };
        let first_chunk = self.opened.filter(|_| self.is_stream);
        let usage = metered.and_then(|metered| metered.usage);
        self.metrics.attempted(&labels, &Served { fault, took, first_chunk, usage });
    }
}

impl Drop for AttemptTimer {
    fn drop(&mut self) {
        if !self.is_told {
            self.tell(Some(ABANDONED), None);
        }
    }
}
