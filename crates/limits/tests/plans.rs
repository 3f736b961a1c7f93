//! What a user would notice of a plan.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up may panic")]

use std::collections::BTreeMap;
use std::time::Duration;

use keygate_domain::{ClientId, Moment, PlanName, UserId, UserLimits};
use keygate_limits::{
    Allowed, Amount, NotAdmitted, Overage, Passed, Plan, PlanMetric, Plans, Price, Turnstile, Used, UserAsk,
    UserPolicy,
};
use proptest::prelude::*;

const DAY: Duration = Duration::from_hours(24);

fn start() -> Moment {
    Moment { mono: Duration::ZERO, wall: "2026-01-30T12:00:00Z".parse().unwrap() }
}

fn user(name: &str) -> UserId {
    UserId { client: ClientId::from("shop"), name: name.into() }
}

fn plans(default: Option<&str>, plans: &[(&str, Plan)]) -> Plans {
    let by_name: BTreeMap<_, _> = plans.iter().map(|(name, plan)| (PlanName::from(*name), *plan)).collect();
    Plans { default: default.map(PlanName::from), by_name }
}

fn limits(plan: Plan) -> Turnstile {
    let policy = UserPolicy {
        requests_per_minute: 1_000_000,
        burst: 1_000_000,
        max_concurrent: 1_000_000,
        ..UserPolicy::default()
    };
    Turnstile::new(policy, plans(Some("free"), &[("free", plan)]), start())
}

fn per_day(requests: u64) -> Plan {
    Plan { day: Allowed { requests: Some(requests), tokens: None }, ..Plan::default() }
}

fn tokens_per_month(tokens: u64) -> Plan {
    Plan { month: Allowed { requests: None, tokens: Some(tokens) }, ..Plan::default() }
}

fn ask(user: &UserId, tokens: u64) -> UserAsk<'_> {
    UserAsk { user, units: 1, limits: UserLimits::default(), plan: None, tokens }
}

fn spent(requests: u64, tokens: u64) -> Amount {
    Amount { requests, tokens }
}

