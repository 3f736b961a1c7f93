//! Takes secrets out of spans, and tells once when they cannot be delivered.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keygate_domain::Redactor;
use opentelemetry::trace::Status;
use opentelemetry::{Array, KeyValue, StringValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tracing::{info, warn};

use super::deliveries::{Deliveries, Signal};
use crate::content::Inbox;

/// Most text of spans that is sent in one message: collectors take 4 MiB.
const MOST_MESSAGE_BYTES: usize = 2 * 1024 * 1024;

/// An exporter that hands clean spans to another. It runs on the exporter's thread.
pub(crate) struct RedactingExporter<E> {
    redactor: Redactor,
    inner: E,
    /// Whether the last batch was lost; shared with who has to know at the end.
    failing: Arc<AtomicBool>,
    deliveries: Deliveries,
    /// Where prompts and answers wait for their spans.
    content: Option<Inbox>,
}

impl<E> RedactingExporter<E> {
    /// Cleans for `inner`.
    pub(crate) fn new(redactor: Redactor, inner: E, deliveries: Deliveries, content: Option<Inbox>) -> Self {
        Self { redactor, inner, failing: Arc::default(), deliveries, content }
    }

    /// Tells, now and later, whether the last batch was lost.
    pub(crate) fn failing(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.failing)
    }

    /// A receiver that is away fails every batch: only the change is worth a line.
    fn tell_change(&self, result: &OTelSdkResult) {
        self.deliveries.count(Signal::Traces, result.is_ok());
        let was_failing = self.failing.swap(result.is_err(), Ordering::Relaxed);
        match result {
            Err(error) if !was_failing => {
                warn!(
                    event = "traces.failed",
                    error = error.to_string(),
                    "traces are not delivered; requests are not affected"
                );
            }
            Ok(()) if was_failing => info!(event = "traces.recovered", "traces are delivered again"),
            Ok(()) | Err(_) => {}
        }
    }
}

impl<E> fmt::Debug for RedactingExporter<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedactingExporter")
    }
}

impl<E: SpanExporter> SpanExporter for RedactingExporter<E> {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        if let Some(content) = &self.content {
            content.put_on(&mut batch, &self.redactor).await;
        }
        for span in &mut batch {
            scrub_span(&self.redactor, span);
        }
        let mut all = Ok(());
        for message in messages(batch) {
            let sent = self.inner.export(message).await;
            self.tell_change(&sent);
            all = all.and(sent);
        }
        all
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// A batch in pieces of a size that receivers take; one, unless its spans carry much.
fn messages(batch: Vec<SpanData>) -> Vec<Vec<SpanData>> {
    let (mut messages, mut message, mut bytes) = (Vec::new(), Vec::new(), 0);
    for span in batch {
        let size = text_bytes(&span);
        if bytes + size > MOST_MESSAGE_BYTES && !message.is_empty() {
            messages.push(std::mem::take(&mut message));
            bytes = 0;
        }
        bytes += size;
        message.push(span);
    }
    messages.push(message);
    messages
}

fn text_bytes(span: &SpanData) -> usize {
    let texts = span.attributes.iter().map(|attribute| match &attribute.value {
        Value::String(text) => text.as_str().len(),
        Value::Bool(_) | Value::I64(_) | Value::F64(_) | Value::Array(_) | _ => 0,
    });
    texts.sum()
}

fn scrub_span(redactor: &Redactor, span: &mut SpanData) {
    scrub_cow(redactor, &mut span.name);
    scrub_attributes(redactor, &mut span.attributes);
    for event in &mut span.events.events {
        scrub_cow(redactor, &mut event.name);
        scrub_attributes(redactor, &mut event.attributes);
    }
    for link in &mut span.links.links {
        scrub_attributes(redactor, &mut link.attributes);
    }
    if let Status::Error { description } = &mut span.status {
        scrub_cow(redactor, description);
    }
}

fn scrub_attributes(redactor: &Redactor, attributes: &mut [KeyValue]) {
    for attribute in attributes {
        match &mut attribute.value {
            Value::String(text) => scrub_value(redactor, text),
            Value::Array(Array::String(texts)) => {
                for text in texts {
                    scrub_value(redactor, text);
                }
            }
            Value::Bool(_)
            | Value::I64(_)
            | Value::F64(_)
            | Value::Array(Array::Bool(_) | Array::I64(_) | Array::F64(_)) => {}
            // The enum is open: what it may come to hold one day is not sent unseen.
            unknown @ (Value::Array(_) | _) => *unknown = Value::String("***".into()),
        }
    }
}

fn scrub_value(redactor: &Redactor, text: &mut StringValue) {
    if let Cow::Owned(clean) = redactor.scrub_text(text.as_str()) {
        *text = clean.into();
    }
}

fn scrub_cow(redactor: &Redactor, text: &mut Cow<'static, str>) {
    if let Cow::Owned(clean) = redactor.scrub_text(text) {
        *text = Cow::Owned(clean);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc::{Sender, channel};

    use opentelemetry_sdk::error::OTelSdkError;

    use super::*;
    use crate::{LogFormat, Telemetry, TelemetrySettings};

    #[derive(Debug)]
    struct ScriptedReceiver(AtomicUsize);

    impl SpanExporter for ScriptedReceiver {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                1 | 2 => Err(OTelSdkError::InternalFailure("connection refused".into())),
                _ => Ok(()),
            }
        }
    }

    struct Lines(Sender<Vec<u8>>);

    impl Write for Lines {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.send(line.to_vec()).map_err(io::Error::other)?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_receiver_that_goes_and_comes_back_is_told_once_each() {
        let settings = TelemetrySettings {
            log_format: LogFormat::Pretty,
            log_level: "info".into(),
            otlp: None,
            service_version: String::new(),
        };
        let redactor = Redactor::new([], &[]).unwrap();
        let (sink, lines) = channel();
        let (dispatch, telemetry) =
            Telemetry::prepare(&settings, redactor.clone(), Lines(sink), false).unwrap();
        let exporter =
            RedactingExporter::new(redactor, ScriptedReceiver(0.into()), Deliveries::default(), None);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        tracing::dispatcher::with_default(&dispatch, || {
            runtime.block_on(async {
                for _batch in 0..5 {
                    let _ = exporter.export(Vec::new()).await;
                }
            });
        });
        telemetry.shutdown();
        let text = String::from_utf8(lines.try_iter().flatten().collect()).unwrap();
        assert_eq!(text.matches("traces are not delivered").count(), 1, "{text}");
        assert_eq!(text.matches("traces are delivered again").count(), 1, "{text}");
    }
}
