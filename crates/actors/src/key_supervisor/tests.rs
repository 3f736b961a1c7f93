//! What a journey notices of its supervisor, on paused time.

use std::future::Future;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use keygate_domain::{
    Access, Allowance, ApiKey, ClientId, Failure, Fault, GroupId, KeyId, KeySpec, ModelName, Operation,
    Placement, ProviderName, Role, Spend, UserId, Verdict,
};
use keygate_pool::{Ask, KeyState, Policy, PoolRefusal, PoolSnapshot};
use tokio::task::LocalSet;

use super::{KeyLease, KeySupervisor, LeaseRefused, Leased, SupervisorSpec, start_supervisor};
use crate::{Arbiters, Chaos, Home, Vital, beyond_repair};

const HOLD: Duration = Duration::from_secs(10);

fn key(name: &str) -> KeySpec {
    KeySpec {
        secret: ApiKey::new(format!("secret-of-{name}")),
        label: name.to_owned(),
        group: Some(GroupId::from(format!("projects/{name}").as_str())),
        weight: 1,
        role: Role::Primary,
        allowance: Allowance::default(),
    }
}

pub(crate) fn spec(keys: &[&str], panic_every: u64) -> SupervisorSpec {
    SupervisorSpec {
        provider: ProviderName::new("google"),
        keys: keys.iter().map(|name| key(name)).collect(),
        policy: Policy::default(),
        seed: 1,
        gate: 64,
        chaos: NonZeroU64::new(panic_every).map(|panic_every| Chaos { panic_every }),
        memory: Arc::default(),
        bookkeeper: None,
        prober: None,
    }
}

pub(crate) fn ask() -> Ask {
    Ask {
        operation: Operation("generate_content"),
        model: Some(ModelName::from("gemini-2.5-flash")),
        opens_session: false,
        references: Vec::new(),
        placement: Placement::Any,
        client: ClientId::from("shop"),
        user: UserId { client: ClientId::from("shop"), name: "ada".into() },
        access: Access::Token,
        tried: Vec::new(),
        estimate: Spend::default(),
        patience: Duration::ZERO,
        hold: HOLD,
    }
}

pub(crate) async fn lease(supervisor: &KeySupervisor) -> KeyLease {
    match supervisor.lease(ask()).await {
        Ok(Leased::Key(lease)) => lease,
        other => panic!("no lease: {other:?}"),
    }
}

fn state_of(snapshot: &PoolSnapshot, id: &KeyId) -> KeyState {
    snapshot.keys.iter().find(|key| key.id == *id).expect("the key is there").state
}

fn failed(fault: Fault) -> Verdict {
    Verdict::Failed(Failure::of(fault))
}

/// Runs actors and the test on one thread with paused time.
pub(crate) async fn on_one_thread<T>(test: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(test).await
}

