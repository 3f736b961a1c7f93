//! What a user would notice of their quota, over random schedules.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up may panic")]

use std::time::Duration;

use keygate_domain::{ClientId, Moment, UserId, UserLimits};
use keygate_limits::{TurnedAwayWhy, UserPolicy, UserQuotas};
use proptest::prelude::*;

const MINUTE: Duration = Duration::from_mins(1);

/// The limits of everybody.
const USUAL: UserLimits = UserLimits { requests_per_minute: None, burst: None, max_concurrent: None };

fn at(millis: u64) -> Moment {
    Moment { mono: Duration::ZERO, wall: "2026-01-01T00:00:00Z".parse().unwrap() }
        .after(Duration::from_millis(millis))
}

fn user(name: &str) -> UserId {
    UserId { client: ClientId::from("shop"), name: name.into() }
}

fn policy(requests_per_minute: u32, burst: u32) -> UserPolicy {
    UserPolicy { requests_per_minute, burst, max_concurrent: 1_000, ..UserPolicy::default() }
}

/// Asks: how long after the last one, and for how much.
fn asks() -> impl Strategy<Value = Vec<(u64, u32)>> {
    let gap = prop_oneof![4 => 0u64..50, 3 => 0u64..5_000, 1 => 0u64..70_000, 1 => Just(60_000u64)];
    prop::collection::vec((gap, 1u32..4), 1..300)
}

proptest! {
    #[test]
    fn no_minute_ever_holds_more_than_the_limit_and_nobody_is_refused_without_cause(
        asks in asks(),
        limit in 3u32..25,
    ) {
        let mut quotas = UserQuotas::new(policy(limit, limit));
        let mut admitted: Vec<(Duration, u32)> = Vec::new();
        let mut now = at(0);
        for (gap, units) in asks {
            now = now.after(Duration::from_millis(gap));
            let used: u32 = admitted.iter().filter(|(t, _)| *t + MINUTE > now.mono).map(|(_, n)| n).sum();
            match quotas.admit(&user("ann"), units, USUAL, now) {
                Ok(facts) => {
                    prop_assert!(used + units <= limit, "{used} + {units} > {limit}");
                    prop_assert_eq!(facts.remaining, limit - used - units);
                    admitted.push((now.mono, units));
                    quotas.leave(&user("ann"));
                }
                Err(away) => {
                    prop_assert!(used + units > limit, "refused {units} with {used} of {limit} used");
                    prop_assert_eq!(away.why, TurnedAwayWhy::Window);
                }
            }
        }
    }

    #[test]
    fn coming_back_at_the_promised_moment_succeeds_and_a_moment_earlier_fails(
        asks in asks(),
        limit in 3u32..25,
        burst in 1u32..25,
    ) {
        let mut quotas = UserQuotas::new(policy(limit, burst));
        let mut now = at(0);
        for (gap, units) in asks {
            now = now.after(Duration::from_millis(gap));
            let Err(away) = quotas.admit(&user("ann"), units, USUAL, now) else { continue };
            let early = now.after(away.retry_after.saturating_sub(Duration::from_nanos(1)));
            prop_assert!(quotas.admit(&user("ann"), units, USUAL, early).is_err(), "could have come earlier");
            now = now.after(away.retry_after);
            let again = quotas.admit(&user("ann"), units, USUAL, now);
            prop_assert!(again.is_ok(), "promised after {:?}, got {again:?}", away.retry_after);
        }
    }

    #[test]
    fn memory_stays_bounded_and_a_full_house_says_honestly_when_to_come(
        asks in prop::collection::vec((0u64..3_000, 0u32..30, any::<bool>()), 1..300),
    ) {
        let mut quotas = UserQuotas::new(UserPolicy { max_users: 8, burst: 2, ..policy(3, 2) });
        let mut now = at(0);
        let mut running = Vec::new();
        for (gap, name, leaves) in asks {
            now = now.after(Duration::from_millis(gap));
            let name = user(&name.to_string());
            match quotas.admit(&name, 1, USUAL, now) {
                Ok(_) if leaves => quotas.leave(&name),
                Ok(_) => running.push(name),
                Err(away) if away.why == TurnedAwayWhy::Full && running.is_empty() => {
                    now = now.after(away.retry_after);
                    let again = quotas.admit(&name, 1, USUAL, now);
                    prop_assert!(again.is_ok(), "{again:?}");
                    quotas.leave(&name);
                }
                Err(_) => {
                    if let Some(done) = running.pop() { quotas.leave(&done); }
                }
            }
            prop_assert!(quotas.users() <= 8);
        }
        for name in &running {
            quotas.leave(name);
        }
        quotas.advance(now.after(MINUTE));
        prop_assert_eq!(quotas.users(), 0, "idle users are forgotten");
        prop_assert!(quotas.next_wakeup(now).is_none());
    }
}

