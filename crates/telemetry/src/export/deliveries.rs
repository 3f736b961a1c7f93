//! How much of what was sent arrived.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Signal {
    Traces,
    Metrics,
}

/// Batches that were sent by OTLP since the process began. Cheap to clone; all clones count the same.
#[derive(Clone, Debug, Default)]
pub struct Deliveries(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    traces: Count,
    metrics: Count,
}

#[derive(Debug, Default)]
struct Count {
    arrived: AtomicU64,
    failed: AtomicU64,
}

impl Deliveries {
    pub(crate) fn count(&self, signal: Signal, has_arrived: bool) {
        let count = match signal {
            Signal::Traces => &self.0.traces,
            Signal::Metrics => &self.0.metrics,
        };
        let number = if has_arrived { &count.arrived } else { &count.failed };
        number.fetch_add(1, Ordering::Relaxed);
    }

    /// What became of them, by signal and result.
    pub(crate) fn told(&self) -> [(&'static str, &'static str, u64); 4] {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let Counts { traces, metrics } = &*self.0;
        [
            ("traces", "ok", read(&traces.arrived)),
            ("traces", "failed", read(&traces.failed)),
            ("metrics", "ok", read(&metrics.arrived)),
            ("metrics", "failed", read(&metrics.failed)),
        ]
    }
}
