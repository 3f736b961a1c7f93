//! What a journey notices while it waits for a key, on paused time.

use std::time::Duration;

use keygate_domain::{Failure, Fault, Hint, ModelName, Spend, UserId, Verdict};
use keygate_pool::{Ask, Policy, PoolRefusal, QueueBounds};
use tokio::task::{JoinHandle, spawn_local};

use super::tests::{ask, lease, on_one_thread, poll_once, spec};
use super::{KeyLease, KeySupervisor, LeaseRefused, Leased, SupervisorSpec, start_supervisor};
use crate::{Home, clock};

const REST: Duration = Duration::from_secs(2);

fn patient() -> Ask {
    Ask { patience: Duration::from_mins(1), ..ask() }
}

fn of(user: &str) -> Ask {
    Ask { user: UserId { client: "shop".into(), name: user.into() }, ..patient() }
}

fn rest_for(rest: Duration) -> Verdict {
    let hint = Hint { retry_after: Some(rest), ..Hint::default() };
    Verdict::Failed(Failure::of(Fault::RateLimited).hinting(hint))
}

/// A supervisor of one key, which rests.
async fn resting(spec: SupervisorSpec) -> KeySupervisor {
    let supervisor = start_supervisor(spec, &Home::Here);
    lease(&supervisor).await.settle(rest_for(REST));
    supervisor
}

fn asking(supervisor: &KeySupervisor, ask: Ask) -> JoinHandle<Result<Leased, LeaseRefused>> {
    let supervisor = supervisor.clone();
    spawn_local(async move { supervisor.lease(ask).await })
}

async fn waiting(supervisor: &KeySupervisor) -> usize {
    // Twice: whoever was just started has asked by then.
    supervisor.observe().await.unwrap();
    supervisor.observe().await.unwrap().waiting
}

