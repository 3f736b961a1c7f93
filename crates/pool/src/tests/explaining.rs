//! What explaining says is what asking does: whatever happened to a pool before.

use std::time::Duration;

use keygate_domain::{Allowance, Fault, KeySpec, Moment, Operation, Spend, Verdict};
use proptest::prelude::*;

use super::random::{order, specs, verdict};
use super::world::{GENERATE, START, ask, seconds, served, start, user};
use crate::{
    Ask, Budgets, Decision, Granted, KeyDecision, KeyPool, Lease, Policy, PoolRefusal, QueueBounds, Skip,
    Strategy as Order,
};

/// Checks an explanation against what the pool does when it is really asked, as a whole and with each
/// key alone.
pub(super) fn check_explanation(pool: &KeyPool, ask: &Ask, now: Moment) {
    let mut asked = pool.clone();
    let decision = asked.explain(ask, now);
    let answer = pool.clone().lease(ask, now);
    assert_eq!(format!("{:?}", asked.lease(ask, now)), format!("{answer:?}"), "explaining changes nothing");
    check_answer(&decision, &answer, now);
    check_turns(&decision);
    // What no key is to blame for is no key's part of the decision.
    let is_keys_choice = match &decision.answer {
        Ok(Some(_)) => true,
        Err(PoolRefusal::Resting { .. } | PoolRefusal::Disabled { .. } | PoolRefusal::NothingLeft) => {
            decision.queue.ahead == 0
        }
        Ok(None)
        | Err(
            PoolRefusal::BreakerOpen { .. }
            | PoolRefusal::Conflict { .. }
            | PoolRefusal::Foreign { .. }
            | PoolRefusal::Undecided
            | PoolRefusal::Unknown { .. },
        ) => false,
    };
    if !is_keys_choice {
        return;
    }
    for key in &decision.keys {
        let leased = serves_alone(pool, key, &decision, ask, now, now);
        assert_eq!(leased, key.is_usable(), "{key:?} of {decision:?}");
    }
    let is_undisturbed = ask.tried.is_empty() && ask.references.is_empty() && decision.queue.waiting == 0;
    if is_undisturbed && decision.breakers.is_empty() {
        check_returns(pool, &decision, ask, now);
    }
}

fn check_answer(decision: &Decision, answer: &Result<Granted, PoolRefusal>, now: Moment) {
    match answer {
        Ok(Granted::Lease(lease)) => {
            assert_eq!((&decision.answer, decision.wait), (&Ok(Some(lease.key.id().clone())), None));
            assert_eq!(decision.keys[lease.index].turn, Some(1), "{decision:?}");
            assert!(decision.keys[lease.index].is_usable(), "{decision:?}");
        }
        Ok(Granted::NotOurs | Granted::Pass(_)) => {
            assert_eq!((&decision.answer, decision.wait), (&Ok(None), None));
        }
        Ok(Granted::Wait { until, .. }) => {
            let wait = decision.wait.expect("a wait is told");
            let promised = decision.answer.as_ref().expect_err("no key at once").retry_after();
            assert_eq!((wait.until, Some(wait.free_at)), (*until, promised.map(|span| now.after(span))));
            assert!(wait.free_at <= wait.until);
        }
        Err(refusal) => assert_eq!((decision.answer.as_ref(), decision.wait), (Err(refusal), None)),
    }
}

/// Where turns are told, exactly the usable keys have one.
fn check_turns(decision: &Decision) {
    let mut turns: Vec<usize> = decision.keys.iter().filter_map(|key| key.turn).collect();
    turns.sort_unstable();
    assert!(turns.iter().copied().eq(1..=turns.len()), "{decision:?}");
    assert!(decision.keys.iter().all(|key| key.turn.is_none() || key.is_usable()), "{decision:?}");
    let is_chance = decision.strategy == Order::Health;
    if matches!(decision.answer, Ok(Some(_))) && !is_chance && decision.queue.waiting == 0 {
        assert_eq!(turns.len(), decision.keys.iter().filter(|key| key.is_usable()).count());
    }
}

