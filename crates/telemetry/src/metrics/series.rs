//! What one worker counts for one set of labels.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use keygate_domain::ModelName;

use super::histogram::{DURATIONS, Histogram, OWN_TIMES, TOKEN_COUNTS};

/// Most sets of labels of one kind and worker; far more than operations, statuses and models make.
const MOST_SERIES: usize = 2048;

/// Which requests of callers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct RequestKey {
    pub(crate) provider: &'static str,
    pub(crate) operation: &'static str,
    pub(crate) status: u16,
}

/// Which requests to a provider.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct AttemptKey {
    pub(crate) provider: &'static str,
    /// The provider by the GenAI conventions.
    pub(crate) otel: &'static str,
    pub(crate) operation: &'static str,
    /// What went wrong; `none` where nothing did.
    pub(crate) fault: &'static str,
    /// The model, where it answered; `None` is any other.
    pub(crate) model: Option<ModelName>,
}

/// Requests of callers.
#[derive(Debug)]
pub(crate) struct RequestSeries {
    pub(crate) duration: Histogram,
    pub(crate) first_byte: Histogram,
    pub(crate) own_time: Histogram,
}

impl RequestSeries {
    pub(crate) fn new() -> Self {
        Self {
            duration: Histogram::with_exemplars(&DURATIONS),
            first_byte: Histogram::new(&DURATIONS),
            own_time: Histogram::new(&OWN_TIMES),
        }
    }
}

/// Requests to a provider.
#[derive(Debug)]
pub(crate) struct AttemptSeries {
    pub(crate) duration: Histogram,
    pub(crate) first_chunk: Histogram,
    /// Tokens of requests, thoughts among the output.
    pub(crate) input: Histogram,
    pub(crate) output: Histogram,
    pub(crate) thought_tokens: AtomicU64,
    pub(crate) cached_tokens: AtomicU64,
}

impl AttemptSeries {
    pub(crate) fn new() -> Self {
        Self {
            duration: Histogram::new(&DURATIONS),
            first_chunk: Histogram::new(&DURATIONS),
            input: Histogram::new(&TOKEN_COUNTS),
            output: Histogram::new(&TOKEN_COUNTS),
            thought_tokens: AtomicU64::new(0),
            cached_tokens: AtomicU64::new(0),
        }
    }
}

/// What is known by the provider alone.
#[derive(Debug)]
pub(crate) struct ProviderSeries {
    pub(crate) running: AtomicI64,
    pub(crate) streams: AtomicI64,
    pub(crate) refused_429: AtomicU64,
    pub(crate) queue_wait: Histogram,
}

impl ProviderSeries {
    pub(crate) fn new() -> Self {
        Self {
            running: AtomicI64::new(0),
            streams: AtomicI64::new(0),
            refused_429: AtomicU64::new(0),
            queue_wait: Histogram::new(&DURATIONS),
        }
    }
}

/// Moves a number that only this worker writes.
pub(crate) fn step(number: &AtomicI64, by: i64) {
    number.store(number.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
}

/// All series of one kind. One worker makes them, anybody reads.
#[derive(Debug)]
pub(crate) struct Table<K, S>(ArcSwap<BTreeMap<K, Arc<S>>>);

impl<K, S> Default for Table<K, S> {
    fn default() -> Self {
        Self(ArcSwap::from_pointee(BTreeMap::new()))
    }
}

impl<K: Ord + Clone, S> Table<K, S> {
    /// The series of `key`, made if it is the first time; that of `other` once there are too many.
    pub(crate) fn at(&self, key: &K, other: impl FnOnce() -> K, make: impl FnOnce() -> S) -> Arc<S> {
        let known = self.0.load();
        if let Some(series) = known.get(key) {
            return Arc::clone(series);
        }
        let key = if known.len() < MOST_SERIES { key.clone() } else { other() };
        if let Some(series) = known.get(&key) {
            return Arc::clone(series);
        }
        let series = Arc::new(make());
        let mut more = BTreeMap::clone(&known);
        more.insert(key, Arc::clone(&series));
        self.0.store(Arc::new(more));
        series
    }

    pub(crate) fn read(&self) -> Arc<BTreeMap<K, Arc<S>>> {
        self.0.load_full()
    }
}
