//! What channels are told while the house goes on, on paused time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use jiff::tz::TimeZone;
use keygate_alerts::{AlertKind, AlertSettings, Channel, ChannelState, Letter, Phase, SecretUrl, Target};
use keygate_domain::{AuditEntry, AuditPage, AuditRow, Failure, Fault, LedgerRow, ProviderName, Verdict};
use keygate_pool::StateRow;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};

use super::{Courier, Herald, HeraldWatch, WatchedPool, herald};
use crate::key_supervisor::tests::{lease, on_one_thread, spec};
use crate::{
    AuditBook, Home, Keepers, KeySupervisor, LedgerShelf, LedgerSpec, NoteBook, Shelf, ShelfTrouble,
    start_auditor, start_bookkeeper, start_ledger, start_supervisor,
};

/// Notes on paper; a disk that breaks, if it is to.
#[derive(Default)]
pub(crate) struct Paper {
    notes: ArcSwap<BTreeMap<(String, String), String>>,
    is_broken: bool,
}

impl Paper {
    pub(crate) fn broken() -> Self {
        Self { is_broken: true, ..Self::default() }
    }
}

#[async_trait]
impl NoteBook for Paper {
    async fn read(&self, topic: &str) -> Result<BTreeMap<String, String>, ShelfTrouble> {
        if self.is_broken {
            return Err(ShelfTrouble::new("broken", "the disk is broken"));
        }
        let notes = self.notes.load();
        let of_topic = notes.iter().filter(|((of, _), _)| of == topic);
        Ok(of_topic.map(|((_, name), value)| (name.clone(), value.clone())).collect())
    }

    async fn keep(&self, topic: &str, notes: &BTreeMap<String, String>) -> Result<(), ShelfTrouble> {
        if self.is_broken {
            return Err(ShelfTrouble::new("broken", "the disk is broken"));
        }
        let mut all = BTreeMap::clone(&self.notes.load());
        all.extend(notes.iter().map(|(name, value)| ((topic.to_owned(), name.clone()), value.clone())));
        self.notes.store(Arc::new(all));
        Ok(())
    }
}

/// Disks that take everything and keep nothing.
struct Nowhere;

#[async_trait]
impl Shelf for Nowhere {
    async fn put(&self, _: ProviderName, _: &[StateRow]) -> Result<(), ShelfTrouble> {
        Ok(())
    }
}

#[async_trait]
impl LedgerShelf for Nowhere {
    async fn enter(&self, _: &[LedgerRow]) -> Result<(), ShelfTrouble> {
        Ok(())
    }

    async fn journal(&self, rows: &[LedgerRow]) -> Result<usize, ShelfTrouble> {
        Ok(rows.len())
    }

    async fn replay(&self) -> Result<u64, ShelfTrouble> {
        Ok(0)
    }

    async fn forget(&self, _: i64) -> Result<u64, ShelfTrouble> {
        Ok(0)
    }
}

#[async_trait]
impl AuditBook for Nowhere {
    async fn append(&self, _: &[AuditEntry]) -> Result<(), ShelfTrouble> {
        Ok(())
    }

    async fn page(&self, _: AuditPage) -> Result<Vec<AuditRow>, ShelfTrouble> {
        Ok(Vec::new())
    }
}

/// What becomes of letters, one after the other; at the end all are taken.
enum Fate {
    Refused,
    Hangs,
    Panics,
}

struct Post {
    fates: RefCell<Vec<Fate>>,
    told: UnboundedSender<Letter>,
}

#[async_trait(?Send)]
impl Courier for Post {
    async fn deliver(&self, _: &Channel, letter: &Letter) -> Result<(), String> {
        let fate = self.fates.borrow_mut().pop();
        match fate {
            Some(Fate::Refused) => Err("status 500".to_owned()),
            Some(Fate::Hangs) => std::future::pending().await,
            Some(Fate::Panics) => panic!("the courier panics"),
            None => self.told.send(letter.clone()).map_err(|_gone| "nobody listens".to_owned()),
        }
    }
}

struct House {
    herald: Herald,
    supervisor: KeySupervisor,
    letters: UnboundedReceiver<Letter>,
}

fn settings() -> AlertSettings {
    let url = SecretUrl::parse("http://127.0.0.1:9/").unwrap();
    let channel = Channel {
        name: "ops".to_owned(),
        target: Target::Webhook { url, secret: None },
        events: Vec::new(),
        min_interval: Duration::from_mins(15),
    };
    AlertSettings { channels: vec![channel], ..AlertSettings::default() }
}

fn house(fates: Vec<Fate>, notes: Arc<dyn NoteBook>) -> House {
    house_before(start_supervisor(spec(&["a", "b"], 0), &Home::Here), fates, notes)
}

fn house_before(supervisor: KeySupervisor, fates: Vec<Fate>, notes: Arc<dyn NoteBook>) -> House {
    let (told, letters) = unbounded_channel();
    let (herald, post) = herald(settings());
    let pool = WatchedPool { supervisor: supervisor.clone(), zone: TimeZone::UTC };
    let watch = HeraldWatch {
        pools: vec![pool],
        bookkeeper: start_bookkeeper(Arc::new(Nowhere), &Home::Here),
        ledger: start_ledger(Arc::new(Nowhere), LedgerSpec::default(), &Home::Here),
        auditor: start_auditor(Arc::new(Nowhere), &Home::Here),
        keepers: Keepers::none(),
        notes,
    };
    let courier = move || -> Rc<dyn Courier> { Rc::new(Post { fates: RefCell::new(fates), told }) };
    post.take(watch, courier, &Home::Here);
    House { herald, supervisor, letters }
}

