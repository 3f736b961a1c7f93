//! The herald's round: it looks how things are, and sees to it that channels know.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use keygate_alerts::{AlertBook, AlertSettings, Change, Condition, PoolWatch, SavedBook, of_pool};
use keygate_domain::Moment;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_local;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::courier::Courier;
use super::handle::Shown;
use super::key_ages::{KeyAges, within};
use super::watch::{HeraldWatch, WatchedPool};
use crate::{clock, events};

/// How often it looks up. A pool is looked at only when something happened in it, or for its forecast.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often every pool is looked at, for what happens without anybody's doing.
const FORECAST_EVERY: Duration = Duration::from_mins(1);

/// How long a pool is left alone after a look, for each of its keys: a look reads them all, on the thread on
/// which they are lent.
const REST_FOR_EACH_KEY: Duration = Duration::from_millis(2);

/// How long a pool may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a channel may take, all in all.
const DELIVERY_PATIENCE: Duration = Duration::from_secs(30);

/// How long letters that are under way at the end may take.
const LAST_LETTERS: Duration = Duration::from_secs(2);

/// How long what changed may wait to be kept.
const KEEP_EVERY: Duration = Duration::from_secs(2);

/// Where the book is kept.
const TOPIC: &str = "alerts";
const NAME: &str = "book";

/// The herald.
pub(super) struct Round {
    watch: HeraldWatch,
    settings: watch::Receiver<Arc<AlertSettings>>,
    shown: Shown,
    courier: Rc<dyn Courier>,
    book: AlertBook,
    looks: BTreeMap<&'static str, Look>,
    kept_at: Option<Moment>,
}

/// What is known of a pool since the last look.
#[derive(Default)]
struct Look {
    at: Option<Moment>,
    stirs: u64,
    rest: Duration,
    ages: KeyAges,
}

/// What became of a letter.
type Ended = (String, Result<(), String>);

impl Round {
    pub(super) fn new(
        watch: HeraldWatch,
        settings: watch::Receiver<Arc<AlertSettings>>,
        shown: Shown,
        courier: Rc<dyn Courier>,
    ) -> Self {
        let (book, looks) = (AlertBook::default(), BTreeMap::new());
        Self { watch, settings, shown, courier, book, looks, kept_at: None }
    }

