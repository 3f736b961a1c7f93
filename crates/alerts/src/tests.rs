//! Stories and properties of the book.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use crate::*;

const TEN_MINUTES: Duration = Duration::from_mins(10);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn channel(name: &str, events: &[AlertKind]) -> Channel {
    let url = SecretUrl::parse("https://alerts.example/hook").unwrap();
    let target = Target::Webhook { url, secret: None };
    Channel { name: name.to_owned(), target, events: events.to_vec(), min_interval: TEN_MINUTES }
}

fn wrong(kind: AlertKind, subject: &str, level: u8) -> Condition {
    Condition { level, ..Condition::of_house(kind, subject, &format!("{subject} is wrong"), "cure it") }
}

fn empty(subject: &str) -> Vec<Condition> {
    vec![wrong(AlertKind::PoolEmpty, subject, 0)]
}

fn book(channels: &[Channel]) -> AlertBook {
    AlertBook::new(channels.to_vec(), SavedBook::default())
}

/// What a channel that takes everything is told.
fn told(book: &mut AlertBook, channel: &str, now: Timestamp) -> Vec<(Phase, String)> {
    let Some(letter) = book.letter(channel, now) else { return Vec::new() };
    book.ended(channel, Ok(()), now);
    letter.notices.iter().map(|one| (one.phase, one.condition.subject.clone())).collect()
}

#[test]
fn the_same_is_told_once_and_its_end_too() {
    let mut book = book(&[channel("ops", &[])]);
    book.observe("google", empty("google"), at(0));
    assert_eq!(told(&mut book, "ops", at(0)), [(Phase::Open, "google".to_owned())]);
    book.observe("google", empty("google"), at(60));
    assert!(told(&mut book, "ops", at(60)).is_empty());
    assert_eq!(book.shown(at(60)).open[0].told, ["ops"]);
    book.observe("google", Vec::new(), at(90));
    assert_eq!(told(&mut book, "ops", at(90)), [(Phase::Recovered, "google".to_owned())]);
    assert!(told(&mut book, "ops", at(91)).is_empty());
    assert!(book.shown(at(91)).open.is_empty());
}

#[test]
fn what_comes_and_goes_is_told_once_in_an_interval() {
    let mut book = book(&[channel("ops", &[])]);
    let mut opened = 0;
    for second in 0..1_200 {
        let wrong = if second % 2 == 0 { empty("google") } else { Vec::new() };
        book.observe("google", wrong, at(second));
        let notices = told(&mut book, "ops", at(second));
        opened += notices.iter().filter(|(phase, _)| *phase == Phase::Open).count();
    }
    assert_eq!(opened, 2);
}

#[test]
fn what_gets_worse_is_told_again_each_step_once() {
    let mut book = book(&[channel("ops", &[])]);
    let steps = [1, 1, 2, 1, 2, 3, 2, 3];
    let mut levels = Vec::new();
    for (minute, level) in (0..).zip(steps) {
        book.observe("google", vec![wrong(AlertKind::RunsOut, "alpha", level)], at(60 * minute));
        if !told(&mut book, "ops", at(60 * minute)).is_empty() {
            levels.push(level);
        }
    }
    assert_eq!(levels, [1, 2, 3]);
    book.observe("google", Vec::new(), at(600));
    assert_eq!(book.shown(at(600)).open.len(), 1, "a pace goes up and down");
    book.observe("google", Vec::new(), at(600 + 15 * 60));
    assert!(book.shown(at(1_500)).open.is_empty());
    assert!(told(&mut book, "ops", at(1_500)).is_empty(), "nobody is told that a forecast is gone");
}