/// Each key comes back when it is said to, not earlier, and the first of them is what is promised.
fn check_returns(pool: &KeyPool, decision: &Decision, ask: &Ask, now: Moment) {
    let moment = Duration::from_millis(1);
    for key in &decision.keys {
        let Some(until) = key.skip.and_then(|skip| skip.until()) else { continue };
        assert!(serves_alone(pool, key, decision, ask, now, until), "{key:?} comes back");
        let early = now.after(now.until(until).saturating_sub(moment));
        assert!(!serves_alone(pool, key, decision, ask, now, early), "{key:?} comes back earlier");
    }
    if let Err(PoolRefusal::Resting { retry_after, .. }) = decision.answer {
        let first = decision.keys.iter().filter_map(|key| key.skip?.until()).min().expect("one returns");
        assert_eq!(retry_after, now.until(first).max(moment));
    }
}

/// Whether a key is leased at `then` when all others were taken out.
fn serves_alone(
    pool: &KeyPool,
    key: &KeyDecision,
    decision: &Decision,
    ask: &Ask,
    now: Moment,
    then: Moment,
) -> bool {
    let mut alone = pool.clone();
    // Whoever waited may have been served by now.
    alone.advance(now);
    for other in decision.keys.iter().filter(|other| other.id != key.id) {
        alone.disable(&other.id, now);
    }
    let ask = Ask { patience: Duration::ZERO, ..ask.clone() };
    matches!(alone.lease(&ask, then), Ok(Granted::Lease(_)))
}

