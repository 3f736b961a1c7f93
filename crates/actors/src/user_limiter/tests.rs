//! What a journey notices of the limiter, on paused time.

use std::future::Future;
use std::num::NonZeroU64;
use std::task::{Context, Waker};
use std::time::Duration;

use keygate_domain::{ClientId, PlanName, UserId, UserLimits};
use keygate_limits::{Allowed, Amount, Plan, Plans, TurnedAway, TurnedAwayWhy, Used, UserPolicy};
use tokio::task::LocalSet;
use tokio::time::sleep;

use super::handle::start;
use super::{LimiterRefusal, UserCall, UserLimiter, start_limiter};
use crate::{Chaos, Home, Vital};

fn user(name: &str) -> UserId {
    UserId { client: ClientId::from("shop"), name: name.into() }
}

fn call(name: &str) -> UserCall {
    UserCall { user: user(name), units: 1, limits: UserLimits::default(), plan: None, tokens: 0 }
}

fn policy(requests_per_minute: u32, max_concurrent: u32) -> UserPolicy {
    UserPolicy { requests_per_minute, burst: requests_per_minute, max_concurrent, ..UserPolicy::default() }
}

async fn turned_away(limiter: &UserLimiter, name: &str) -> TurnedAway {
    match limiter.admit(call(name)).await {
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
        let limiter = start_limiter(UserPolicy::default(), Plans::default(), vec![], 64, &Home::Here);
        for left in (0..20).rev() {
            let admission = limiter.admit(call("ann")).await.unwrap();
            assert_eq!(admission.facts().remaining, left);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let away = turned_away(&limiter, "ann").await;
        assert_eq!((away.why, away.retry_after), (TurnedAwayWhy::Window, Duration::from_secs(40)));
        assert!(limiter.admit(call("bob")).await.is_ok());
        tokio::time::advance(away.retry_after).await;
        assert!(limiter.admit(call("ann")).await.is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_occupies_its_user_until_the_admission_is_dropped() {
    on_one_thread(async {
        let limiter = start_limiter(policy(20, 1), Plans::default(), vec![], 64, &Home::Here);
        let admission = limiter.admit(call("ann")).await.unwrap();
        assert_eq!(turned_away(&limiter, "ann").await.why, TurnedAwayWhy::Concurrent);
        drop(admission);
        assert!(limiter.admit(call("ann")).await.is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_vanishes_does_not_occupy_its_user() {
    on_one_thread(async {
        let limiter = start_limiter(policy(20, 1), Plans::default(), vec![], 64, &Home::Here);
        let mut asking = Box::pin(limiter.admit(call("ann")));
        assert!(!poll_once(asking.as_mut()));
        assert!(limiter.answers().await, "the answer is under way");
        drop(asking);
        assert!(limiter.admit(call("ann")).await.is_ok());
        assert_eq!(limiter.vitals().in_flight(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn how_many_users_are_remembered_is_seen_without_asking() {
    on_one_thread(async {
        let policy = UserPolicy { max_users: 9, ..policy(20, 16) };
        let limiter = start_limiter(policy, Plans::default(), vec![], 64, &Home::Here);
        for user in ["ann", "bob", "ann"] {
            drop(limiter.admit(call(user)).await.unwrap());
        }
        assert_eq!(limiter.crowd(), (2, 9));
        sleep(Duration::from_secs(70)).await;
        assert_eq!(limiter.crowd(), (0, 9), "nothing of theirs counts any more");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_gives_nobody_a_fresh_minute() {
    on_one_thread(async {
        let chaos = Chaos { panic_every: NonZeroU64::new(3).unwrap() };
        let limiter = start(policy(2, 16), Plans::default(), vec![], 64, Some(chaos), &Home::Here);
        for _ in 0..2 {
            assert!(limiter.admit(call("ann")).await.is_ok());
        }
        let refused = limiter.admit(call("ann")).await.unwrap_err();
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
        let limiter = start(policy(20, 1), Plans::default(), vec![], 64, Some(chaos), &Home::Here);
        let old = limiter.admit(call("ann")).await.unwrap();
        assert!(limiter.admit(call("bob")).await.is_err(), "bob's call was counted, and nobody has it");
        let bobs = limiter.admit(call("bob")).await;
        assert!(bobs.is_ok(), "{bobs:?}");
        drop(old);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_of_before_a_panic_does_not_end_one_of_after() {
    on_one_thread(async {
        let chaos = Chaos { panic_every: NonZeroU64::new(3).unwrap() };
        let limiter = start(policy(20, 1), Plans::default(), vec![], 64, Some(chaos), &Home::Here);
        let old = limiter.admit(call("ann")).await.unwrap();
        drop(limiter.admit(call("bob")).await);
        assert!(limiter.admit(call("bob")).await.is_err(), "the third ask panics");
        let new = limiter.admit(call("ann")).await.unwrap();
        drop(old);
        assert_eq!(turned_away(&limiter, "ann").await.why, TurnedAwayWhy::Concurrent);
        drop(new);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_says_so_at_the_door() {
    on_one_thread(async {
        let limiter = start_limiter(UserPolicy::default(), Plans::default(), vec![], 4, &Home::Here);
        let mut asking: Vec<_> = (0..4).map(|_| Box::pin(limiter.admit(call("ann")))).collect();
        assert!(asking.iter_mut().all(|ask| !poll_once(ask.as_mut())));
        let refused = limiter.admit(call("bob")).await.unwrap_err();
        assert!(matches!(refused, LimiterRefusal::Overloaded { .. }), "{refused:?}");
        for ask in asking {
            assert!(ask.await.is_ok());
        }
        assert!(limiter.admit(call("bob")).await.is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn another_policy_holds_at_once_and_after_a_panic() {
    on_one_thread(async {
        let limiter = start(
            policy(5, 9),
            Plans::default(),
            vec![],
            64,
            NonZeroU64::new(4).map(|panic_every| Chaos { panic_every }),
            &Home::Here,
        );
        drop(limiter.admit(call("ann")).await.unwrap());
        drop(limiter.admit(call("ann")).await.unwrap());
        limiter.set_policy(policy(2, 9)).await.unwrap();
        assert_eq!(turned_away(&limiter, "ann").await.why, TurnedAwayWhy::Window);
        assert!(limiter.admit(call("ben")).await.is_err(), "the fourth ask panics");
        assert_eq!(turned_away(&limiter, "ann").await.limit, 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn guessing_tokens_is_slowed_down() {
    on_one_thread(async {
        let limiter = start_limiter(UserPolicy::default(), Plans::default(), vec![], 64, &Home::Here);
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

fn two_a_day() -> Plans {
    let free = PlanName::from("free");
    let day = Allowed { requests: Some(2), tokens: None };
    Plans { default: Some(free.clone()), by_name: [(free, Plan { day, ..Plan::default() })].into() }
}

#[tokio::test(start_paused = true)]
async fn a_plan_counts_what_calls_came_to_and_survives_a_panic() {
    on_one_thread(async {
        let chaos = NonZeroU64::new(4).map(|panic_every| Chaos { panic_every });
        let limiter = start(policy(20, 16), two_a_day(), vec![], 64, chaos, &Home::Here);
        drop(limiter.admit(call("ann")).await.unwrap());
        let mut charged = limiter.admit(call("ann")).await.unwrap();
        charged.charge(Amount { requests: 1, tokens: 30 });
        drop(charged);
        let mut under_way = limiter.admit(call("ann")).await.unwrap();
        assert!(limiter.admit(call("bob")).await.is_err(), "the fourth ask panics");
        under_way.charge(Amount { requests: 1, tokens: 5 });
        drop(under_way);
        let standing = limiter.look_at_plan(user("ann"), None).await.unwrap();
        assert_eq!(standing.used.day, Amount { requests: 2, tokens: 35 });
        let refused = limiter.admit(call("ann")).await.unwrap_err();
        assert!(matches!(refused, LimiterRefusal::PlanExhausted(_)), "{refused:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn other_plans_and_what_was_used_before_hold_at_once() {
    on_one_thread(async {
        let had = Amount { requests: 2, tokens: 0 };
        let used = || vec![(user("ann"), Used { day: had, month: had })];
        let limiter = start_limiter(policy(20, 16), two_a_day(), used(), 64, &Home::Here);
        assert!(limiter.admit(call("ann")).await.is_err());
        assert!(limiter.set_plans(two_a_day()).await.unwrap().is_none(), "counting goes on");
        assert!(limiter.set_plans(Plans::default()).await.unwrap().is_none());
        assert!(limiter.admit(call("ann")).await.is_ok());
        assert!(limiter.set_plans(two_a_day()).await.unwrap().is_some(), "counting begins");
        limiter.restore(used()).await.unwrap();
        assert!(limiter.admit(call("ann")).await.is_err());
        assert!(limiter.admit(call("bob")).await.is_ok());
    })
    .await;
}
