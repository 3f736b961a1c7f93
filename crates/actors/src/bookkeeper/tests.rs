//! What reaches the disk and when, on paused time.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use keygate_domain::{
    Access, ApiKey, ClientId, Failure, Fault, GroupId, KeyId, KeySpec, ModelName, Operation, Placement,
    ProviderName, Role, Spend, UserId, Verdict,
};
use keygate_pool::{Ask, KeyState, Policy, PoolState, StateRow};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;
use tokio::time::{Instant, advance, sleep, timeout};

use super::{Bookkeeper, Shelf, ShelfTrouble, start_bookkeeper};
use crate::{Home, KeyLease, KeySupervisor, Leased, SupervisorSpec, start_supervisor};

/// A disk that can fail, hang or panic, and tells what was put on it.
struct Disk {
    is_full: AtomicBool,
    hangs: AtomicBool,
    takes_seconds: AtomicU64,
    panics: AtomicBool,
    puts: UnboundedSender<Vec<StateRow>>,
}

#[async_trait]
impl Shelf for Disk {
    async fn put(&self, provider: ProviderName, rows: &[StateRow]) -> Result<(), ShelfTrouble> {
        assert_eq!(provider.as_str(), "google");
        assert!(!self.panics.load(Ordering::Acquire), "the disk panics");
        if self.hangs.load(Ordering::Acquire) {
            std::future::pending::<()>().await;
        }
        sleep(Duration::from_secs(self.takes_seconds.load(Ordering::Acquire))).await;
        if self.is_full.load(Ordering::Acquire) {
            return Err(ShelfTrouble::new("full", "no space left"));
        }
        self.puts.send(rows.to_vec()).map_err(|gone| ShelfTrouble::new("gone", gone))
    }
}

struct House {
    disk: Arc<Disk>,
    puts: UnboundedReceiver<Vec<StateRow>>,
    bookkeeper: Bookkeeper,
    supervisor: KeySupervisor,
}

impl House {
    fn open() -> Self {
        let (sender, puts) = unbounded_channel();
        let no = || AtomicBool::new(false);
        let takes_seconds = AtomicU64::new(0);
        let disk = Arc::new(Disk { is_full: no(), hangs: no(), takes_seconds, panics: no(), puts: sender });
        let shelf: Arc<dyn Shelf> = Arc::clone(&disk) as Arc<dyn Shelf>;
        let bookkeeper = start_bookkeeper(shelf, &Home::Here);
        let supervisor = start(Some(bookkeeper.clone()), PoolState::default());
        Self { disk, puts, bookkeeper, supervisor }
    }

    /// What is put on the disk next.
    async fn next_put(&mut self) -> Vec<StateRow> {
        timeout(Duration::from_mins(1), self.puts.recv()).await.expect("something is written").unwrap()
    }

    async fn fails_with(&self, fault: Fault) -> KeyId {
        let lease = lease(&self.supervisor).await;
        let id = lease.key_id().clone();
        lease.settle(Verdict::Failed(Failure::of(fault)));
        id
    }
}

fn key(name: &str) -> KeySpec {
    KeySpec {
        secret: ApiKey::new(format!("secret-of-{name}")),
        label: name.to_owned(),
        group: Some(GroupId::from(name)),
        weight: 1,
        role: Role::Primary,
        allowance: keygate_domain::Allowance::default(),
    }
}

fn start(bookkeeper: Option<Bookkeeper>, memory: PoolState) -> KeySupervisor {
    let spec = SupervisorSpec {
        provider: ProviderName::new("google"),
        keys: vec![key("a"), key("b"), key("c")],
        policy: Policy::default(),
        seed: 1,
        gate: 64,
        chaos: None,
        memory: Arc::new(memory),
        bookkeeper,
        prober: None,
    };
    start_supervisor(spec, &Home::Here)
}

async fn lease(supervisor: &KeySupervisor) -> KeyLease {
    let ask = Ask {
        operation: Operation("generate_content"),
        model: Some(ModelName::from("flash")),
        opens_session: false,
        references: Vec::new(),
        placement: Placement::Any,
        client: ClientId::from("shop"),
        access: Access::Token,
        tried: Vec::new(),
        estimate: Spend::default(),
        user: UserId { client: ClientId::from("shop"), name: "ada".into() },
        patience: Duration::ZERO,
        hold: Duration::from_secs(10),
    };
    match supervisor.lease(ask).await {
        Ok(Leased::Key(lease)) => lease,
        other => panic!("no lease: {other:?}"),
    }
}

async fn on_one_thread<T>(test: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(test).await
}

