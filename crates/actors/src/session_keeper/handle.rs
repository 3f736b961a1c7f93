//! The session keepers as everyone else sees them.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use keygate_domain::{Fault, ProviderName};
use keygate_keeper::{Keeper, KeeperSettings, KeeperShown, KeeperState};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

use super::errand::KeeperErrand;
use super::noted::KeepersNoted;
use super::round::Round;
use crate::gate::COME_BACK_IN;
use crate::{Home, NoteBook, Unavailable, clock};

/// Most notes on their way. A bot is asked once for all that wait.
const MOST_NOTES: usize = 64;

/// How long an operator's word may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often it is looked whether they are at rest.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// A provider put a limit on a request.
#[derive(Clone, Copy, Debug)]
pub struct LimitMet<'a> {
    /// The tag of the request.
    pub tag: Option<&'a str>,
    /// Whose request.
    pub client: &'a str,
    /// The keeper that the client's token is bound to.
    pub bound_to: Option<&'a str>,
    /// Whose limit.
    pub provider: ProviderName,
    /// What the provider said.
    pub fault: Fault,
}

/// What the keepers are told.
pub(super) enum Note {
    /// "This bot's client met a limit."
    Limit { keeper: String, provider: ProviderName, fault: Fault },
    /// "A human has seen to it." Answers whether there is such a keeper.
    Clear { keeper: String, done: oneshot::Sender<bool> },
}

/// Session keepers, and the post they are to take once the house stands. What is shown of them until then is what
/// an earlier process noted.
pub fn session_keepers(settings: Vec<KeeperSettings>, noted: &KeepersNoted) -> (Keepers, KeepersPost) {
    let (queue, notes) = mpsc::channel(MOST_NOTES);
    let any = Arc::new(AtomicBool::new(!settings.is_empty()));
    let now = clock::now();
    let at_first = settings.iter().map(|one| {
        let keeper = Keeper::new(one.cooldown, &noted.of(&one.name), now);
        keeper.shown(&one.name, one.kind.as_str(), now)
    });
    let shown = Arc::new(ArcSwap::from_pointee(at_first.collect()));
    let (wanted, settings) = watch::channel(Arc::new(settings));
    let keepers =
        Keepers { queue, any, wanted: Arc::new(wanted), shown: Arc::clone(&shown), dropped: Arc::default() };
    (keepers, KeepersPost { notes, settings, shown })
}

/// Has bots renew their sessions. Cheap to clone. Telling them something never waits and never fails.
#[derive(Clone, Debug)]
pub struct Keepers {
    queue: mpsc::Sender<Note>,
    any: Arc<AtomicBool>,
    wanted: Arc<watch::Sender<Arc<Vec<KeeperSettings>>>>,
    shown: Arc<ArcSwap<Vec<KeeperShown>>>,
    dropped: Arc<AtomicU64>,
}

impl Keepers {
    /// Nobody who keeps anything.
    pub fn none() -> Self {
        session_keepers(Vec::new(), &KeepersNoted::default()).0
    }

    /// Keeps by other settings from here on. Never waits.
    pub fn set(&self, settings: Vec<KeeperSettings>) {
        self.any.store(!settings.is_empty(), Ordering::Relaxed);
        self.wanted.send_replace(Arc::new(settings));
    }

    /// Whether anybody's session is kept: what only keepers want to know can be left out otherwise.
    pub fn has_any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// A provider put a limit on a request: the bots concerned are asked, if it is time.
    pub fn met_limit(&self, met: LimitMet<'_>) {
        if !matches!(met.fault, Fault::RateLimited | Fault::QuotaExhausted) {
            return;
        }
        let settings = Arc::clone(&self.wanted.borrow());
        let provider = met.provider.as_str();
        let concerned =
            settings.iter().filter(|keeper| keeper.is_concerned(met.tag, met.client, met.bound_to, provider));
        for keeper in concerned {
            let keeper = keeper.name.clone();
            let note = Note::Limit { keeper, provider: met.provider, fault: met.fault };
            if self.queue.try_send(note).is_err() {
                // Those that wait say the same.
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// A human has seen to it: the bot may be asked again, at once. False if there is no such keeper.
    ///
    /// # Errors
    /// When they cannot be told just now.
    pub async fn clear(&self, keeper: &str) -> Result<bool, Unavailable> {
        let told = async {
            let (done, answer) = oneshot::channel();
            self.queue.send(Note::Clear { keeper: keeper.to_owned(), done }).await.ok()?;
            answer.await.ok()
        };
        let answer = timeout(PATIENCE, told).await.ok().flatten();
        answer.ok_or(Unavailable { retry_after: COME_BACK_IN })
    }

    /// How they fare; read without asking them.
    pub fn shown(&self) -> Arc<Vec<KeeperShown>> {
        self.shown.load_full()
    }

    /// Waits until no bot is being asked: what is spent for a session must not be lost on the way. False if
    /// that took longer than `patience`.
    pub async fn finish(&self, patience: Duration) -> bool {
        let quiet = async {
            while self.shown().iter().any(|keeper| keeper.state == KeeperState::Asking) {
                sleep(BETWEEN_LOOKS).await;
            }
        };
        timeout(patience, quiet).await.is_ok()
    }

    /// How often they were told of a limit while more waited than there is room for.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// The post of keepers that have not begun.
pub struct KeepersPost {
    notes: mpsc::Receiver<Note>,
    settings: watch::Receiver<Arc<Vec<KeeperSettings>>>,
    shown: Arc<ArcSwap<Vec<KeeperShown>>>,
}

impl KeepersPost {
    /// Takes it. `errand` is made on the keepers' thread; their home must be none that requests wait for.
    pub fn take(
        self,
        book: Arc<dyn NoteBook>,
        errand: impl FnOnce() -> Rc<dyn KeeperErrand> + Send + 'static,
        home: &Home,
    ) {
        let Self { notes, settings, shown } = self;
        home.spawn(async move {
            // Beside the actors of that thread: what an errand holds cannot leave it.
            drop(actix_rt::spawn(Round::new(book, settings, shown, errand()).go(notes)));
        });
    }
}
