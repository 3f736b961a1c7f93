//! How often answers were given that no provider was asked for.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// Counts since the process began.
#[derive(Debug, Default)]
pub struct Tally {
    hits: AtomicU64,
    misses: AtomicU64,
    bypassed: AtomicU64,
    stored: AtomicU64,
}

/// The counts at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Told {
    /// Requests answered from the cache.
    pub hits: u64,
    /// Requests that were looked for there in vain.
    pub misses: u64,
    /// Requests that it had nothing to do with.
    pub bypassed: u64,
    /// Requests answered with a stored answer.
    pub stored: u64,
}

impl Tally {
    pub(crate) fn hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn missed(&self) {
        self.misses.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn bypassed(&self) {
        self.bypassed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stored(&self) {
        self.stored.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts.
    pub fn told(&self) -> Told {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Told {
            hits: read(&self.hits),
            misses: read(&self.misses),
            bypassed: read(&self.bypassed),
            stored: read(&self.stored),
        }
    }
}