fn refusal(outcome: Result<Passed, NotAdmitted>) -> keygate_limits::PlanExhausted {
    match outcome {
        Err(NotAdmitted::PlanExhausted(exhausted)) => exhausted,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_hundred_calls_side_by_side_at_the_edge_of_a_plan_admit_exactly_what_is_left() {
    let ann = user("ann");
    let mut limits = limits(per_day(1_000));
    limits.restore(ann.clone(), Used { day: spent(950, 0), month: spent(950, 0) }, start());
    let admitted: Vec<_> = (0..200).filter_map(|_| limits.admit(&ask(&ann, 0), start()).ok()).collect();
    assert_eq!(admitted.len(), 50);
    // Ten of them fail: their share comes back.
    for passed in &admitted[..10] {
        limits.leave(&ann, passed.reservation, Amount::default());
    }
    for passed in &admitted[10..] {
        limits.leave(&ann, passed.reservation, spent(1, 7));
    }
    let again = (0..200).filter(|_| limits.admit(&ask(&ann, 0), start()).is_ok()).count();
    assert_eq!(again, 10);
}

#[test]
fn a_refusal_says_which_limit_is_met_and_when_there_is_more() {
    let ann = user("ann");
    let mut limits = limits(Plan { month: Allowed { requests: Some(3), tokens: None }, ..per_day(2) });
    for _ in 0..2 {
        let passed = limits.admit(&ask(&ann, 0), start()).unwrap();
        limits.leave(&ann, passed.reservation, spent(1, 0));
    }
    let day = refusal(limits.admit(&ask(&ann, 0), start()));
    assert_eq!((day.metric, day.limit), (PlanMetric::RequestsPerDay, 2));
    assert_eq!(day.retry_after, Some(Duration::from_hours(12)));

    let tomorrow = start().after(Duration::from_hours(12));
    let passed = limits.admit(&ask(&ann, 0), tomorrow).unwrap();
    limits.leave(&ann, passed.reservation, spent(1, 0));
    let month = refusal(limits.admit(&ask(&ann, 0), tomorrow));
    assert_eq!((month.metric, month.limit), (PlanMetric::RequestsPerMonth, 3));
    assert_eq!(month.retry_after, Some(DAY), "the month ends with January 31");
    assert!(limits.admit(&ask(&ann, 0), tomorrow.after(DAY)).is_ok());
}

#[test]
fn what_is_larger_than_the_whole_plan_is_not_told_to_come_back() {
    let ann = user("ann");
    let mut limits = limits(tokens_per_month(100));
    assert_eq!(refusal(limits.admit(&ask(&ann, 101), start())).retry_after, None);
    assert!(limits.admit(&ask(&ann, 100), start()).is_ok());
}

#[test]
fn tokens_are_settled_with_what_was_really_used() {
    let ann = user("ann");
    let mut limits = limits(tokens_per_month(100));
    let passed = limits.admit(&ask(&ann, 10), start()).unwrap();
    limits.leave(&ann, passed.reservation, spent(1, 99));
    let one_left = limits.admit(&ask(&ann, 1), start()).unwrap();
    limits.leave(&ann, one_left.reservation, spent(1, 40));
    let exhausted = refusal(limits.admit(&ask(&ann, 0), start()));
    assert_eq!((exhausted.metric, exhausted.limit), (PlanMetric::TokensPerMonth, 100));
    let standing = limits.look_at_plan(&ann, None, start());
    assert_eq!(standing.used.month, spent(2, 139));
}

#[test]
fn overage_that_is_allowed_is_served_counted_and_priced() {
    let ann = user("ann");
    let price = Price { per_request: 0.5, per_1000_tokens: 2.0 };
    let mut limits = limits(Plan { overage: Overage::Allow(price), ..per_day(2) });
    for _ in 0..5 {
        let passed = limits.admit(&ask(&ann, 0), start()).unwrap();
        limits.leave(&ann, passed.reservation, spent(1, 100));
    }
    let standing = limits.look_at_plan(&ann, None, start());
    let (_, plan) = standing.plan.unwrap();
    let over = plan.day.exceeded_by(standing.used.day);
    assert_eq!(over, spent(3, 0));
    assert!((price.of(over) - 1.5).abs() < 1e-9);
}

#[test]
fn another_plan_holds_at_once_and_what_was_used_stays_used() {
    let ann = user("ann");
    let mut limits = limits(per_day(2));
    for _ in 0..2 {
        let passed = limits.admit(&ask(&ann, 0), start()).unwrap();
        limits.leave(&ann, passed.reservation, spent(1, 0));
    }
    assert!(limits.admit(&ask(&ann, 0), start()).is_err());
    let pro = PlanName::from("pro");
    limits.set_plans(plans(Some("free"), &[("free", per_day(2)), ("pro", per_day(3))]));
    let on_pro = UserAsk { plan: Some(&pro), ..ask(&ann, 0) };
    let passed = limits.admit(&on_pro, start()).unwrap();
    limits.leave(&ann, passed.reservation, spent(1, 0));
    assert!(limits.admit(&on_pro, start()).is_err());
    limits.set_plans(plans(None, &[("free", per_day(2))]));
    assert!(limits.admit(&on_pro, start()).is_ok(), "a plan that is gone, and no default");
}

#[test]
fn plans_that_are_switched_on_count_what_was_used_before_and_what_is_under_way() {
    let (ann, bob) = (user("ann"), user("bob"));
    let mut limits = Turnstile::new(UserPolicy::default(), Plans::default(), start());
    let earlier = limits.admit(&ask(&ann, 0), start()).unwrap();
    limits.leave(&ann, earlier.reservation, spent(1, 5));
    let under_way = limits.admit(&ask(&ann, 0), start()).unwrap();
    assert!(limits.set_plans(plans(Some("free"), &[("free", per_day(3))])), "counting begins");
    limits.leave(&ann, under_way.reservation, spent(1, 7));
    limits.restore(ann.clone(), Used { day: spent(1, 5), month: spent(9, 90) }, start());
    limits.restore(bob.clone(), Used { day: spent(3, 0), month: spent(3, 0) }, start());
    let used = limits.look_at_plan(&ann, None, start()).used;
    assert_eq!((used.day, used.month), (spent(2, 12), spent(10, 97)));
    assert!(limits.admit(&ask(&ann, 0), start()).is_ok());
    assert!(limits.admit(&ask(&ann, 0), start()).is_err());
    assert!(limits.admit(&ask(&bob, 0), start()).is_err());
    assert!(!limits.set_plans(Plans::default()));
    assert!(
        limits.set_plans(plans(Some("free"), &[("free", per_day(3))])),
        "and anew, from what is told then"
    );
    assert_eq!(limits.look_at_plan(&bob, None, start()).used, Used::default());
}

#[test]
fn a_plan_has_limits_of_the_minute_of_its_own_and_a_client_the_last_word() {
    let (ann, pro) = (user("ann"), PlanName::from("pro"));
    let minute = |requests| UserLimits { requests_per_minute: Some(requests), ..UserLimits::default() };
    let slow = Plan { per_user: minute(2), ..Plan::default() };
    let fast = Plan { per_user: UserLimits { max_concurrent: Some(7), ..minute(5) }, ..Plan::default() };
    let mut limits = Turnstile::new(UserPolicy::default(), Plans::default(), start());
    let stands = |limits: &Turnstile, plan, own| {
        let ask = UserAsk { plan, limits: own, ..ask(&ann, 0) };
        let standing = limits.look(&ask, start());
        (standing.limit, standing.max_concurrent)
    };
    assert_eq!(stands(&limits, None, UserLimits::default()), (20, 16));
    limits.set_plans(plans(Some("slow"), &[("slow", slow), ("pro", fast)]));
    assert_eq!(stands(&limits, None, UserLimits::default()), (2, 16), "at once");
    assert_eq!(stands(&limits, Some(&pro), UserLimits::default()), (5, 7));
    assert_eq!(stands(&limits, Some(&pro), minute(9)), (9, 7), "the client's, and the plan's for the rest");
    for _ in 0..2 {
        assert!(limits.admit(&ask(&ann, 0), start()).is_ok());
    }
    assert!(matches!(limits.admit(&ask(&ann, 0), start()), Err(NotAdmitted::TurnedAway(_))));
    assert!(limits.admit(&UserAsk { plan: Some(&pro), ..ask(&ann, 0) }, start()).is_ok());
}

#[test]
fn a_panic_forgets_reservations_and_nothing_that_was_used() {
    let ann = user("ann");
    let mut limits = limits(per_day(2));
    let under_way = limits.admit(&ask(&ann, 0), start()).unwrap();
    let mut limits = limits.rebuilt();
    limits.leave_late(&ann, under_way.reservation, spent(1, 5));
    assert_eq!(limits.look_at_plan(&ann, None, start()).used.day, spent(1, 5));
    assert!(limits.admit(&ask(&ann, 0), start()).is_ok());
    assert!(limits.admit(&ask(&ann, 0), start()).is_err());
}

#[test]
fn a_clock_that_jumps_gives_nobody_more_than_one_day_at_once() {
    let mut limits = limits(per_day(2));
    let served = |limits: &mut Turnstile, wall: &str| {
        let now = Moment { wall: wall.parse().unwrap(), ..start() };
        let passed = limits.admit(&ask(&user("ann"), 0), now)?;
        limits.leave(&user("ann"), passed.reservation, spent(1, 0));
        Ok::<_, NotAdmitted>(())
    };
    assert!(served(&mut limits, "2026-01-30T12:00:00Z").is_ok());
    assert!(served(&mut limits, "2027-05-01T00:00:00Z").is_ok(), "forward by a year");
    assert!(served(&mut limits, "2026-01-30T12:00:01Z").is_ok(), "and back: one is used");
    assert!(served(&mut limits, "2026-01-30T12:00:02Z").is_err());
    assert!(served(&mut limits, "2026-01-31T00:00:00Z").is_ok(), "the next day is a new one all the same");
}

proptest! {
    #[test]
    fn no_day_and_no_month_is_exceeded_and_nobody_is_refused_without_cause(
        steps in prop::collection::vec((0u64..30_000, 0usize..3, 0u64..4, any::<bool>()), 1..200),
        day_limit in 1u64..8,
        month_limit in 5u64..40,
    ) {
        let plan = Plan {
            day: Allowed { requests: Some(day_limit), tokens: None },
            month: Allowed { requests: Some(month_limit), tokens: None },
            ..Plan::default()
        };
        let mut limits = limits(plan);
        let names = [user("ann"), user("bob"), user("cyd")];
        // What was served: whose, in which day, in which month.
        let mut served: Vec<(usize, String, String)> = Vec::new();
        let mut running: Vec<(usize, Passed, String, String)> = Vec::new();
        let mut now = start();
        for (gap, who, ends, is_served) in steps {
            now = now.after(Duration::from_secs(gap));
            let (day, month) = (now.wall.strftime("%F").to_string(), now.wall.strftime("%Y-%m").to_string());
            for _ in 0..ends.min(running.len() as u64) {
                let (who, passed, day, month) = running.remove(0);
                let amount = if is_served { spent(1, 3) } else { Amount::default() };
                limits.leave(&names[who], passed.reservation, amount);
                if is_served {
                    served.push((who, day, month));
                }
            }
            let of_day = served.iter().filter(|(w, d, _)| *w == who && *d == day).count() as u64;
            let of_month = served.iter().filter(|(w, _, m)| *w == who && *m == month).count() as u64;
            let under_way = running.iter().filter(|(w, ..)| *w == who).count() as u64;
            let fits = of_day + under_way < day_limit && of_month + under_way < month_limit;
            match limits.admit(&ask(&names[who], 0), now) {
                Ok(passed) => {
                    prop_assert!(fits, "{of_day}/{day_limit} {of_month}/{month_limit} and {under_way} under way");
                    running.push((who, passed, day, month));
                }
                Err(_) => prop_assert!(!fits),
            }
        }
    }
}