#[test]
fn a_channel_that_fails_is_told_later_and_is_an_alert_of_the_others() {
    let mut book = book(&[channel("ops", &[]), channel("chat", &[])]);
    book.observe("google", empty("google"), at(0));
    let mut now = 0;
    for _ in 0..3 {
        now += 300;
        assert!(book.letter("ops", at(now)).is_some(), "{now}");
        assert!(book.letter("ops", at(now)).is_none(), "one at a time");
        book.ended("ops", Err("status 500"), at(now));
        assert!(book.letter("ops", at(now)).is_none(), "it pauses");
    }
    let seen = told(&mut book, "chat", at(now));
    assert_eq!(seen, [(Phase::Open, "google".to_owned()), (Phase::Open, "ops".to_owned())]);
    let shown = book.shown(at(now));
    assert_eq!((shown.channels[0].status, shown.channels[0].failed), (ChannelState::Failing, 3));
    assert_eq!(shown.channels[0].last_failure.as_deref(), Some("status 500"));
    book.observe("google", Vec::new(), at(now + 1));
    let owed = told(&mut book, "ops", at(now + 300));
    assert_eq!(owed, [(Phase::Recovered, "google".to_owned())], "what it missed is told, never about itself");
    let chat = told(&mut book, "chat", at(now + 300));
    let ends = ["google", "ops"].map(|subject| (Phase::Recovered, subject.to_owned()));
    assert_eq!(chat, ends);
    assert!(told(&mut book, "ops", at(now + 600)).is_empty());
}

#[test]
fn a_channel_that_failed_before_a_restart_has_not_recovered_by_failing_again() {
    let channels = [channel("ops", &[]), channel("chat", &[])];
    let mut before = book(&channels);
    before.observe("google", empty("google"), at(0));
    for now in [300, 600, 900] {
        assert!(before.letter("ops", at(now)).is_some(), "{now}");
        before.ended("ops", Err("status 500"), at(now));
    }
    assert_eq!(told(&mut before, "chat", at(900)).len(), 2);
    let mut after = AlertBook::new(channels.to_vec(), before.changed().unwrap());
    assert!(after.letter("ops", at(1_000)).is_some(), "it is tried again at once");
    assert_eq!(after.ended("ops", Err("status 500"), at(1_000)), []);
    assert!(told(&mut after, "chat", at(1_000)).is_empty(), "it knows");
    assert!(after.letter("ops", at(1_400)).is_some());
    after.ended("ops", Ok(()), at(1_400));
    assert_eq!(told(&mut after, "chat", at(1_400)), [(Phase::Recovered, "ops".to_owned())]);
}

#[test]
fn a_channel_is_told_what_it_wants() {
    let mut book = book(&[channel("disk", &[AlertKind::Storage])]);
    book.observe("google", empty("google"), at(0));
    assert!(told(&mut book, "disk", at(0)).is_empty());
    book.observe("storage", vec![wrong(AlertKind::Storage, "database", 0)], at(1));
    assert_eq!(told(&mut book, "disk", at(1)), [(Phase::Open, "database".to_owned())]);
}

#[test]
fn a_thousand_at_once_are_one_letter() {
    let mut book = book(&[channel("ops", &[])]);
    let all = (0..1_000).map(|n| wrong(AlertKind::KeyDisabled, &format!("key-{n}"), 0)).collect();
    book.observe("google", all, at(0));
    let letter = book.letter("ops", at(0)).unwrap();
    assert_eq!(letter.notices.len(), 20);
    assert_eq!(letter.more, 512 + 1 - 20, "and one that says that there are more");
    assert!(letter.title().ends_with("(and 512 more)"), "{}", letter.title());
    book.ended("ops", Ok(()), at(0));
    assert!(book.letter("ops", at(1)).is_none());
    let shown = book.shown(at(1));
    assert_eq!((shown.open.len(), shown.left_out), (513, 488));
    book.observe("google", Vec::new(), at(2));
    assert_eq!(book.shown(at(2)).left_out, 0);
}

#[test]
fn a_book_goes_on_where_an_earlier_one_ended() {
    let channels = [channel("ops", &[])];
    let mut first = book(&channels);
    first.observe("google", empty("google"), at(0));
    told(&mut first, "ops", at(0));
    let saved = first.changed().unwrap();
    assert!(first.changed().is_none(), "nothing has changed since");
    let mut second = AlertBook::new(channels.to_vec(), saved);
    second.observe("google", empty("google"), at(60));
    assert!(told(&mut second, "ops", at(60)).is_empty(), "it was told before");
    second.observe("google", Vec::new(), at(90));
    assert_eq!(told(&mut second, "ops", at(90)), [(Phase::Recovered, "google".to_owned())]);
}

