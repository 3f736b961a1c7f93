//! Who tells channels: the way out of a thread where no request waits.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use keygate_actors::{Courier, HeraldPost, HeraldWatch, Home, Keepers, NoteBook, ShelfTrouble, WatchedPool};
use keygate_alerts::{Channel, Letter};
use keygate_config::ProviderConfig;
use keygate_domain::{Redactor, Reset};
use keygate_http::Crew;
use keygate_notify::Messenger;
use keygate_storage::Storage;

/// Has the herald look at the house, on a thread of clerks.
pub(crate) fn start(
    post: HeraldPost,
    crew: &Crew,
    providers: &[ProviderConfig],
    notes: Arc<dyn NoteBook>,
    redactor: Redactor,
    home: &Home,
) {
    let pools = crew.supervisors.iter().zip(providers);
    let pools = pools.map(|(supervisor, provider)| WatchedPool {
        supervisor: supervisor.clone(),
        zone: zone_of(provider),
    });
    let watch = HeraldWatch {
        pools: pools.collect(),
        bookkeeper: crew.bookkeeper.clone(),
        ledger: crew.ledger.clone(),
        auditor: crew.auditor.clone(),
        keepers: Keepers::clone(&crew.keepers),
        notes,
    };
    post.take(watch, move || Rc::new(Couriers { messenger: Messenger::new().ok(), redactor }), home);
}

/// The time zone in which a provider's days end, and its operators think.
fn zone_of(provider: &ProviderConfig) -> TimeZone {
    let (Reset::Midnight(zone) | Reset::MonthEnd(zone)) = provider.policy.budgets.day;
    TimeZoneDatabase::bundled().get(zone).unwrap_or(TimeZone::UTC)
}

/// Tells channels by HTTP and mail.
struct Couriers {
    messenger: Option<Messenger>,
    redactor: Redactor,
}

#[async_trait(?Send)]
impl Courier for Couriers {
    async fn deliver(&self, channel: &Channel, letter: &Letter) -> Result<(), String> {
        let Some(messenger) = &self.messenger else {
            return Err("TLS cannot be set up here: install the system's CA certificates".to_owned());
        };
        let delivered = messenger.deliver(channel, letter).await;
        // What a receiver says may repeat what it was sent to.
        delivered.map_err(|trouble| self.redactor.scrub_text(&trouble.to_string()).into_owned())
    }
}

/// Where the house keeps its notes.
pub(crate) struct Notes(pub(crate) Arc<Storage>);

#[async_trait]
impl NoteBook for Notes {
    async fn read(&self, topic: &str) -> Result<BTreeMap<String, String>, ShelfTrouble> {
        self.0.notes(topic).await.map_err(|error| ShelfTrouble::new(error.reason(), error))
    }

    async fn keep(&self, topic: &str, notes: &BTreeMap<String, String>) -> Result<(), ShelfTrouble> {
        self.0.note(topic, notes).await.map_err(|error| ShelfTrouble::new(error.reason(), error))
    }
}
