//! The herald as everyone else sees it.

use std::rc::Rc;
use std::sync::Arc;

use arc_swap::ArcSwap;
use keygate_alerts::{AlertSettings, AlertsShown};
use tokio::sync::watch;

use super::courier::Courier;
use super::round::Round;
use super::watch::HeraldWatch;
use crate::Home;

/// A herald, and the post it is to take once the house stands.
pub fn herald(settings: AlertSettings) -> (Herald, HeraldPost) {
    let (wanted, settings) = watch::channel(Arc::new(settings));
    let shown = Arc::<ArcSwap<AlertsShown>>::default();
    (Herald { wanted: Arc::new(wanted), shown: Arc::clone(&shown) }, HeraldPost { settings, shown })
}

/// Tells people what is wrong. Cheap to clone; what it shows is read without asking it.
#[derive(Clone, Debug)]
pub struct Herald {
    wanted: Arc<watch::Sender<Arc<AlertSettings>>>,
    shown: Arc<ArcSwap<AlertsShown>>,
}

impl Herald {
    /// Tells by other settings from here on. Never waits.
    pub fn set(&self, settings: AlertSettings) {
        self.wanted.send_replace(Arc::new(settings));
    }

    /// What is wrong, and how channels fare.
    pub fn shown(&self) -> Arc<AlertsShown> {
        self.shown.load_full()
    }
}

/// The post of a herald that has not begun.
#[derive(Debug)]
pub struct HeraldPost {
    settings: watch::Receiver<Arc<AlertSettings>>,
    shown: Arc<ArcSwap<AlertsShown>>,
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
