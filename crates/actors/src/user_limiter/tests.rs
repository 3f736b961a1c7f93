//! What a journey notices of the limiter, on paused time.

use std::future::Future;
use std::num::NonZeroU64;
use std::task::{Context, Waker};
use std::time::Duration;

use keygate_domain::{ClientId, UserId, UserLimits};
use keygate_limits::{TurnedAway, TurnedAwayWhy, UserPolicy};
use tokio::task::LocalSet;

use super::handle::start;
use super::{LimiterRefusal, UserLimiter, start_limiter};
use crate::{Chaos, Home, Vital};

/// The limits of everybody.
const USUAL: UserLimits = UserLimits { requests_per_minute: None, burst: None, max_concurrent: None };

fn user(name: &str) -> UserId {
    UserId { client: ClientId::from("shop"), name: name.into() }
}

fn policy(requests_per_minute: u32, max_concurrent: u32) -> UserPolicy {
    UserPolicy { requests_per_minute, burst: requests_per_minute, max_concurrent, ..UserPolicy::default() }
}

async fn turned_away(limiter: &UserLimiter, name: &str) -> TurnedAway {
    match limiter.admit(user(name), 1, USUAL).await {
        Err(LimiterRefusal::TurnedAway(away)) => away,
        other => panic!("{other:?}"),
    }
}

async fn on_one_thread<T>(test: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(test).await
}

fn poll_once<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[tokio::test(start_paused = true)]
async fn the_twenty_first_request_of_a_minute_waits_for_the_first_to_be_a_minute_old() {
    on_one_thread(async {
        let limiter = start_limiter(UserPolicy::default(), 64, &Home::Here);
        for left in (0..20).rev() {
            let admission = limiter.admit(user("ann"), 1, USUAL).await.unwrap();
            assert_eq!(admission.facts().remaining, left);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let away = turned_away(&limiter, "ann").await;
        assert_eq!((away.why, away.retry_after), (TurnedAwayWhy::Window, Duration::from_secs(40)));
        assert!(limiter.admit(user("bob"), 1, USUAL).await.is_ok());
        tokio::time::advance(away.retry_after).await;
        assert!(limiter.admit(user("ann"), 1, USUAL).await.is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_occupies_its_user_until_the_admission_is_dropped() {
    on_one_thread(async {
        let limiter = start_limiter(policy(20, 1), 64, &Home::Here);
        let admission = limiter.admit(user("ann"), 1, USUAL).await.unwrap();
        assert_eq!(turned_away(&limiter, "ann").await.why, TurnedAwayWhy::Concurrent);
        drop(admission);
        assert!(limiter.admit(user("ann"), 1, USUAL).await.is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_vanishes_does_not_occupy_its_user() {
    on_one_thread(async {
        let limiter = start_limiter(policy(20, 1), 64, &Home::Here);
        let mut asking = Box::pin(limiter.admit(user("ann"), 1, USUAL));
        assert!(!poll_once(asking.as_mut()));
        assert!(limiter.answers().await, "the answer is under way");
        drop(asking);
        assert!(limiter.admit(user("ann"), 1, USUAL).await.is_ok());
        assert_eq!(limiter.vitals().in_flight(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_gives_nobody_a_fresh_minute() {
    on_one_thread(async {
        let chaos = Chaos { panic_every: NonZeroU64::new(3).unwrap() };
        let limiter = start(policy(2, 16), 64, Some(chaos), &Home::Here);
        for _ in 0..2 {
            assert!(limiter.admit(user("ann"), 1, USUAL).await.is_ok());
        }
        let refused = limiter.admit(user("ann"), 1, USUAL).await.unwrap_err();
        assert!(matches!(refused, LimiterRefusal::Unavailable { .. }), "{refused:?}");
        assert_eq!(turned_away(&limiter, "ann").await.why, TurnedAwayWhy::Window);
        assert_eq!(limiter.vitals().restarts(), 1);
        assert!(limiter.vitals().is_ready());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_leaves_no_call_running_for_ever() {
    on_one_thread(async {
        let chaos = Chaos { panic_every: NonZeroU64::new(2).unwrap() };
        let limiter = start(policy(20, 1), 64, Some(chaos), &Home::Here);
        let old = limiter.admit(user("ann"), 1, USUAL).await.unwrap();
        assert!(
            limiter.admit(user("bob"), 1, USUAL).await.is_err(),
            "bob's call was counted, and nobody has it"
        );
        let bobs = limiter.admit(user("bob"), 1, USUAL).await;
        assert!(bobs.is_ok(), "{bobs:?}");
        drop(old);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_of_before_a_panic_does_not_end_one_of_after() {
    on_one_thread(async {
        let chaos = Chaos { panic_every: NonZeroU64::new(3).unwrap() };
        let limiter = start(policy(20, 1), 64, Some(chaos), &Home::Here);
        let old = limiter.admit(user("ann"), 1, USUAL).await.unwrap();
        drop(limiter.admit(user("bob"), 1, USUAL).await);
        assert!(limiter.admit(user("bob"), 1, USUAL).await.is_err(), "the third ask panics");
        let new = limiter.admit(user("ann"), 1, USUAL).await.unwrap();
        drop(old);
        assert_eq!(turned_away(&limiter, "ann").await.why, TurnedAwayWhy::Concurrent);
        drop(new);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_says_so_at_the_door() {
    on_one_thread(async {
        let limiter = start_limiter(UserPolicy::default(), 4, &Home::Here);
        let mut asking: Vec<_> = (0..4).map(|_| Box::pin(limiter.admit(user("ann"), 1, USUAL))).collect();
        assert!(asking.iter_mut().all(|ask| !poll_once(ask.as_mut())));
        let refused = limiter.admit(user("bob"), 1, USUAL).await.unwrap_err();
        assert!(matches!(refused, LimiterRefusal::Overloaded { .. }), "{refused:?}");
        for ask in asking {
            assert!(ask.await.is_ok());
        }
        assert!(limiter.admit(user("bob"), 1, USUAL).await.is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn another_policy_holds_at_once_and_after_a_panic() {
    on_one_thread(async {
        let limiter =
            start(policy(5, 9), 64, NonZeroU64::new(4).map(|panic_every| Chaos { panic_every }), &Home::Here);
        drop(limiter.admit(user("ann"), 1, USUAL).await.unwrap());
        drop(limiter.admit(user("ann"), 1, USUAL).await.unwrap());
        limiter.set_policy(policy(2, 9)).await.unwrap();
        assert_eq!(turned_away(&limiter, "ann").await.why, TurnedAwayWhy::Window);
        assert!(limiter.admit(user("ben"), 1, USUAL).await.is_err(), "the fourth ask panics");
        assert_eq!(turned_away(&limiter, "ann").await.limit, 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn guessing_tokens_is_slowed_down() {
    on_one_thread(async {
        let limiter = start_limiter(UserPolicy::default(), 64, &Home::Here);
        let peer = "192.0.2.1".parse().unwrap();
        for _ in 0..10 {
            assert_eq!(limiter.failed_login(peer).await, Ok(()));
        }
        let Err(LimiterRefusal::TurnedAway(away)) = limiter.failed_login(peer).await else {
            panic!("the eleventh guess was not turned away")
        };
        assert_eq!(away.why, TurnedAwayWhy::Peer);
        tokio::time::advance(away.retry_after).await;
        assert_eq!(limiter.failed_login(peer).await, Ok(()));
    })
    .await;
}