pub(super) fn poll_once<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[tokio::test(start_paused = true)]
async fn keys_are_leased_settled_and_counted() {
    on_one_thread(async {
        let supervisor = start_supervisor(spec(&["a", "b"], 0), &Home::Here);
        let (first, second) = (lease(&supervisor).await, lease(&supervisor).await);
        assert_ne!(first.key_id(), second.key_id(), "round robin uses both");
        assert_eq!(first.key().expose(), format!("secret-of-{}", first.label()));
        first.settle(Verdict::Served(Spend::default()));
        second.settle(Verdict::Unsent);
        let ledger = supervisor.observe().await.unwrap().ledger;
        assert_eq!((ledger.attempts, ledger.settled, ledger.refunded, ledger.in_flight), (2, 1, 1, 0));
        assert!(supervisor.vitals().is_ready());
        assert!(supervisor.answers().await);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_dropped_unsettled_counts_as_abandoned() {
    on_one_thread(async {
        let supervisor = start_supervisor(spec(&["a"], 0), &Home::Here);
        drop(lease(&supervisor).await);
        let ledger = supervisor.observe().await.unwrap().ledger;
        assert_eq!((ledger.lost, ledger.in_flight), (1, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_vanishes_before_its_ask_is_read_gets_no_lease() {
    on_one_thread(async {
        let supervisor = start_supervisor(spec(&["a"], 0), &Home::Here);
        supervisor.observe().await.unwrap();
        let mut asking = Box::pin(supervisor.lease(ask()));
        assert!(!poll_once(asking.as_mut()));
        drop(asking);
        let ledger = supervisor.observe().await.unwrap().ledger;
        assert_eq!((ledger.attempts, ledger.in_flight), (0, 0));
        assert_eq!(supervisor.vitals().in_flight(), 0, "the place in the queue is free again");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_vanishes_before_it_hears_the_answer_gives_the_lease_back_unsent() {
    on_one_thread(async {
        let supervisor = start_supervisor(spec(&["a"], 0), &Home::Here);
        let mut asking = Box::pin(supervisor.lease(ask()));
        assert!(!poll_once(asking.as_mut()));
        let ledger = supervisor.observe().await.unwrap().ledger;
        assert_eq!(ledger.in_flight, 1, "the answer is under way");
        drop(asking);
        let ledger = supervisor.observe().await.unwrap().ledger;
        assert_eq!((ledger.refunded, ledger.lost, ledger.in_flight), (1, 0, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_answered_and_forgets_neither_rests_nor_disabled_keys() {
    on_one_thread(async {
        // Asks: three leases, the panic on the fourth, and one after.
        let supervisor = start_supervisor(spec(&["a", "b", "c", "d"], 4), &Home::Here);
        let (old, resting, invalid) =
            (lease(&supervisor).await, lease(&supervisor).await, lease(&supervisor).await);
        let (resting_id, invalid_id) = (resting.key_id().clone(), invalid.key_id().clone());
        resting.settle(failed(Fault::GroupBlocked));
        invalid.settle(failed(Fault::KeyInvalid));
        let refused = supervisor.lease(ask()).await.unwrap_err();
        assert!(
            matches!(refused, LeaseRefused::Unavailable { retry_after } if retry_after >= Duration::from_secs(1)),
            "{refused:?}"
        );
        let after = lease(&supervisor).await;
        assert_eq!(supervisor.vitals().restarts(), 1);
        assert!(supervisor.vitals().is_ready());
        let before_settling = supervisor.observe().await.unwrap();
        assert_eq!(state_of(&before_settling, &resting_id), KeyState::CoolingDown);
        assert_eq!(state_of(&before_settling, &invalid_id), KeyState::Disabled);
        // Both are the first lease of their life; one must not be taken for the other (KP-8).
        old.settle(failed(Fault::KeyInvalid));
        assert_eq!(supervisor.observe().await.unwrap(), before_settling);
        drop(after);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn asks_that_wait_during_a_panic_are_answered_after_it() {
    on_one_thread(async {
        let supervisor = start_supervisor(spec(&["a"], 3), &Home::Here);
        supervisor.observe().await.unwrap();
        let asking: Vec<_> = (0..6)
            .map(|_| {
                let supervisor = supervisor.clone();
                tokio::task::spawn_local(async move { supervisor.lease(ask()).await })
            })
            .collect();
        let mut unavailable = 0;
        for ask in asking {
            match ask.await.unwrap() {
                Ok(Leased::Key(lease)) => lease.settle(Verdict::Unsent),
                Err(LeaseRefused::Unavailable { .. }) => unavailable += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(unavailable, 2, "only those whose own call panicked");
        assert_eq!(supervisor.vitals().restarts(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn restarting_too_often_is_beyond_repair() {
    on_one_thread(async {
        let supervisor = start_supervisor(spec(&["a"], 1), &Home::Here);
        let watched: [Arc<dyn Vital>; 1] = [Arc::new(supervisor.clone())];
        let mut watch = Box::pin(beyond_repair(&watched));
        for restart in 1..=5 {
            assert!(supervisor.lease(ask()).await.is_err());
            supervisor.observe().await.unwrap();
            assert_eq!(supervisor.vitals().restarts(), restart);
            assert!(supervisor.vitals().is_ready(), "restart {restart} is within the budget");
        }
        assert!(!poll_once(watch.as_mut()));
        assert!(supervisor.lease(ask()).await.is_err());
        assert_eq!(watch.await, "keys:google");
        assert!(!supervisor.vitals().is_ready());
        assert!(supervisor.vitals().is_beyond_repair());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rare_restarts_are_forgiven() {
    on_one_thread(async {
        let supervisor = start_supervisor(spec(&["a"], 1), &Home::Here);
        for _ in 0..12 {
            assert!(supervisor.lease(ask()).await.is_err());
            tokio::time::advance(Duration::from_secs(13)).await;
        }
        supervisor.observe().await.unwrap();
        assert_eq!(supervisor.vitals().restarts(), 12);
        assert!(supervisor.vitals().is_ready());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_says_so_at_the_door() {
    on_one_thread(async {
        let supervisor = start_supervisor(SupervisorSpec { gate: 20, ..spec(&["a"], 0) }, &Home::Here);
        supervisor.observe().await.unwrap();
        let mut asking: Vec<_> = (0..20).map(|_| Box::pin(supervisor.lease(ask()))).collect();
        assert!(asking.iter_mut().all(|ask| !poll_once(ask.as_mut())));
        assert_eq!(supervisor.vitals().in_flight(), 20);
        let refused = supervisor.lease(ask()).await.unwrap_err();
        assert!(
            matches!(refused, LeaseRefused::Overloaded { retry_after } if retry_after >= Duration::from_secs(1)),
            "{refused:?}"
        );
        assert!(supervisor.observe().await.is_ok(), "operators can still look inside");
        for ask in asking {
            assert!(ask.await.is_ok());
        }
        assert!(supervisor.lease(ask()).await.is_ok(), "the queue is empty again");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_held_too_long_comes_back_by_itself() {
    on_one_thread(async {
        let supervisor = start_supervisor(spec(&["a"], 0), &Home::Here);
        let held = lease(&supervisor).await;
        tokio::time::sleep(HOLD + Duration::from_secs(1)).await;
        let ledger = supervisor.observe().await.unwrap().ledger;
        assert_eq!((ledger.lost, ledger.in_flight), (1, 0));
        held.settle(Verdict::Served(Spend::default()));
        assert_eq!(supervisor.observe().await.unwrap().ledger.settled, 0, "too late");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_promised_moment_is_kept() {
    on_one_thread(async {
        let supervisor = start_supervisor(spec(&["a"], 0), &Home::Here);
        lease(&supervisor).await.settle(failed(Fault::RateLimited));
        let refused = supervisor.lease(ask()).await.unwrap_err();
        let LeaseRefused::Pool(PoolRefusal::Resting { retry_after, last_fault }) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(last_fault, Fault::RateLimited);
        tokio::time::sleep(retry_after).await;
        lease(&supervisor).await.settle(Verdict::Unsent);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn operators_can_take_keys_out_and_bring_them_back() {
    on_one_thread(async {
        let supervisor = start_supervisor(spec(&["a", "b"], 0), &Home::Here);
        let (a, b) = (key("a").secret.id().clone(), key("b").secret.id().clone());
        assert_eq!(supervisor.disable(a.clone()).await, Ok(true));
        assert_eq!(supervisor.disable(KeyId::from("no such key")).await, Ok(false));
        for _ in 0..4 {
            assert_eq!(lease(&supervisor).await.key_id(), &b);
        }
        let decision = supervisor.explain(ask()).await.unwrap();
        assert_eq!(decision.answer, Ok(Some(b.clone())));
        assert_eq!(supervisor.enable(a.clone()).await, Ok(true));
        lease(&supervisor).await.settle(failed(Fault::KeyInvalid));
        assert_eq!(supervisor.reset(None).await, Ok(1));
        assert_eq!(supervisor.observe().await.unwrap().counts.available, 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_what_is_known_and_settles_what_is_under_way() {
    on_one_thread(async {
        let supervisor = start_supervisor(spec(&["a", "b"], 0), &Home::Here);
        let (draining, invalid) = (lease(&supervisor).await, lease(&supervisor).await);
        let invalid_id = invalid.key_id().clone();
        // A notice that lies in the tray is older than the reload.
        invalid.settle(failed(Fault::KeyInvalid));
        let told = supervisor.reload(vec![key("c"), key("b")], Policy::default()).await.unwrap();
        assert_eq!((told.added.len(), told.removed.len(), told.kept), (1, 1, 1));
        assert_eq!(lease(&supervisor).await.label(), "c");
        let snapshot = supervisor.observe().await.unwrap();
        assert_eq!(state_of(&snapshot, &invalid_id), KeyState::Disabled);
        assert_eq!(snapshot.draining, 1);
        draining.settle(Verdict::Served(Spend::default()));
        let snapshot = supervisor.observe().await.unwrap();
        assert_eq!((snapshot.draining, snapshot.ledger.in_flight, snapshot.ledger.settled), (0, 0, 2));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_panics_after_a_reload_is_rebuilt_from_the_new_keys() {
    on_one_thread(async {
        let supervisor = start_supervisor(spec(&["a", "b"], 2), &Home::Here);
        lease(&supervisor).await.settle(failed(Fault::KeyInvalid));
        supervisor.reload(vec![key("c"), key("a")], Policy::default()).await.unwrap();
        assert!(supervisor.lease(ask()).await.is_err(), "the second ask panics");
        let snapshot = supervisor.observe().await.unwrap();
        let states: Vec<_> = snapshot.keys.iter().map(|key| (&*key.label, key.state)).collect();
        assert_eq!(states, [("c", KeyState::Available), ("a", KeyState::Disabled)]);
    })
    .await;
}

#[test]
fn handles_work_from_other_threads_and_runtimes() {
    let system = actix_rt::System::new();
    let arbiters = system.block_on(async { Arbiters::start() }).unwrap();
    let supervisor = start_supervisor(spec(&["a", "b"], 0), &arbiters.keys());
    let vitals = supervisor.vitals().clone();
    let elsewhere = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        runtime.block_on(async move {
            let workers: Vec<_> = (0..4)
                .map(|_| {
                    let supervisor = supervisor.clone();
                    tokio::spawn(async move {
                        for _ in 0..200 {
                            lease(&supervisor).await.settle(Verdict::Served(Spend::default()));
                        }
                    })
                })
                .collect();
            for worker in workers {
                worker.await.unwrap();
            }
            supervisor.observe().await.unwrap().ledger
        })
    });
    let ledger = elsewhere.join().unwrap();
    assert_eq!((ledger.attempts, ledger.settled, ledger.in_flight), (800, 800, 0));
    arbiters.stop();
    assert!(!vitals.is_alive() && !vitals.is_ready(), "its thread is gone");
}