async fn disable_one(supervisor: &KeySupervisor) {
    lease(supervisor).await.settle(Verdict::Failed(Failure::of(Fault::KeyInvalid)));
}

impl House {
    async fn disable_one(&self) {
        disable_one(&self.supervisor).await;
    }

    async fn letter(&mut self) -> Vec<(Phase, AlertKind)> {
        let letter = timeout(Duration::from_mins(20), self.letters.recv()).await.expect("a letter").unwrap();
        letter.notices.iter().map(|one| (one.phase, one.condition.id.kind)).collect()
    }

    async fn hears_nothing_more(&mut self) {
        assert!(timeout(Duration::from_mins(10), self.letters.recv()).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_runs_empty_and_recovers_is_told_step_by_step() {
    on_one_thread(async {
        let mut house = house(Vec::new(), Arc::new(Paper::default()));
        house.disable_one().await;
        let told = house.letter().await;
        assert_eq!(told, [(Phase::Open, AlertKind::PoolLow), (Phase::Open, AlertKind::KeyDisabled)]);
        house.disable_one().await;
        let told = house.letter().await;
        assert_eq!(told, [(Phase::Open, AlertKind::PoolEmpty), (Phase::Open, AlertKind::KeyDisabled)]);
        house.hears_nothing_more().await;
        assert_eq!(house.herald.shown().open.len(), 4);
        house.supervisor.reset(None).await.unwrap();
        let told = house.letter().await;
        assert_eq!(told.len(), 4);
        assert!(told.iter().all(|(phase, _)| *phase == Phase::Recovered), "{told:?}");
        assert!(house.herald.shown().open.is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_fails_hangs_or_panics_is_told_later_and_shown() {
    on_one_thread(async {
        let fates = vec![Fate::Panics, Fate::Hangs, Fate::Refused];
        let mut house = house(fates, Arc::new(Paper::default()));
        house.disable_one().await;
        sleep(Duration::from_secs(2)).await;
        let shown = house.herald.shown();
        assert_eq!(shown.channels[0].status, ChannelState::Failing);
        assert_eq!(shown.channels[0].last_failure.as_deref(), Some("status 500"));
        assert!(house.letter().await.contains(&(Phase::Open, AlertKind::KeyDisabled)));
        let shown = house.herald.shown();
        assert_eq!(shown.channels[0].failed, 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_next_process_tells_nobody_what_was_told() {
    on_one_thread(async {
        let notes: Arc<dyn NoteBook> = Arc::new(Paper::default());
        let mut first = house(Vec::new(), Arc::clone(&notes));
        first.disable_one().await;
        first.letter().await;
        first.hears_nothing_more().await;
        drop(first);
        let supervisor = start_supervisor(spec(&["a", "b"], 0), &Home::Here);
        disable_one(&supervisor).await;
        let mut second = house_before(supervisor, Vec::new(), notes);
        second.hears_nothing_more().await;
        second.supervisor.reset(None).await.unwrap();
        assert_eq!(second.letter().await.len(), 2, "that it is over is news");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_told_in_the_last_moment_is_known_to_the_next_process() {
    on_one_thread(async {
        let notes: Arc<dyn NoteBook> = Arc::new(Paper::default());
        let mut first = house(Vec::new(), Arc::clone(&notes));
        first.disable_one().await;
        first.letter().await;
        assert!(first.herald.finish(Duration::from_secs(5)).await);
        drop(first);
        let cured = start_supervisor(spec(&["a", "b"], 0), &Home::Here);
        let told = house_before(cured, Vec::new(), notes).letter().await;
        assert!(told.iter().all(|(phase, _)| *phase == Phase::Recovered), "{told:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_says_nothing_keeps_nobody_from_leaving() {
    on_one_thread(async {
        let house = house(vec![Fate::Hangs], Arc::new(Paper::default()));
        house.disable_one().await;
        sleep(Duration::from_secs(1)).await;
        assert!(house.herald.finish(Duration::from_secs(5)).await);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_in_use_for_too_long_is_told() {
    on_one_thread(async {
        let mut house = house(Vec::new(), Arc::new(Paper::default()));
        sleep(Duration::from_secs(5)).await;
        let rotate_after = Some(Duration::from_hours(1));
        house.herald.set(AlertSettings { rotate_after, ..settings() });
        house.hears_nothing_more().await;
        let old = timeout(Duration::from_hours(2), house.letters.recv()).await.unwrap().unwrap();
        assert_eq!(old.notices.len(), 2);
        assert_eq!(old.notices[0].condition.id.kind, AlertKind::KeyOld);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_a_disk_alerts_are_told_all_the_same() {
    on_one_thread(async {
        let mut house = house(Vec::new(), Arc::new(Paper::broken()));
        house.disable_one().await;
        assert!(house.letter().await.contains(&(Phase::Open, AlertKind::KeyDisabled)));
    })
    .await;
}
