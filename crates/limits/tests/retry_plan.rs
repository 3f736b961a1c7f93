//! When a request is tried again, and when it must not be.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up may panic")]

use std::time::Duration;

use keygate_domain::{Failure, Fault, Hint, Moment, Replay, RetryAdvice, Scope};
use keygate_limits::{GaveUp, Next, Reach, RetryPlan, RetryPolicy};

fn at(millis: u64) -> Moment {
    Moment { mono: Duration::from_millis(millis), wall: "2026-01-01T00:00:00Z".parse().unwrap() }
}

fn plan(replay: Replay) -> RetryPlan {
    RetryPlan::new(RetryPolicy::default(), replay, at(120_000), 1)
}

const AT_ONCE: Next = Next::Again { pause: Duration::ZERO };

#[test]
fn three_bad_keys_do_not_fail_what_a_fourth_can_serve() {
    let mut plan = plan(Replay::OnlyIfRefused);
    let refusals = [Fault::KeyInvalid, Fault::RateLimited, Fault::GroupBlocked, Fault::QuotaExhausted];
    for fault in refusals.into_iter().cycle().take(15) {
        assert_eq!(plan.after(&Failure::of(fault), Reach::Answered, at(0)), AT_ONCE, "{fault:?}");
    }
    assert_eq!(
        plan.after(&Failure::of(Fault::KeyInvalid), Reach::Answered, at(0)),
        Next::GiveUp(GaveUp::Refusals)
    );
}

#[test]
fn the_provider_may_fail_three_times_whatever_keys_were_refused_between() {
    let mut plan = plan(Replay::Safe);
    for fault in [Fault::Unreachable, Fault::RateLimited, Fault::Timeout, Fault::KeyInvalid] {
        let next = plan.after(&Failure::of(fault), Reach::Answered, at(0));
        assert!(matches!(next, Next::Again { .. }), "{fault:?}");
    }
    assert_eq!(
        plan.after(&Failure::of(Fault::ServerError), Reach::Answered, at(0)),
        Next::GiveUp(GaveUp::Attempts)
    );
}

#[test]
fn what_may_have_taken_effect_is_sent_again_only_if_it_has_no_effect() {
    let check = |replay, reach, expected: Next| {
        let next = plan(replay).after(&Failure::of(Fault::Unreachable), reach, at(0));
        assert_eq!(next, expected, "{replay:?} {reach:?}");
    };
    check(Replay::Safe, Reach::NeverWritten, AT_ONCE);
    check(Replay::Safe, Reach::Answered, AT_ONCE);
    check(Replay::Safe, Reach::Unknown, AT_ONCE);
    check(Replay::OnlyIfRefused, Reach::NeverWritten, AT_ONCE);
    check(Replay::OnlyIfRefused, Reach::Answered, AT_ONCE);
    check(Replay::OnlyIfRefused, Reach::Unknown, Next::GiveUp(GaveUp::Unsafe));
}

#[test]
fn the_callers_mistakes_are_never_retried() {
    for fault in [Fault::Caller, Fault::AffinityLost] {
        let next = plan(Replay::Safe).after(&Failure::of(fault), Reach::Answered, at(0));
        assert_eq!(next, Next::GiveUp(GaveUp::Advice), "{fault:?}");
    }
}

#[test]
fn advice_to_try_once_more_holds_for_the_whole_request() {
    let mut plan = plan(Replay::Safe);
    let ambiguous = Failure::of(Fault::ServerError).retrying(RetryAdvice::Once);
    assert!(matches!(plan.after(&ambiguous, Reach::Answered, at(0)), Next::Again { .. }));
    assert_eq!(plan.after(&Failure::of(Fault::RateLimited), Reach::Answered, at(0)), AT_ONCE);
    assert_eq!(plan.after(&ambiguous, Reach::Answered, at(0)), Next::GiveUp(GaveUp::Advice));
}

#[test]
fn overload_pauses_shortly_first_and_then_for_seconds() {
    for fault in [Fault::Overloaded, Fault::ServerError] {
        let mut plan = plan(Replay::Safe);
        let mut pause = || match plan.after(&Failure::of(fault), Reach::Answered, at(0)) {
            Next::Again { pause } => pause,
            Next::GiveUp(why) => panic!("gave up: {why:?}"),
        };
        let (first, second) = (pause(), pause());
        assert!(first > Duration::ZERO && first <= Duration::from_millis(300), "{first:?}");
        assert!(second >= Duration::from_secs(2) && second <= Duration::from_secs(3), "{second:?}");
    }
}

#[test]
fn one_dead_connection_is_over_at_once_and_two_are_given_time() {
    for fault in [Fault::Unreachable, Fault::Timeout] {
        let mut plan = plan(Replay::Safe);
        assert_eq!(plan.after(&Failure::of(fault), Reach::NeverWritten, at(0)), AT_ONCE, "{fault:?}");
        let Next::Again { pause } = plan.after(&Failure::of(fault), Reach::NeverWritten, at(0)) else {
            panic!("{fault:?} is given up after two attempts");
        };
        assert!(pause >= Duration::from_secs(2), "a provider that restarts needs longer than {pause:?}");
    }
}

#[test]
fn a_provider_that_says_when_is_believed() {
    let hint = Hint { retry_after: Some(Duration::from_secs(7)), ..Hint::default() };
    let failure = Failure::of(Fault::Overloaded).hinting(hint);
    let next = plan(Replay::Safe).after(&failure, Reach::Answered, at(0));
    assert_eq!(next, Next::Again { pause: Duration::from_secs(7) });
    let late = plan(Replay::Safe).after(&failure, Reach::Answered, at(113_000));
    assert_eq!(late, Next::GiveUp(GaveUp::Deadline));
}

#[test]
fn nothing_is_tried_past_the_deadline() {
    let refused = Failure::of(Fault::RateLimited);
    assert_eq!(plan(Replay::Safe).after(&refused, Reach::Answered, at(119_999)), AT_ONCE);
    assert_eq!(
        plan(Replay::Safe).after(&refused, Reach::Answered, at(120_000)),
        Next::GiveUp(GaveUp::Deadline)
    );
}

#[test]
fn a_poisonous_request_looks_for_a_bigger_group_without_end_only_up_to_a_bound() {
    let mut plan = plan(Replay::Safe);
    let poison = Failure::of(Fault::Poison);
    for _ in 0..15 {
        assert_eq!(plan.after(&poison, Reach::Answered, at(0)), AT_ONCE);
    }
    assert_eq!(plan.after(&poison, Reach::Answered, at(0)), Next::GiveUp(GaveUp::Refusals));
}

#[test]
fn a_limit_that_names_nobody_counts_as_the_providers_fault() {
    let mut plan = plan(Replay::Safe);
    let vague = Failure::of(Fault::RateLimited).at(Scope::Nothing);
    for _ in 0..2 {
        assert!(matches!(plan.after(&vague, Reach::Answered, at(0)), Next::Again { .. }));
    }
    assert_eq!(plan.after(&vague, Reach::Answered, at(0)), Next::GiveUp(GaveUp::Attempts));
}

#[test]
fn each_attempt_gets_what_is_left_or_the_time_to_its_first_byte() {
    let plan = plan(Replay::Safe);
    assert_eq!(plan.first_byte_by(false, at(0)), at(120_000));
    assert_eq!(plan.first_byte_by(true, at(0)).mono, Duration::from_secs(30));
    assert_eq!(plan.first_byte_by(true, at(110_000)), at(120_000));
}
