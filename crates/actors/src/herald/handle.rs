//! The herald as everyone else sees it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use arc_swap::ArcSwap;
use keygate_alerts::{AlertSettings, AlertsShown, KeysSeen};
use keygate_domain::ProviderName;
use tokio::sync::watch;

use super::courier::Courier;
use super::round::Round;
use super::watch::HeraldWatch;
use crate::Home;

/// A herald, and the post it is to take once the house stands.
pub fn herald(settings: AlertSettings) -> (Herald, HeraldPost) {
    let (wanted, settings) = watch::channel(Arc::new(settings));
    let shown = Shown::default();
    (Herald { wanted: Arc::new(wanted), shown: shown.clone() }, HeraldPost { settings, shown })
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
    shown: Shown,
}

impl Herald {
    /// Tells by other settings from here on. Never waits.
    pub fn set(&self, settings: AlertSettings) {
        self.wanted.send_replace(Arc::new(settings));
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
        let Self { settings, shown } = self;
        home.spawn(async move {
            // Beside the actors of that thread: what a courier holds cannot leave it.
            drop(actix_rt::spawn(Round::new(watch, settings, shown, courier()).go()));
        });
    }
}
