//! The keepers' round: who is wanted, who is being asked, what came of it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use keygate_domain::Moment;
use keygate_keeper::{Keeper, KeeperSettings, KeeperShown, Outcome};
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_local;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::errand::{KeeperErrand, RefreshWish};
use super::handle::Note;
use super::noted::{DISK_PATIENCE, KeepersNoted, TOPIC};
use crate::{NoteBook, clock, events};

/// How often it is looked whether a session is to be renewed by itself, and what is shown is made anew.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What an errand may take beyond the bot's own time: a token of the provider comes before.
const BEYOND: Duration = Duration::from_mins(2);

/// The keepers.
pub(super) struct Round {
    book: Arc<dyn NoteBook>,
    settings: watch::Receiver<Arc<Vec<KeeperSettings>>>,
    shown: Arc<ArcSwap<Vec<KeeperShown>>>,
    errand: Rc<dyn KeeperErrand>,
    keepers: BTreeMap<String, Keeper>,
    saved: KeepersNoted,
}

/// What came of asking a bot, and when it was asked.
type Ended = (String, Outcome, Moment);

impl Round {
    pub(super) fn new(
        book: Arc<dyn NoteBook>,
        settings: watch::Receiver<Arc<Vec<KeeperSettings>>>,
        shown: Arc<ArcSwap<Vec<KeeperShown>>>,
        errand: Rc<dyn KeeperErrand>,
    ) -> Self {
        Self { book, settings, shown, errand, keepers: BTreeMap::new(), saved: KeepersNoted::default() }
    }

    /// Goes on for as long as anybody can tell them something.
    pub(super) async fn go(mut self, mut notes: mpsc::Receiver<Note>) {
        self.begin().await;
        let (ends, mut ended) = mpsc::channel::<Ended>(64);
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                note = notes.recv() => match note {
                    Some(note) => self.take(note, &ends),
                    None => break,
                },
                Some((name, outcome, began)) = ended.recv() => self.heard(&name, &outcome, began),
                changed = self.settings.changed() => match changed {
                    Ok(()) => self.heed(),
                    Err(_gone) => break,
                },
                _ = looks.tick() => self.look(&ends),
            }
            self.show();
            self.keep().await;
        }
    }

    /// Goes on where an earlier process ended, as far as the disk knows.
    async fn begin(&mut self) {
        self.saved = KeepersNoted::read(&*self.book).await;
        self.heed();
    }

    fn heed(&mut self) {
        let settings = Arc::clone(&self.settings.borrow_and_update());
        let now = clock::now();
        self.keepers.retain(|name, _| settings.iter().any(|one| one.name == *name));
        for one in settings.iter() {
            if let Some(keeper) = self.keepers.get_mut(&one.name) {
                keeper.set_cooldown(one.cooldown);
                continue;
            }
            let mut keeper = Keeper::new(one.cooldown, &self.saved.of(&one.name), now);
            keeper.set_due(self.errand.due_in(one, now.wall).map(|wait| now.after(wait)));
            self.keepers.insert(one.name.clone(), keeper);
        }
    }

    fn take(&mut self, note: Note, ends: &mpsc::Sender<Ended>) {
        match note {
            Note::Limit { keeper, provider, fault } => {
                let now = clock::now();
                if self.keepers.get_mut(&keeper).is_some_and(|keeper| keeper.wanted(now)) {
                    let provider = Some(provider.as_str());
                    self.ask(
                        &keeper,
                        RefreshWish { reason: fault.as_str(), provider, at: now.wall },
                        ends,
                        now,
                    );
                }
            }
            Note::Clear { keeper, done } => {
                let known = self.keepers.get_mut(&keeper).map(Keeper::clear);
                if known.is_some() {
                    events::keeper_cleared(&keeper);
                    self.set_due(&keeper);
                }
                // Whoever asked may have lost patience.
                let _ = done.send(known.is_some());
            }
        }
    }

    /// What is renewed by itself is so again after a human has seen to it.
    fn set_due(&mut self, name: &str) {
        let settings = Arc::clone(&self.settings.borrow());
        let now = clock::now();
        let due = settings.iter().find(|one| one.name == name);
        let due = due.and_then(|one| self.errand.due_in(one, now.wall)).map(|wait| now.after(wait));
        if let Some(keeper) = self.keepers.get_mut(name) {
            keeper.set_due(due);
        }
    }

    fn look(&mut self, ends: &mpsc::Sender<Ended>) {
        let now = clock::now();
        let due: Vec<String> = self
            .keepers
            .iter_mut()
            .filter_map(|(name, keeper)| keeper.is_due(now).then(|| name.clone()))
            .collect();
        for name in due {
            self.ask(&name, RefreshWish { reason: "scheduled", provider: None, at: now.wall }, ends, now);
        }
    }

    fn ask(&mut self, name: &str, wish: RefreshWish, ends: &mpsc::Sender<Ended>, began: Moment) {
        let settings = Arc::clone(&self.settings.borrow());
        let Some(settings) = settings.iter().find(|one| one.name == name).cloned() else {
            // Taken out of the configuration just now; it goes with the next change that is heeded.
            return;
        };
        events::bot_asked(name, wish.reason);
        let (errand, ends) = (Rc::clone(&self.errand), ends.clone());
        spawn_local(async move {
            let (name, longest) = (settings.name.clone(), settings.timeout + BEYOND);
            // A task of its own is a fence: what panics in there is a failure and no more.
            let asking = spawn_local(async move { errand.renew(&settings, &wish).await });
            let outcome = match timeout(longest, asking).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_panicked)) => Outcome::Failed("asking it failed inside the gateway".to_owned()),
                Err(_elapsed) => Outcome::Failed("it did not answer in time".to_owned()),
            };
            // Nobody listens any more once the keepers are gone.
            let _ = ends.send((name, outcome, began)).await;
        });
    }

    fn heard(&mut self, name: &str, outcome: &Outcome, began: Moment) {
        events::bot_answered(name, outcome);
        if let Some(keeper) = self.keepers.get_mut(name) {
            keeper.ended(outcome, began, clock::now());
        }
    }

    fn show(&self) {
        let now = clock::now();
        let settings = Arc::clone(&self.settings.borrow());
        let shown = settings.iter().filter_map(|one| {
            let keeper = self.keepers.get(&one.name)?;
            Some(keeper.shown(&one.name, one.kind.as_str(), now))
        });
        self.shown.store(Arc::new(shown.collect()));
    }

    /// Keeps what outlives the process, once it differs from what is kept.
    async fn keep(&mut self) {
        let differs = self.keepers.iter().filter_map(|(name, keeper)| {
            let text = serde_json::to_string(&keeper.saved()).ok()?;
            (self.saved.0.get(name) != Some(&text)).then(|| (name.clone(), text))
        });
        let differs: BTreeMap<String, String> = differs.collect();
        if differs.is_empty() {
            return;
        }
        // What the disk does not take now is tried with the next look.
        if let Ok(Ok(())) = timeout(DISK_PATIENCE, self.book.keep(TOPIC, &differs)).await {
            self.saved.0.extend(differs);
        }
    }
}