fn key(outcome: Result<Leased, LeaseRefused>) -> KeyLease {
    match outcome {
        Ok(Leased::Key(lease)) => lease,
        other => panic!("no lease: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_is_served_when_the_key_is_back() {
    on_one_thread(async {
        let supervisor = resting(spec(&["a"], 0)).await;
        let began = clock::now();
        let lease = key(supervisor.lease(patient()).await);
        let waited = began.until(clock::now());
        assert!(waited >= REST && waited < REST * 2, "{waited:?}");
        assert!(lease.waited() >= REST && lease.waited() <= waited);
        lease.settle(Verdict::Served(Spend::default()));
        let at_once = key(supervisor.lease(patient()).await);
        assert_eq!(at_once.waited(), Duration::ZERO);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_before_the_key_is_back_is_refused_at_once() {
    on_one_thread(async {
        let supervisor = resting(spec(&["a"], 0)).await;
        let began = clock::now();
        let hasty = Ask { patience: REST / 2, ..patient() };
        let refused = supervisor.lease(hasty).await.unwrap_err();
        assert!(began.until(clock::now()) < REST / 2, "it did not wait in vain");
        assert!(
            matches!(refused, LeaseRefused::Pool(PoolRefusal::Resting { retry_after, .. }) if retry_after > REST / 2),
            "{refused:?}"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_has_become_hopeless_ends_with_the_honest_time() {
    on_one_thread(async {
        let supervisor = start_supervisor(spec(&["a"], 0), &Home::Here);
        let (first, late) = (lease(&supervisor).await, lease(&supervisor).await);
        first.settle(rest_for(REST));
        let waits = asking(&supervisor, patient());
        assert_eq!(waiting(&supervisor).await, 1);
        late.settle(rest_for(Duration::from_mins(10)));
        let refused = waits.await.unwrap().unwrap_err();
        assert!(
            matches!(refused, LeaseRefused::Pool(PoolRefusal::Resting { retry_after, .. }) if retry_after > REST),
            "{refused:?}"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_vanishes_while_it_waits_leaves_the_queue() {
    on_one_thread(async {
        let supervisor = resting(spec(&["a"], 0)).await;
        let gone = asking(&supervisor, patient());
        let stays = asking(&supervisor, patient());
        assert_eq!(waiting(&supervisor).await, 2);
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        assert_eq!(supervisor.observe().await.unwrap().waiting, 1);
        drop(key(stays.await.unwrap()));
        let ledger = supervisor.observe().await.unwrap().ledger;
        assert_eq!((ledger.attempts, ledger.refunded, ledger.in_flight), (2, 0, 0), "it was given no key");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_vanishes_before_it_hears_that_it_must_wait_leaves_the_queue() {
    on_one_thread(async {
        let supervisor = resting(spec(&["a"], 0)).await;
        let mut asks = Box::pin(supervisor.lease(patient()));
        assert!(!poll_once(asks.as_mut()));
        assert_eq!(waiting(&supervisor).await, 1);
        drop(asks);
        assert_eq!(supervisor.observe().await.unwrap().waiting, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_key_granted_to_a_caller_that_has_vanished_goes_back_unsent() {
    on_one_thread(async {
        let supervisor = resting(spec(&["a"], 0)).await;
        let mut asks = Box::pin(supervisor.lease(patient()));
        // Asks, then hears that it has to wait, and does not listen from here on.
        assert!(!poll_once(asks.as_mut()));
        assert_eq!(waiting(&supervisor).await, 1);
        assert!(!poll_once(asks.as_mut()));
        tokio::time::sleep(REST * 2).await;
        let pool = supervisor.observe().await.unwrap();
        assert_eq!((pool.waiting, pool.ledger.in_flight), (0, 1), "the key is under way");
        drop(asks);
        let ledger = supervisor.observe().await.unwrap().ledger;
        assert_eq!((ledger.refunded, ledger.lost, ledger.in_flight), (1, 0, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_others_wait_is_told_to_them_and_they_may_ask_again() {
    on_one_thread(async {
        // The first ask makes the key rest, three wait, the fifth panics.
        let supervisor = resting(spec(&["a"], 5)).await;
        let waits: Vec<_> = (0..3).map(|_| asking(&supervisor, patient())).collect();
        assert_eq!(waiting(&supervisor).await, 3);
        assert!(matches!(supervisor.lease(ask()).await, Err(LeaseRefused::Unavailable { .. })));
        for wait in waits {
            let outcome = wait.await.unwrap();
            assert!(matches!(outcome, Err(LeaseRefused::Unavailable { .. })), "{outcome:?}");
        }
        assert_eq!(supervisor.observe().await.unwrap().waiting, 0);
        let again = key(supervisor.lease(patient()).await);
        assert!(again.waited() > Duration::ZERO, "the rest is not forgotten");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_was_granted_before_a_panic_is_delivered_all_the_same() {
    on_one_thread(async {
        // The notice serves the one who waits; then comes the fourth ask, which panics.
        let supervisor = start_supervisor(spec(&["a"], 4), &Home::Here);
        let (first, late) = (lease(&supervisor).await, lease(&supervisor).await);
        first.settle(rest_for(REST));
        let waits = asking(&supervisor, patient());
        assert_eq!(waiting(&supervisor).await, 1);
        tokio::time::advance(REST * 2).await;
        late.settle(Verdict::Unsent);
        assert!(matches!(supervisor.lease(ask()).await, Err(LeaseRefused::Unavailable { .. })));
        drop(key(waits.await.unwrap()));
        assert_eq!(
            supervisor.observe().await.unwrap().ledger.in_flight,
            0,
            "nothing leaks into the new life"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_serves_everybody_at_once_and_users_take_turns() {
    on_one_thread(async {
        let supervisor = resting(spec(&["a"], 0)).await;
        let served = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let users: [&str; 4] = ["eager", "eager", "eager", "late"];
        let waits: Vec<_> = users
            .into_iter()
            .map(|user| {
                let (supervisor, served) = (supervisor.clone(), std::rc::Rc::clone(&served));
                spawn_local(async move {
                    let lease = key(supervisor.lease(of(user)).await);
                    served.borrow_mut().push(user);
                    lease.settle(Verdict::Unsent);
                })
            })
            .collect();
        assert_eq!(waiting(&supervisor).await, 4);
        supervisor.reset(None).await.unwrap();
        for wait in waits {
            wait.await.unwrap();
        }
        assert_eq!(*served.borrow(), ["eager", "late", "eager", "eager"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded_and_takes_no_places_at_the_door() {
    on_one_thread(async {
        let queue = QueueBounds { max_waiting: 30, ..QueueBounds::default() };
        let bounded =
            SupervisorSpec { gate: 20, policy: Policy { queue, ..Policy::default() }, ..spec(&["a"], 0) };
        let supervisor = resting(bounded).await;
        let mut waits = Vec::new();
        for _ in 0..30 {
            waits.push(asking(&supervisor, patient()));
            waiting(&supervisor).await;
        }
        assert_eq!(waiting(&supervisor).await, 30);
        assert_eq!(supervisor.vitals().in_flight(), 0, "who waits does not stand in the door");
        let refused = supervisor.lease(patient()).await.unwrap_err();
        assert!(matches!(refused, LeaseRefused::Pool(PoolRefusal::Resting { .. })), "{refused:?}");
        let other = Ask { model: Some(ModelName::from("gemini-2.5-pro")), ..patient() };
        key(supervisor.lease(other).await).settle(Verdict::Unsent);
        for wait in waits {
            key(wait.await.unwrap()).settle(Verdict::Unsent);
        }
    })
    .await;
}
