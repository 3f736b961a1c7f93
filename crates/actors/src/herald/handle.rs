//! The herald as everyone else sees it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use keygate_alerts::{AlertSettings, AlertsShown, KeysSeen};
use keygate_domain::ProviderName;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::courier::Courier;
use super::round::Round;
use super::watch::HeraldWatch;
use crate::Home;

/// A herald, and the post it is to take once the house stands.
pub fn herald(settings: AlertSettings) -> (Herald, HeraldPost) {
    let (wanted, settings) = watch::channel(Arc::new(settings));
    let (leaving, leaves) = mpsc::channel(1);
    let shown = Shown::default();
    (
        Herald { wanted: Arc::new(wanted), leaving, shown: shown.clone() },
        HeraldPost { settings, leaves, shown },
    )
}

/// What everybody can see of a herald.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    pub(super) alerts: Arc<ArcSwap<AlertsShown>>,
    pub(super) ages: Arc<ArcSwap<BTreeMap<ProviderName, KeysSeen>>>,
}

/// Tells people what is wrong. Cheap to clone; what it shows is read without asking it.
#[derive(Clone, Debug)]
pub struct Herald {
    wanted: Arc<watch::Sender<Arc<AlertSettings>>>,
    leaving: mpsc::Sender<oneshot::Sender<()>>,
    shown: Shown,
}

impl Herald {
    /// Tells by other settings from here on. Never waits.
    pub fn set(&self, settings: AlertSettings) {
        self.wanted.send_replace(Arc::new(settings));
    }

    /// Lets letters that are under way arrive, and keeps what was told: else the next process would tell it anew,
    /// or never that it is over. Nothing is told any more. False if that took longer than `patience`.
    pub async fn finish(&self, patience: Duration) -> bool {
        let (done, is_done) = oneshot::channel();
        let finishing = async { self.leaving.send(done).await.is_ok() && is_done.await.is_ok() };
        timeout(patience, finishing).await.unwrap_or(false)
    }

    /// What is wrong, and how channels fare.
    pub fn shown(&self) -> Arc<AlertsShown> {
        self.shown.alerts.load_full()
    }

    /// Since when keys are in use, as far as that is known by now.
    pub fn ages(&self) -> Arc<BTreeMap<ProviderName, KeysSeen>> {
        self.shown.ages.load_full()
    }
}

/// The post of a herald that has not begun.
#[derive(Debug)]
pub struct HeraldPost {
    settings: watch::Receiver<Arc<AlertSettings>>,
    leaves: mpsc::Receiver<oneshot::Sender<()>>,
    shown: Shown,
}

impl HeraldPost {
    /// Takes it: looks at `watch` from here on. `courier` is made on the herald's thread; its home must be none
    /// that requests wait for.
    pub fn take(
        self,
        watch: HeraldWatch,
        courier: impl FnOnce() -> Rc<dyn Courier> + Send + 'static,
        home: &Home,
    ) {
        let Self { settings, leaves, shown } = self;
        home.spawn(async move {
            // Beside the actors of that thread: what a courier holds cannot leave it.
            drop(actix_rt::spawn(Round::new(watch, settings, shown, courier()).go(leaves)));
        });
    }
}
