//! What is wrong with a pool, as a real pool shows it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use keygate_alerts::{AlertKind, AlertSettings, Condition, KeysSeen, PoolWatch, of_pool};
use keygate_domain::{
    Access, Allowance, ApiKey, ClientId, Failure, Fault, GroupId, KeySpec, ModelName, Moment, Operation,
    Placement, Reset, Role, Scope, Spend, UserId, Verdict,
};
use keygate_pool::{Ask, Budgets, Granted, KeyPool, KeyState, Policy};

fn start() -> Moment {
    Moment { mono: Duration::from_hours(1), wall: "2026-11-20T12:00:00Z".parse::<Timestamp>().unwrap() }
}

fn key(label: &str, group: Option<&str>) -> KeySpec {
    KeySpec {
        secret: ApiKey::new(format!("secret-of-{label}")),
        label: label.to_owned(),
        group: group.map(GroupId::from),
        weight: 1,
        role: Role::Primary,
        allowance: Allowance::default(),
    }
}

/// Two keys of one project, and one alone.
fn pool(per_day: Option<u64>) -> KeyPool {
    let default = Allowance { requests_per_day: per_day, ..Allowance::default() };
    let budgets = Budgets { default, day: Reset::Midnight("America/Los_Angeles"), ..Budgets::default() };
    let keys = vec![key("a-1", Some("a")), key("a-2", Some("a")), key("b", None)];
    KeyPool::new(1, keys, Policy { budgets, ..Policy::default() }, 1, start())
}

fn ask() -> Ask {
    Ask {
        operation: Operation("generate_content"),
        model: Some(ModelName::from("m")),
        opens_session: false,
        references: Vec::new(),
        placement: Placement::Any,
        client: ClientId::from("shop"),
        user: UserId { client: ClientId::from("shop"), name: "ada".into() },
        access: Access::Token,
        tried: Vec::new(),
        estimate: Spend { requests: 1, ..Spend::default() },
        patience: Duration::ZERO,
        hold: Duration::from_mins(1),
    }
}

fn settle(pool: &mut KeyPool, verdict: Verdict) {
    match pool.lease(&ask(), start()) {
        Ok(Granted::Lease(lease)) => drop(pool.settle(lease.id, verdict, start())),
        other => panic!("no lease: {other:?}"),
    }
}

fn wrong_by(pool: &KeyPool, settings: &AlertSettings, seen: &KeysSeen) -> Vec<Condition> {
    let zone = TimeZone::get("America/Los_Angeles").unwrap();
    let watch = PoolWatch { provider: "google", settings, seen, zone: &zone };
    of_pool(watch, &pool.snapshot(start()), start().wall)
}

fn told(pool: &KeyPool) -> Vec<(AlertKind, String)> {
    let wrong = wrong_by(pool, &AlertSettings::default(), &KeysSeen::new());
    wrong.into_iter().map(|one| (one.id.kind, one.subject)).collect()
}

fn pairs(expected: &[(AlertKind, &str)]) -> Vec<(AlertKind, String)> {
    expected.iter().map(|(kind, subject)| (*kind, (*subject).to_owned())).collect()
}

#[test]
fn nothing_is_wrong_with_a_pool_that_works() {
    let mut pool = pool(None);
    settle(&mut pool, Verdict::Served(Spend::default()));
    assert!(told(&pool).is_empty());
}

#[test]
fn a_key_that_the_provider_refuses_is_told_and_one_that_an_operator_took_out_is_not() {
    let mut pool = pool(None);
    settle(&mut pool, Verdict::Failed(Failure::of(Fault::KeyInvalid)));
    assert_eq!(told(&pool), pairs(&[(AlertKind::KeyDisabled, "a-1")]));
    let first = pool.snapshot(start()).keys[1].id.clone();
    pool.disable(&first, start());
    assert_eq!(told(&pool), pairs(&[(AlertKind::PoolLow, "google"), (AlertKind::KeyDisabled, "a-1")]));
}

#[test]
fn a_group_that_is_blocked_for_a_day_is_told_once() {
    let mut pool = pool(None);
    let mut failure = Failure::of(Fault::GroupBlocked).at(Scope::Group);
    failure.hint.retry_after = Some(Duration::from_hours(24));
    settle(&mut pool, Verdict::Failed(failure));
    assert!(pool.snapshot(start()).keys.iter().all(|key| key.state != KeyState::Disabled));
    let told = told(&pool);
    assert_eq!(told.iter().filter(|(kind, _)| *kind == AlertKind::GroupDisabled).count(), 1, "{told:?}");
    assert!(told.contains(&(AlertKind::GroupDisabled, "a".to_owned())), "{told:?}");
}

#[test]
fn an_empty_pool_is_low_too() {
    let mut pool = pool(None);
    for _ in 0..3 {
        settle(&mut pool, Verdict::Failed(Failure::of(Fault::KeyInvalid)));
    }
    let kinds: Vec<AlertKind> = told(&pool).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds[..2], [AlertKind::PoolLow, AlertKind::PoolEmpty]);
    let settings = AlertSettings { low_keys: 0, ..AlertSettings::default() };
    let wrong = wrong_by(&pool, &settings, &KeysSeen::new());
    assert!(wrong.iter().all(|one| one.id.kind != AlertKind::PoolLow));
}

#[test]
fn a_day_that_the_provider_says_is_used_up_is_told_of_the_group_once() {
    let mut pool = pool(None);
    let failure = Failure::of(Fault::QuotaExhausted).at(Scope::GroupBucket);
    settle(&mut pool, Verdict::Failed(failure));
    let told = told(&pool);
    assert!(told.contains(&(AlertKind::GroupExhausted, "a".to_owned())), "{told:?}");
    assert_eq!(told.iter().filter(|(kind, _)| *kind == AlertKind::GroupExhausted).count(), 1);
}

#[test]
fn a_budget_that_is_used_up_is_told_until_its_reset() {
    let mut pool = pool(Some(1));
    for _ in 0..2 {
        settle(&mut pool, Verdict::Served(Spend { requests: 1, ..Spend::default() }));
    }
    let wrong = wrong_by(&pool, &AlertSettings::default(), &KeysSeen::new());
    let texts: Vec<&str> = wrong.iter().map(|one| one.text.as_str()).collect();
    assert!(
        texts.contains(
            &"google: the quota group a has used up its requests per day of m until 2026-11-21 00:00 PST"
        ),
        "{texts:?}"
    );
    assert!(
        wrong.iter().any(|one| one.id.kind == AlertKind::KeyExhausted && one.subject == "b"),
        "{texts:?}"
    );
}

#[test]
fn a_key_is_old_by_when_it_was_seen_first() {
    let pool = pool(None);
    let id = pool.snapshot(start()).keys[2].id.clone();
    let days_ago = |days: i64| start().wall - jiff::SignedDuration::from_hours(24 * days);
    let check = |days, is_old: bool| {
        let seen = KeysSeen::from([(id.clone(), days_ago(days))]);
        let wrong = wrong_by(&pool, &AlertSettings::default(), &seen);
        assert_eq!(wrong.iter().any(|one| one.id.kind == AlertKind::KeyOld), is_old, "{days}");
    };
    check(29, false);
    check(31, true);
    let settings = AlertSettings { rotate_after: None, ..AlertSettings::default() };
    assert!(wrong_by(&pool, &settings, &KeysSeen::from([(id.clone(), days_ago(900))])).is_empty());
}