fn names(rows: &[StateRow]) -> Vec<&str> {
    rows.iter().map(|row| row.name.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_disabled_key_is_on_disk_at_once() {
    on_one_thread(async {
        let mut house = House::open();
        let begun = Instant::now();
        let id = house.fails_with(Fault::KeyInvalid).await;
        let rows = house.next_put().await;
        assert_eq!(names(&rows), [id.as_str()]);
        // The tray is read within 5 ms; paused time moves in whole milliseconds.
        assert!(begun.elapsed() < Duration::from_millis(10), "after {:?}", begun.elapsed());
        assert!(house.bookkeeper.is_well());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_urgent_is_on_disk_within_a_second() {
    on_one_thread(async {
        let mut house = House::open();
        let begun = Instant::now();
        let lease = lease(&house.supervisor).await;
        let resource = keygate_domain::Resource::new("file", "f");
        let lifetime = Duration::from_hours(1);
        let binding = keygate_domain::Binding { resource, lifetime, keepsake: None };
        lease.bind(&ClientId::from("shop"), binding);
        lease.settle(Verdict::Served(Spend::default()));
        assert_eq!(names(&house.next_put().await), ["file/f"]);
        assert!(begun.elapsed() < Duration::from_secs(1), "after {:?}", begun.elapsed());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_delays_nobody_and_is_made_up_for() {
    on_one_thread(async {
        let mut house = House::open();
        house.disk.is_full.store(true, Ordering::Release);
        let first = house.fails_with(Fault::KeyInvalid).await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(house.bookkeeper.trouble(), Some("full"));
        let begun = Instant::now();
        let second = house.fails_with(Fault::KeyInvalid).await;
        lease(&house.supervisor).await.settle(Verdict::Served(Spend::default()));
        assert_eq!(begun.elapsed(), Duration::ZERO, "nobody waits for the disk");
        assert!(!house.bookkeeper.finish(Duration::from_secs(1)).await, "it says that it failed");
        house.disk.is_full.store(false, Ordering::Release);
        let written = [house.next_put().await, house.next_put().await].concat();
        assert_eq!(names(&written), [first.as_str(), second.as_str()]);
        sleep(Duration::from_millis(1)).await;
        assert!(house.bookkeeper.is_well());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_is_slow_is_told_of_and_waited_for() {
    on_one_thread(async {
        let mut house = House::open();
        house.disk.takes_seconds.store(12, Ordering::Release);
        let id = house.fails_with(Fault::KeyInvalid).await;
        sleep(Duration::from_secs(6)).await;
        assert_eq!(house.bookkeeper.trouble(), Some("slow"));
        assert_eq!(names(&house.next_put().await), [id.as_str()], "it is written once it can be");
        sleep(Duration::from_millis(1)).await;
        assert!(house.bookkeeper.is_well());
        advance(Duration::from_mins(1)).await;
        assert!(house.puts.try_recv().is_err(), "once");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_hangs_or_panics_is_one_that_fails() {
    on_one_thread(async {
        let mut house = House::open();
        house.disk.hangs.store(true, Ordering::Release);
        let id = house.fails_with(Fault::KeyInvalid).await;
        sleep(Duration::from_secs(6)).await;
        assert!(!house.bookkeeper.is_well());
        house.disk.panics.store(true, Ordering::Release);
        house.disk.hangs.store(false, Ordering::Release);
        sleep(Duration::from_secs(30)).await;
        assert!(!house.bookkeeper.is_well());
        house.disk.panics.store(false, Ordering::Release);
        assert_eq!(names(&house.next_put().await), [id.as_str()]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_changes_while_the_disk_is_slow_is_one_row_in_the_end() {
    on_one_thread(async {
        let mut house = House::open();
        house.disk.is_full.store(true, Ordering::Release);
        house.fails_with(Fault::KeyInvalid).await;
        sleep(Duration::from_millis(100)).await;
        for _ in 0..50 {
            let id = key("b").secret.id().clone();
            house.supervisor.disable(id.clone()).await.unwrap();
            house.supervisor.enable(id).await.unwrap();
        }
        house.disk.is_full.store(false, Ordering::Release);
        let written = [house.next_put().await, house.next_put().await].concat();
        assert_eq!(written.len(), 2, "{written:?}");
        advance(Duration::from_secs(5)).await;
        assert!(house.puts.try_recv().is_err());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_house_that_closes_writes_everything_first() {
    on_one_thread(async {
        let mut house = House::open();
        let id = house.fails_with(Fault::KeyInvalid).await;
        let vitals = house.supervisor.vitals().clone();
        drop(house.supervisor);
        vitals.until_ended().await;
        assert!(house.bookkeeper.finish(Duration::from_secs(1)).await);
        let rows = house.puts.try_recv().unwrap();
        assert_eq!(names(&rows), [id.as_str()]);
        let again = start(None, PoolState::from_rows(rows).unwrap());
        let snapshot = again.observe().await.unwrap();
        let disabled: Vec<_> =
            snapshot.keys.iter().filter(|key| key.state == KeyState::Disabled).map(|key| &key.id).collect();
        assert_eq!(disabled, [&id]);
    })
    .await;
}