#[derive(Clone, Debug)]
enum Event {
    Ask { gap: u64, model: usize, tokens: u64, opens_session: bool, user: usize, patience: u64 },
    End { which: usize, verdict: Verdict },
    Disable(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let gap = prop_oneof![4 => 0_u64..2_000, 2 => 0_u64..70_000, 1 => 0_u64..40_000_000];
    let asked = (gap, 0_usize..2, 1_u64..400, prop::bool::weighted(0.2), 0_usize..3, 0_u64..20_000);
    prop_oneof![
        6 => asked.prop_map(|(gap, model, tokens, opens_session, user, patience)| {
            Event::Ask { gap, model, tokens, opens_session, user, patience }
        }),
        3 => (0_usize..6, prop_oneof![3 => Just(served()), 2 => verdict()])
            .prop_map(|(which, verdict)| Event::End { which, verdict }),
        1 => (0_usize..5).prop_map(Event::Disable),
    ]
}

fn allowance() -> impl Strategy<Value = Allowance> {
    let maybe = |range: std::ops::Range<u64>| prop::option::of(range);
    (maybe(1..6), maybe(3..30), maybe(200..900), maybe(400..4_000), maybe(1..4), maybe(100..5_000)).prop_map(
        |(minute, day, input, tokens, concurrent, interval)| Allowance {
            requests_per_minute: minute,
            requests_per_day: day,
            input_tokens_per_minute: input,
            tokens_per_month: tokens,
            concurrent,
            min_interval: interval.map(Duration::from_millis),
            ..Allowance::default()
        },
    )
}

fn wanted(model: usize, tokens: u64, opens_session: bool, name: usize, patience: u64) -> Ask {
    let estimate = Spend { requests: 1, input_tokens: tokens, output_tokens: 0 };
    let operation: Operation = if opens_session { START } else { GENERATE };
    let (user, patience) = (user(&name.to_string()), Duration::from_millis(patience));
    Ask { operation, opens_session, user, estimate, patience, ..ask(["flash", "pro"][model]) }
}

fn history(keys: &[KeySpec], strategy: Order, default: Allowance, events: Vec<Event>) {
    let queue = QueueBounds { max_wait: seconds(10), max_waiting: 3 };
    let budgets = Budgets { default, session_length: seconds(90), ..Budgets::default() };
    let policy = Policy { strategy, budgets, queue, ..Policy::default() };
    let mut pool = KeyPool::new(1, keys.to_vec(), policy, 7, start());
    let mut now = start();
    let mut outstanding: Vec<Lease> = Vec::new();
    for event in events {
        match event {
            Event::Ask { gap, model, tokens, opens_session, user, patience } => {
                now = now.after(Duration::from_millis(gap));
                let ask = wanted(model, tokens, opens_session, user, patience);
                check_explanation(&pool, &ask, now);
                if let Ok(Granted::Lease(lease)) = pool.lease(&ask, now) {
                    outstanding.push(lease);
                }
            }
            Event::End { which, verdict } if which < outstanding.len() => {
                pool.settle(outstanding.swap_remove(which).id, verdict, now);
            }
            Event::Disable(key) if key < keys.len() => {
                pool.disable(keys[key].secret.id(), now);
            }
            Event::End { .. } | Event::Disable(_) => {}
        }
        outstanding.extend(pool.drain_resolved().into_iter().filter_map(|it| match it.outcome {
            Ok(Granted::Lease(lease)) => Some(lease),
            Ok(Granted::NotOurs | Granted::Pass(_) | Granted::Wait { .. }) | Err(_) => None,
        }));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn explaining_agrees_with_asking(
        keys in specs(),
        strategy in order(),
        allowance in allowance(),
        events in prop::collection::vec(event(), 1..60),
    ) {
        history(&keys, strategy, allowance, events);
    }
}

fn pool_of(labels: &[(&str, &str)], default: Allowance) -> KeyPool {
    let specs = labels.iter().map(|(label, group)| super::world::spec(label, Some(group))).collect();
    let policy = Policy { budgets: Budgets { default, ..Budgets::default() }, ..Policy::default() };
    KeyPool::new(1, specs, policy, 42, start())
}

#[test]
fn a_budget_that_was_never_used_is_told_too() {
    let per_minute = Allowance { requests_per_minute: Some(3), ..Allowance::default() };
    let mut pool = pool_of(&[("a", "g"), ("b", "h")], per_minute);
    let asked = wanted(0, 10, false, 0, 0);
    let lease = pool.lease(&asked, start()).expect("a key");
    let Granted::Lease(lease) = lease else { panic!("{lease:?}") };
    let decision = pool.explain(&asked, start());
    let left = |key: &KeyDecision| key.budgets.iter().map(crate::BudgetUse::remaining).collect::<Vec<_>>();
    assert_eq!(decision.keys.iter().map(left).collect::<Vec<_>>(), [[Some(2)], [Some(3)]]);
    assert_eq!(decision.bucket.as_str(), "flash");
    assert_eq!(decision.keys.iter().map(|key| key.turn).collect::<Vec<_>>(), [Some(2), Some(1)]);
    assert_eq!(decision.keys[lease.index].in_flight, 1);
}

#[test]
fn reasons_are_told_in_words_and_with_an_end() {
    let per_minute = Allowance { requests_per_minute: Some(1), ..Allowance::default() };
    let mut pool = pool_of(&[("a", "g"), ("b", "h"), ("c", "i")], per_minute);
    let asked = wanted(0, 10, false, 0, 0);
    let Ok(Granted::Lease(first)) = pool.lease(&asked, start()) else { panic!("a key") };
    pool.settle(first.id, served(), start());
    let Ok(Granted::Lease(second)) = pool.lease(&asked, start()) else { panic!("a key") };
    pool.settle(second.id, super::world::failed(Fault::KeyInvalid), start());
    let keys = pool.explain(&asked, start()).keys;
    let Some(Skip::OverBudget { until, .. }) = keys[0].skip else { panic!("{keys:?}") };
    assert_eq!(start().until(until), Duration::from_millis(60_500));
    assert_eq!(keys[0].reason.as_deref(), Some("the budget of requests per minute is used"));
    assert_eq!(keys[1].skip, Some(Skip::Disabled { fault: Some(Fault::KeyInvalid) }));
    assert_eq!((keys[2].skip, keys[2].reason.as_deref(), keys[2].turn), (None, None, Some(1)));
}

#[test]
fn who_waits_is_told() {
    let per_minute = Allowance { requests_per_minute: Some(1), ..Allowance::default() };
    let mut pool = pool_of(&[("a", "g")], per_minute);
    assert!(pool.lease(&wanted(0, 10, false, 0, 0), start()).is_ok());
    let later = start().after(seconds(58));
    for name in [1, 1, 2] {
        let answer = pool.lease(&wanted(0, 10, false, name, 60_000), later);
        assert!(matches!(answer, Ok(Granted::Wait { .. })), "{answer:?}");
    }
    let decision = pool.explain(&wanted(0, 10, false, 1, 60_000), later);
    let queue = decision.queue;
    assert_eq!((queue.waiting, queue.ahead, queue.of_user), (3, 3, 2));
    let wait = decision.wait.expect("it would wait as well");
    assert_eq!(
        (later.until(wait.free_at), later.until(wait.until)),
        (Duration::from_millis(2_500), seconds(5))
    );
    let of_another_model = pool.explain(&wanted(1, 10, false, 1, 60_000), later).queue;
    assert_eq!((of_another_model.waiting, of_another_model.ahead), (3, 0));
}
