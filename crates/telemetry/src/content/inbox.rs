//! Where the exporter finds what was left for a span.

use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;

use keygate_domain::Redactor;
use opentelemetry::trace::SpanId;
use opentelemetry_sdk::trace::SpanData;
use tokio::sync::Mutex;

use super::desk::Left;
use super::told;

/// How many batches go by before what waits for its span waits for one that was never made a part of any.
const PATIENCE: u32 = 16;

/// What was left and not sent yet.
pub(crate) struct Inbox {
    waiting: Mutex<Waiting>,
    max_bytes: usize,
}

struct Waiting {
    arrivals: Receiver<Left>,
    by_span: BTreeMap<[u8; 8], (u32, Left)>,
    batch: u32,
}

impl Inbox {
    pub(super) fn new(arrivals: Receiver<Left>, max_bytes: usize) -> Self {
        let waiting = Waiting { arrivals, by_span: BTreeMap::new(), batch: 0 };
        Self { waiting: Mutex::new(waiting), max_bytes }
    }

    /// Puts what was left for the spans of a batch on them.
    pub(crate) async fn put_on(&self, batch: &mut [SpanData], redactor: &Redactor) {
        let mut waiting = self.waiting.lock().await;
        waiting.look();
        for span in batch {
            if let Some(left) = waiting.take(span.span_context.span_id()) {
                span.attributes.extend(told::attributes(&(left.read)(), redactor, self.max_bytes));
            }
        }
    }
}

impl Waiting {
    fn look(&mut self) {
        self.batch = self.batch.wrapping_add(1);
        let batch = self.batch;
        while let Ok(left) = self.arrivals.try_recv() {
            self.by_span.insert(left.span.to_bytes(), (batch, left));
        }
        self.by_span.retain(|_, (since, _)| batch.wrapping_sub(*since) < PATIENCE);
    }

    fn take(&mut self, span: SpanId) -> Option<Left> {
        self.by_span.remove(&span.to_bytes()).map(|(_, left)| left)
    }
}
