//! How often a value fell into which range.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use opentelemetry::trace::TraceId;

/// What a histogram's whole numbers are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    /// Told in seconds.
    Microseconds,
    /// Told as they are.
    Tokens,
}

impl Unit {
    /// A sum or a bound as it is told.
    pub(crate) fn told(self, value: u64) -> f64 {
        match self {
            Self::Microseconds => value as f64 / 1e6,
            Self::Tokens => value as f64,
        }
    }
}

/// Where ranges end.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Ranges {
    pub(crate) unit: Unit,
    pub(crate) ends: &'static [u64],
}

/// Requests as a whole, by the GenAI conventions, and a little below and above: a refusal takes less than a
/// millisecond, a video minutes.
pub(crate) static DURATIONS: Ranges = Ranges {
    unit: Unit::Microseconds,
    ends: &[
        1_000,
        5_000,
        10_000,
        20_000,
        40_000,
        80_000,
        160_000,
        320_000,
        640_000,
        1_280_000,
        2_560_000,
        5_120_000,
        10_240_000,
        20_480_000,
        40_960_000,
        81_920_000,
        163_840_000,
    ],
};

/// The gateway's own part of a request.
pub(crate) static OWN_TIMES: Ranges = Ranges {
    unit: Unit::Microseconds,
    ends: &[100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000],
};

/// Tokens of a request, by the GenAI conventions.
pub(crate) static TOKEN_COUNTS: Ranges = Ranges {
    unit: Unit::Tokens,
    ends: &[
        1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216,
        67_108_864,
    ],
};

/// A request that fell into a range, and its trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Exemplar {
    pub(crate) trace: TraceId,
    /// In the unit of its histogram.
    pub(crate) value: u64,
    /// Milliseconds since 1970.
    pub(crate) at_ms: i64,
}

/// Counted by one worker, read by everybody.
#[derive(Debug)]
pub(crate) struct Histogram {
    ranges: &'static Ranges,
    /// One for each range, and one for what is larger than all.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
    exemplars: Box<[ArcSwapOption<Exemplar>]>,
}

impl Histogram {
    pub(crate) fn new(ranges: &'static Ranges) -> Self {
        let places = ranges.ends.len() + 1;
        Self {
            ranges,
            counts: (0..places).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
            exemplars: Box::default(),
        }
    }

    /// One that remembers a traced request for each range.
    pub(crate) fn with_exemplars(ranges: &'static Ranges) -> Self {
        let places = ranges.ends.len() + 1;
        Self { exemplars: (0..places).map(|_| ArcSwapOption::empty()).collect(), ..Self::new(ranges) }
    }

    /// Counts a value; returns which range it fell into.
    pub(crate) fn count(&self, value: u64) -> usize {
        let place = self.ranges.ends.partition_point(|end| *end < value);
        if let Some(count) = self.counts.get(place) {
            add(count, 1);
        }
        add(&self.sum, value);
        place
    }

    /// Counts a length of time.
    pub(crate) fn count_time(&self, time: Duration) -> usize {
        self.count(microseconds(time))
    }

    /// Remembers a traced request that fell into the range.
    pub(crate) fn keep(&self, place: usize, exemplar: Exemplar) {
        if let Some(kept) = self.exemplars.get(place) {
            kept.store(Some(Arc::new(exemplar)));
        }
    }

    pub(crate) fn read(&self) -> Distribution {
        Distribution {
            ranges: self.ranges,
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: self.sum.load(Ordering::Relaxed),
            exemplars: self.exemplars.iter().map(|kept| kept.load().as_deref().copied()).collect(),
        }
    }
}

/// A histogram at one moment, or several of them added up.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Distribution {
    pub(crate) ranges: &'static Ranges,
    pub(crate) counts: Vec<u64>,
    pub(crate) sum: u64,
    /// As many as counts, or none.
    pub(crate) exemplars: Vec<Option<Exemplar>>,
}

impl Distribution {
    /// Whether nothing was counted.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| *count == 0)
    }

    /// Adds another of the same ranges. Of two exemplars the younger one stays.
    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.sum += other.sum;
        for (mine, theirs) in self.exemplars.iter_mut().zip(&other.exemplars) {
            let age = |exemplar: &Option<Exemplar>| exemplar.map(|exemplar| exemplar.at_ms);
            if age(theirs) > age(mine) {
                *mine = *theirs;
            }
        }
    }
}

/// Adds to a number that only this worker writes: cheaper than an atomic addition, and exact all the same.
pub(crate) fn add(number: &AtomicU64, more: u64) {
    number.store(number.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

pub(crate) fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
