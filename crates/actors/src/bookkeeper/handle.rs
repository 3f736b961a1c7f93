//! The bookkeeper as everyone else sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::Addr;
use arc_swap::ArcSwapOption;
use keygate_domain::ProviderName;
use keygate_pool::{StateRow, Urgency};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::actor::BookkeeperActor;
use super::messages::{Changed, Finish, LastWords, TakeUnsaved};
use super::shelf::Shelf;
use crate::Home;

/// Starts the bookkeeper. Its home must be none that requests wait for.
pub fn start_bookkeeper(shelf: Arc<dyn Shelf>, home: &Home) -> Bookkeeper {
    let condition = Condition::default();
    let its_condition = condition.clone();
    let address = home.start(move || BookkeeperActor::new(shelf, its_condition));
    Bookkeeper { address, condition }
}

/// Writes down what must outlive the process. Cheap to clone. Telling it something never waits
/// and never fails.
#[derive(Clone, Debug)]
pub struct Bookkeeper {
    address: Addr<BookkeeperActor>,
    condition: Condition,
}

impl Bookkeeper {
    /// Whether what it is told reaches the disk. If not, it tries again until it does.
    pub fn is_well(&self) -> bool {
        self.trouble().is_none()
    }

    /// In a word or two why it does not, if it does not.
    pub fn trouble(&self) -> Option<&'static str> {
        self.condition.trouble()
    }

    /// Has everything written down that it was told of. False if that failed or took longer than
    /// `patience`.
    pub async fn finish(&self, patience: Duration) -> bool {
        let (done, answer) = oneshot::channel();
        self.address.do_send(Finish { done });
        timeout(patience, answer).await.is_ok_and(|answer| answer.unwrap_or(false))
    }

    pub(crate) fn changed(&self, provider: ProviderName, urgency: Urgency, from: Recipient) {
        self.address.do_send(Changed { provider, urgency, from });
    }

    pub(crate) fn last_words(&self, provider: ProviderName, rows: Vec<StateRow>) {
        self.address.do_send(LastWords { provider, rows });
    }
}

type Recipient = actix::Recipient<TakeUnsaved>;

/// How the bookkeeper fares, to be seen without asking it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Condition {
    signs: Arc<Signs>,
}

#[derive(Debug, Default)]
struct Signs {
    trouble: ArcSwapOption<&'static str>,
    has_ended: AtomicBool,
}

impl Condition {
    pub(crate) fn trouble(&self) -> Option<&'static str> {
        if self.signs.has_ended.load(Ordering::Acquire) {
            return Some("ended");
        }
        self.signs.trouble.load().as_deref().copied()
    }

    /// True if that is news.
    pub(crate) fn troubled(&self, reason: &'static str) -> bool {
        let before = self.signs.trouble.swap(Some(Arc::new(reason)));
        before.as_deref() != Some(&reason)
    }

    /// True if it was not well before.
    pub(crate) fn cured(&self) -> bool {
        self.signs.trouble.swap(None).is_some()
    }

    pub(crate) fn ended(&self) {
        self.signs.has_ended.store(true, Ordering::Release);
    }
}
