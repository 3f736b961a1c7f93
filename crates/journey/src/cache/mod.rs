//! Answers that are given again to who asks the same again.
//!
//! Per process, bounded in bytes and in time, off unless the operator switches it on. Whose answer it is is part
//! of what is asked: nobody is given what another user was told. Of requests that ask the same at the same time
//! one goes to the provider, and the others wait for what comes of it.

mod kept;
mod recorder;
mod tally;
mod wish;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::watch;
use tokio::time::timeout;

pub(crate) use kept::Kept;
pub(crate) use recorder::{Place, Recorder};
pub use tally::{Tally, Told};
pub(crate) use wish::Wish;

/// What tells one request from another.
type Key = [u8; 32];

/// An answer may take this part of all there is room for.
const LARGEST_PART: u64 = 16;

/// Answers being recorded may take this part besides what is kept.
const RECORDING_PART: u64 = 4;

/// Requests that others wait for at the same time; beyond it nobody waits.
const MOST_FLIGHTS: u64 = 10_000;

/// How the cache is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CacheSettings {
    /// How long an answer is given again.
    pub ttl: Duration,
    /// How much memory answers may take, in bytes.
    pub max_size: u64,
}

/// The cache of all workers. Cheap to clone.
#[derive(Clone)]
pub struct ResponseCache(Arc<Inner>);

pub(crate) struct Inner {
    kept: Cache<Key, Arc<Kept>>,
    /// What is being asked now, and where its answer will be told.
    flights: Cache<Key, watch::Receiver<Option<Arc<Kept>>>>,
    /// Bytes of answers that are still coming.
    recording: AtomicUsize,
    settings: CacheSettings,
    tally: Arc<Tally>,
}

/// What a look brought.
pub(crate) enum Asked {
    /// The answer.
    Hit(Arc<Kept>),
    /// Nothing; with a place for the answer, unless somebody else has it.
    Missing(Option<Place>),
}

impl ResponseCache {
    /// An empty one.
    pub fn new(settings: CacheSettings, tally: Arc<Tally>) -> Self {
        let kept = Cache::builder()
            .max_capacity(settings.max_size)
            .weigher(|_key, kept: &Arc<Kept>| u32::try_from(kept.size()).unwrap_or(u32::MAX))
            .time_to_live(settings.ttl)
            .build();
        let flights = Cache::builder().max_capacity(MOST_FLIGHTS).build();
        Self(Arc::new(Inner { kept, flights, recording: AtomicUsize::new(0), settings, tally }))
    }

    /// How it is set.
    pub fn settings(&self) -> CacheSettings {
        self.0.settings
    }

    /// How many answers there are, and how many bytes they take.
    pub fn size(&self) -> (u64, u64) {
        self.0.kept.run_pending_tasks();
        (self.0.kept.entry_count(), self.0.kept.weighted_size())
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.0.tally
    }

    /// Looks for the answer; waits for at most `patience` for one that somebody else has gone for.
    pub(crate) async fn ask(&self, wish: &Wish, patience: Duration) -> Asked {
        if wish.insists {
            self.0.tally.bypassed();
            return Asked::Missing(wish.may_be_kept.then(|| Place::new(Arc::clone(&self.0), wish.key, None)));
        }
        if let Some(kept) = self.0.kept.get(&wish.key) {
            return self.hit(kept);
        }
        let mut mine = None;
        let flight = self.0.flights.entry(wish.key).or_insert_with(|| {
            let (told, flight) = watch::channel(None);
            mine = Some(told);
            flight
        });
        if mine.is_none()
            && let Some(kept) = landed(flight.into_value(), patience).await
        {
            return self.hit(kept);
        }
        self.0.tally.missed();
        Asked::Missing(mine.map(|told| Place::new(Arc::clone(&self.0), wish.key, Some(told))))
    }

    fn hit(&self, kept: Arc<Kept>) -> Asked {
        self.0.tally.hit();
        Asked::Hit(kept)
    }
}

/// What came of it; nothing if that failed, or takes too long.
async fn landed(mut flight: watch::Receiver<Option<Arc<Kept>>>, patience: Duration) -> Option<Arc<Kept>> {
    let told = timeout(patience, flight.wait_for(Option::is_some)).await;
    told.ok()?.ok().and_then(|kept| kept.clone())
}

impl Inner {
    /// The most that one answer may take.
    fn largest(&self) -> usize {
        usize::try_from(self.settings.max_size / LARGEST_PART).unwrap_or(usize::MAX)
    }

    /// Takes room for what is being recorded. False when there is none.
    fn take_room(&self, bytes: usize) -> bool {
        let most = usize::try_from(self.settings.max_size / RECORDING_PART).unwrap_or(usize::MAX);
        let before = self.recording.fetch_add(bytes, Ordering::Relaxed);
        let has_room = before.saturating_add(bytes) <= most;
        if !has_room {
            self.give_room(bytes);
        }
        has_room
    }

    fn give_room(&self, bytes: usize) {
        self.recording.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Keeps an answer. What it pushes out is gone when this returns: the bound is no wish.
    fn keep(&self, key: Key, kept: Arc<Kept>) {
        self.kept.insert(key, kept);
        self.kept.run_pending_tasks();
    }
}