    /// Goes on for as long as anybody can see what it shows, or until it is told to leave.
    pub(super) async fn go(mut self, mut leaves: mpsc::Receiver<oneshot::Sender<()>>) {
        self.begin().await;
        let (ends, mut ended) = mpsc::channel::<Ended>(64);
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = looks.tick() => self.look().await,
                Some((channel, outcome)) = ended.recv() => {
                    self.heard(&channel, outcome.as_ref().copied().map_err(String::as_str));
                }
                changed = self.settings.changed() => match changed {
                    Ok(()) => self.heed(),
                    Err(_gone) => break,
                },
                Some(done) = leaves.recv() => {
                    self.leave(&mut ended).await;
                    // Who asked may have lost patience.
                    let _ = done.send(());
                    break;
                }
            }
            self.send(&ends);
            self.show();
        }
    }

    /// Hears what became of the letters that are under way, and keeps what was told.
    async fn leave(&mut self, ended: &mut mpsc::Receiver<Ended>) {
        let letters = async {
            while self.book.is_telling()
                && let Some((channel, outcome)) = ended.recv().await
            {
                self.heard(&channel, outcome.as_ref().copied().map_err(String::as_str));
            }
        };
        // What is not known by then was not told, as far as the next process knows.
        let _ = timeout(LAST_LETTERS, letters).await;
        self.kept_at = None;
        self.keep().await;
    }

    /// Goes on where an earlier process ended, as far as the disk knows.
    async fn begin(&mut self) {
        let saved = match within(self.watch.notes.read(TOPIC)).await {
            // What another version wrote is no reason to be silent.
            Ok(notes) => notes.get(NAME).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default(),
            Err(_) => SavedBook::default(),
        };
        let channels = self.settings.borrow_and_update().channels.clone();
        self.book = AlertBook::new(channels, saved);
    }

    fn heed(&mut self) {
        let channels = self.settings.borrow_and_update().channels.clone();
        self.book.set_channels(channels);
        // What is low or old may be something else now.
        self.looks.values_mut().for_each(|look| look.at = None);
    }

    async fn look(&mut self) {
        for pool in self.watch.pools.clone() {
            self.look_at(&pool).await;
        }
        let now = clock::now().wall;
        let (storage, bots) = (self.watch.storage(), self.watch.bots());
        self.observe("storage", storage, now);
        self.observe("session_keepers", bots, now);
        self.keep().await;
    }

    async fn look_at(&mut self, pool: &WatchedPool) {
        let name = pool.supervisor.provider();
        let provider = name.as_str();
        let look = self.looks.entry(provider).or_default();
        let (now, stirs) = (clock::now(), pool.supervisor.vitals().stirs());
        let since = look.at.map(|at| at.until(now));
        let is_time = since.is_none_or(|since| {
            since >= FORECAST_EVERY.max(look.rest) || (stirs != look.stirs && since >= look.rest)
        });
        if !is_time {
            return;
        }
        // One that restarts or is overrun is looked at the next time.
        let Ok(Ok(snapshot)) = timeout(PATIENCE, pool.supervisor.observe()).await else { return };
        look.at = Some(now);
        look.stirs = stirs;
        look.rest = REST_FOR_EACH_KEY.saturating_mul(u32::try_from(snapshot.keys.len()).unwrap_or(u32::MAX));
        if look.ages.lacks(snapshot.keys.iter().map(|key| &key.id)) {
            let keys: BTreeSet<_> = snapshot.keys.iter().map(|key| key.id.clone()).collect();
            if look.ages.meet(&self.watch.notes, name, keys, now.wall).await.is_err() {
                // The disk's trouble is an alert of its own; the keys are met again with the next look.
                look.at = None;
            }
            let mut ages = BTreeMap::clone(&self.shown.ages.load());
            ages.insert(name, look.ages.seen().clone());
            self.shown.ages.store(Arc::new(ages));
        }
        let settings = Arc::clone(&self.settings.borrow());
        let seen = look.ages.seen();
        let wrong =
            of_pool(PoolWatch { provider, settings: &settings, seen, zone: &pool.zone }, &snapshot, now.wall);
        self.observe(provider, wrong, now.wall);
    }

    fn observe(&mut self, source: &str, wrong: Vec<Condition>, now: Timestamp) {
        tell(&self.book.observe(source, wrong, now));
    }

    /// Writes to every channel that is not up to date, one letter at a time.
    fn send(&mut self, ends: &mpsc::Sender<Ended>) {
        let now = clock::now().wall;
        let settings = Arc::clone(&self.settings.borrow());
        for channel in &settings.channels {
            let Some(letter) = self.book.letter(&channel.name, now) else { continue };
            let (courier, ends, channel) = (Rc::clone(&self.courier), ends.clone(), channel.clone());
            spawn_local(async move {
                // A task of its own is a fence: what panics in there is a failure and no more.
                let its_channel = channel.clone();
                let delivery = spawn_local(async move { courier.deliver(&its_channel, &letter).await });
                let outcome = match timeout(DELIVERY_PATIENCE, delivery).await {
                    Ok(Ok(outcome)) => outcome,
                    Ok(Err(_panicked)) => Err("telling it failed inside the gateway".to_owned()),
                    Err(_elapsed) => Err("it did not answer in time".to_owned()),
                };
                // Nobody listens any more once the herald is gone.
                let _ = ends.send((channel.name, outcome)).await;
            });
        }
    }

    fn heard(&mut self, channel: &str, outcome: Result<(), &str>) {
        if let Err(why) = outcome {
            events::channel_failed(channel, why);
        }
        let changes = self.book.ended(channel, outcome, clock::now().wall);
        tell(&changes);
    }

    fn show(&self) {
        let shown = self.book.shown(clock::now().wall);
        if **self.shown.alerts.load() != shown {
            self.shown.alerts.store(Arc::new(shown));
        }
    }

    /// Keeps the book, so that the next process tells nobody anew.
    async fn keep(&mut self) {
        let now = clock::now();
        if self.kept_at.is_some_and(|at| at.until(now) < KEEP_EVERY) {
            return;
        }
        let Some(saved) = self.book.changed() else { return };
        self.kept_at = Some(now);
        let Ok(text) = serde_json::to_string(&saved) else { return };
        let notes = BTreeMap::from([(NAME.to_owned(), text)]);
        if within(self.watch.notes.keep(TOPIC, &notes)).await.is_err() {
            self.book.not_kept();
        }
    }
}

fn tell(changes: &[Change]) {
    for change in changes {
        events::alert(change);
    }
}