#[test]
fn users_of_different_clients_do_not_share() {
    let mut quotas = UserQuotas::new(policy(1, 1));
    let other = UserId { client: ClientId::from("forum"), name: "ann".into() };
    assert!(quotas.admit(&user("ann"), 1, USUAL, at(0)).is_ok());
    assert!(quotas.admit(&user("ann"), 1, USUAL, at(1)).is_err());
    assert!(quotas.admit(&other, 1, USUAL, at(2)).is_ok());
}

#[test]
fn only_so_many_calls_run_at_once() {
    let mut quotas = UserQuotas::new(UserPolicy { max_concurrent: 2, ..UserPolicy::default() });
    assert!(quotas.admit(&user("ann"), 1, USUAL, at(0)).is_ok());
    assert!(quotas.admit(&user("ann"), 1, USUAL, at(0)).is_ok());
    let away = quotas.admit(&user("ann"), 1, USUAL, at(0)).unwrap_err();
    assert_eq!((away.why, away.limit), (TurnedAwayWhy::Concurrent, 2));
    quotas.leave(&user("ann"));
    let facts = quotas.admit(&user("ann"), 1, USUAL, at(0)).unwrap();
    assert_eq!(facts.remaining, 17, "a refusal was charged");
}

#[test]
fn a_user_with_a_running_call_is_not_forgotten() {
    let mut quotas = UserQuotas::new(UserPolicy::default());
    quotas.admit(&user("ann"), 1, USUAL, at(0)).unwrap();
    quotas.advance(at(300_000));
    assert_eq!(quotas.in_flight(&user("ann")), 1);
    quotas.leave(&user("ann"));
    quotas.advance(at(300_001));
    assert_eq!(quotas.users(), 0);
}

#[test]
fn calls_that_use_no_key_pass_a_used_up_window() {
    let mut quotas = UserQuotas::new(policy(1, 1));
    assert!(quotas.admit(&user("ann"), 1, USUAL, at(0)).is_ok());
    assert!(quotas.admit(&user("ann"), 0, USUAL, at(0)).is_ok());
    assert!(quotas.admit(&user("ann"), 1, USUAL, at(0)).is_err());
}

#[test]
fn an_ask_larger_than_the_window_is_told_so() {
    let mut quotas = UserQuotas::new(policy(20, 20));
    let away = quotas.admit(&user("ann"), 21, USUAL, at(0)).unwrap_err();
    assert_eq!(away.why, TurnedAwayWhy::TooLarge);
}

#[test]
fn a_small_burst_spreads_the_minute() {
    let mut quotas = UserQuotas::new(policy(20, 5));
    for _ in 0..5 {
        assert!(quotas.admit(&user("ann"), 1, USUAL, at(0)).is_ok());
    }
    let away = quotas.admit(&user("ann"), 1, USUAL, at(0)).unwrap_err();
    assert_eq!((away.why, away.retry_after), (TurnedAwayWhy::Burst, Duration::from_secs(3)));
}

#[test]
fn rebuilding_gives_no_user_a_fresh_minute() {
    let mut quotas = UserQuotas::new(policy(2, 2));
    quotas.admit(&user("ann"), 2, USUAL, at(0)).unwrap();
    let mut quotas = quotas.rebuilt();
    assert!(quotas.admit(&user("ann"), 1, USUAL, at(10)).is_err());
    assert_eq!(quotas.in_flight(&user("ann")), 0, "nobody is left to end that call");
    quotas.advance(at(60_000));
    assert_eq!(quotas.users(), 0);
}

#[test]
fn another_limit_holds_at_once_and_forgets_nothing() {
    let ann = user("ann");
    let mut quotas = UserQuotas::new(policy(5, 5));
    let admit = |quotas: &mut UserQuotas, millis| {
        let admitted = quotas.admit(&ann, 1, USUAL, at(millis));
        if admitted.is_ok() {
            quotas.leave(&ann);
        }
        admitted
    };
    assert!((0..5).all(|second| admit(&mut quotas, second * 1_000).is_ok()));
    quotas.set_policy(policy(3, 3));
    let away = admit(&mut quotas, 5_000).unwrap_err();
    assert_eq!((away.why, away.limit), (TurnedAwayWhy::Window, 3));
    assert_eq!(away.retry_after, Duration::from_secs(57), "until no more than two of the five count");
    quotas.set_policy(policy(7, 7));
    assert_eq!(admit(&mut quotas, 5_000).unwrap().remaining, 1);
    assert_eq!(admit(&mut quotas, 5_000).unwrap().remaining, 0);
    assert!(admit(&mut quotas, 5_000).is_err());
}