#[test]
fn an_address_shows_its_host_alone() {
    let url = SecretUrl::parse("https://hooks.example/services/T0/B0/secret").unwrap();
    assert_eq!(format!("{url:?}"), "SecretUrl(hooks.example ***)");
    assert!(!format!("{:?}", Target::Slack(url)).contains("secret"));
    assert!(SecretUrl::parse("no address").is_none());
}

#[derive(Clone, Debug)]
enum Step {
    Wrong(u8, u8),
    Right(u8),
    Send(bool),
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4u8, 0..3u8).prop_map(|(subject, level)| Step::Wrong(subject, level)),
        (0..4u8).prop_map(Step::Right),
        any::<bool>().prop_map(Step::Send),
        (0..900u16).prop_map(Step::Wait),
    ]
}

/// What a channel believes, from the letters it took alone.
#[derive(Default)]
struct Believer {
    open: BTreeMap<String, bool>,
    opened_at: BTreeMap<String, (Timestamp, u8)>,
}

impl Believer {
    fn read(&mut self, letter: &Letter, now: Timestamp) {
        for notice in &letter.notices {
            let subject = notice.condition.subject.clone();
            let believed = self.open.get(&subject).copied();
            let level = notice.condition.level;
            match notice.phase {
                Phase::Open => {
                    let before = self.opened_at.get(&subject);
                    let is_news = match (believed, before) {
                        (Some(true), Some((_, known))) => level > *known,
                        (Some(false), Some((last, _))) => standing_passed(*last, now),
                        _ => true,
                    };
                    assert!(is_news, "{subject} was told twice");
                    self.open.insert(subject.clone(), true);
                    self.opened_at.insert(subject, (now, level));
                }
                Phase::Recovered => {
                    self.open.insert(subject.clone(), false);
                    self.opened_at.entry(subject).or_insert((now, 0));
                }
            }
        }
    }
}

fn standing_passed(then: Timestamp, now: Timestamp) -> bool {
    now.duration_since(then).unsigned_abs() >= TEN_MINUTES
}

proptest! {
    #[test]
    fn a_channel_believes_in_the_end_what_is_so(steps in proptest::collection::vec(step(), 1..120)) {
        let mut book = book(&[channel("ops", &[])]);
        let mut is_wrong = BTreeMap::<u8, u8>::new();
        let mut believer = Believer::default();
        let mut second = 0;
        let drain = |book: &mut AlertBook, believer: &mut Believer, takes: bool, now| {
            if let Some(letter) = book.letter("ops", now) {
                if takes {
                    believer.read(&letter, now);
                }
                book.ended("ops", if takes { Ok(()) } else { Err("no") }, now);
            }
        };
        for step in steps {
            match step {
                Step::Wrong(subject, level) => drop(is_wrong.insert(subject, level)),
                Step::Right(subject) => drop(is_wrong.remove(&subject)),
                Step::Send(takes) => drain(&mut book, &mut believer, takes, at(second)),
                Step::Wait(seconds) => second += i64::from(seconds),
            }
            let now = is_wrong.iter().map(|(subject, level)| {
                wrong(AlertKind::Storage, &format!("disk-{subject}"), *level)
            });
            book.observe("disks", now.collect(), at(second));
        }
        for _ in 0..4 {
            second += 700;
            drain(&mut book, &mut believer, true, at(second));
        }
        for subject in 0..4u8 {
            let believed = believer.open.get(&format!("disk-{subject}")).copied().unwrap_or_default();
            prop_assert_eq!(believed, is_wrong.contains_key(&subject), "disk-{}", subject);
        }
        let waiting = book.shown(at(second)).channels[0].waiting;
        prop_assert_eq!(waiting, 0);
    }
}