#[test]
fn another_limit_does_not_give_a_burst_back() {
    let ann = user("ann");
    let mut quotas = UserQuotas::new(policy(60, 2));
    assert!((0..2).all(|_| quotas.admit(&ann, 1, USUAL, at(0)).is_ok()));
    quotas.set_policy(UserPolicy { max_concurrent: 5, ..policy(60, 2) });
    assert_eq!(quotas.admit(&ann, 1, USUAL, at(0)).unwrap_err().why, TurnedAwayWhy::Burst);
}

proptest! {
    /// Looking tells what asking would be told, and whoever looks changes nothing by it.
    #[test]
    fn looking_tells_what_asking_would_be_told(
        asks in asks(),
        limit in 3u32..25,
        burst in 1u32..25,
        stays in prop::collection::vec(any::<bool>(), 300),
    ) {
        let policy = UserPolicy { max_concurrent: 3, ..policy(limit, burst) };
        let (mut looked_at, mut alone) = (UserQuotas::new(policy), UserQuotas::new(policy));
        let mut now = at(0);
        let mut running = 0;
        for ((gap, units), stays) in asks.into_iter().zip(stays) {
            now = now.after(Duration::from_millis(gap));
            let standing = looked_at.look(&user("ann"), units, USUAL, now);
            prop_assert_eq!(standing, looked_at.look(&user("ann"), units, USUAL, now));
            prop_assert_eq!((standing.in_flight, standing.max_concurrent), (running, 3));
            let answer = looked_at.admit(&user("ann"), units, USUAL, now);
            prop_assert_eq!(standing.turned_away, answer.err());
            prop_assert_eq!(answer, alone.admit(&user("ann"), units, USUAL, now));
            if let Ok(facts) = answer {
                prop_assert_eq!(facts.remaining, standing.remaining() - units);
                running += 1;
            }
            if running > 0 && !stays {
                running -= 1;
                looked_at.leave(&user("ann"));
                alone.leave(&user("ann"));
            }
        }
    }
}

#[test]
fn looking_at_somebody_nobody_knows_makes_nobody_known() {
    let quotas = UserQuotas::new(policy(20, 20));
    let standing = quotas.look(&user("ann"), 1, USUAL, at(0));
    assert_eq!((standing.remaining(), standing.in_flight, standing.turned_away), (20, 0, None));
    assert_eq!(quotas.users(), 0);
}

#[test]
fn users_of_a_client_with_limits_of_its_own_have_those() {
    let mut quotas = UserQuotas::new(policy(2, 2));
    let own = UserLimits { requests_per_minute: Some(4), burst: None, max_concurrent: Some(3) };
    for served in 1..=3 {
        let facts = quotas.admit(&user("ann"), 1, own, at(0)).unwrap();
        assert_eq!((facts.limit, facts.remaining), (4, 4 - served));
    }
    let away = quotas.admit(&user("ann"), 1, own, at(0)).unwrap_err();
    assert_eq!((away.why, away.limit), (TurnedAwayWhy::Concurrent, 3));
    assert_eq!(quotas.look(&user("ann"), 1, own, at(0)).limit, 4);
    // Another client's user of the same name has everybody's.
    let other = UserId { client: ClientId::from("forum"), name: "ann".into() };
    assert!((0..2).all(|_| quotas.admit(&other, 1, USUAL, at(0)).is_ok()));
    assert_eq!(quotas.admit(&other, 1, USUAL, at(0)).unwrap_err().limit, 2);
    // And what was done under one limit counts under the next.
    assert_eq!(quotas.admit(&user("ann"), 1, USUAL, at(0)).unwrap_err().why, TurnedAwayWhy::Window);
}

#[test]
fn each_limit_smooths_its_own_bursts() {
    let mut quotas = UserQuotas::new(policy(20, 20));
    let smooth = UserLimits { requests_per_minute: Some(20), burst: Some(2), max_concurrent: None };
    let quick = UserLimits { burst: Some(5), ..smooth };
    assert!((0..2).all(|_| quotas.admit(&user("ann"), 1, smooth, at(0)).is_ok()));
    let away = quotas.admit(&user("ann"), 1, smooth, at(0)).unwrap_err();
    assert_eq!((away.why, away.retry_after), (TurnedAwayWhy::Burst, Duration::from_secs(3)));
    assert!((0..5).all(|_| quotas.admit(&user("ben"), 1, quick, at(0)).is_ok()));
    assert_eq!(quotas.admit(&user("ben"), 1, quick, at(0)).unwrap_err().why, TurnedAwayWhy::Burst);
    assert!(quotas.admit(&user("cid"), 9, USUAL, at(0)).is_ok());
    assert!(quotas.admit(&user("ann"), 1, smooth, at(3_000)).is_ok());
}
