//! `alerts:` and `session_keepers:`: what is read, what is refused, and that no secret shows.

use std::time::Duration;

use keygate_alerts::{AlertKind, Target};
use keygate_keeper::KeeperKind;

use crate::house::House;

fn with(yaml: &str) -> House {
    House::with_yaml(yaml).env("GEMINI_API_KEY", "k")
}

fn with_channel(channel: &str) -> House {
    with(&format!("alerts:\n  channels:\n    - {channel}\n"))
        .env("HOOK", "https://hooks.example/services/T0/B0/sesame")
        .env("SECRET", "sign-with-this")
        .env("MAIL", "smtps://user:p%40ss@mail.example")
}

fn with_keeper(keeper: &str) -> House {
    with(&format!("session_keepers:\n  - {keeper}\n"))
        .env("SECRET", "sign-with-this")
        .env("ZALO_IMEI", "imei-of-the-bot")
        .env("ZALO_COOKIES", r#"{"zpsid":"cookie-of-the-bot"}"#)
}

#[test]
fn channels_of_all_kinds_are_read() {
    let yaml = "alerts:
  low_keys: 2
  rotate_after: 60d
  runs_out: [10m, 2h]
  channels:
    - {kind: slack, url: env:HOOK}
    - {kind: slack, url: env:HOOK, events: [pool_empty, key_disabled], min_interval: 1h}
    - {kind: webhook, name: pager, url: 'http://127.0.0.1:9000/hook', secret: env:SECRET}
    - {kind: smtp, url: env:MAIL, from: keygate@example.com, to: ['Ops <ops@example.com>']}
";
    let house = with(yaml)
        .env("HOOK", "https://hooks.example/sesame")
        .env("SECRET", "sign-with-this")
        .env("MAIL", "smtps://user:p%40ss@mail.example");
    let loaded = house.loaded();
    let alerts = &loaded.config.alerts;
    assert_eq!((alerts.low_keys, alerts.rotate_after), (2, Some(Duration::from_hours(60 * 24))));
    assert_eq!(alerts.runs_out, [Duration::from_hours(2), Duration::from_mins(10)]);
    let names: Vec<&str> = alerts.channels.iter().map(|channel| channel.name.as_str()).collect();
    assert_eq!(names, ["slack", "slack-2", "pager", "smtp"]);
    assert_eq!(alerts.channels[1].events, [AlertKind::PoolEmpty, AlertKind::KeyDisabled]);
    assert!(alerts.channels[0].wants(AlertKind::Storage) && !alerts.channels[1].wants(AlertKind::Storage));
    let Target::Mail(mail) = &alerts.channels[3].target else { panic!("{:?}", alerts.channels[3]) };
    assert_eq!((mail.server.host(), mail.server.password()), ("mail.example", Some("p%40ss")));
    let shown = format!("{:?} {:?}", loaded.config, loaded.sources);
    for secret in ["sesame", "sign-with-this", "p%40ss"] {
        assert!(!shown.contains(secret), "{secret} shows");
    }
}

#[test]
fn channels_that_cannot_be_are_told_at_their_place() {
    let check = |channel: &str, words: &str| {
        let told = with_channel(channel).refused();
        assert!(told.contains("keygate.yaml:3") && told.contains(words), "{channel}: {told}");
        assert!(!told.contains("sesame") && !told.contains("p%40ss"), "{told}");
    };
    check(
        "{kind: slack, url: env:NOT_SET}",
        "NOT_SET, which `url` of the alert channel `slack` names, is not set",
    );
    check("{kind: slack, url: 'http://hooks.example/sesame'}", "is not https");
    check("{kind: slack, url: sesame}", "is no address");
    check("{kind: discord, url: env:HOOK, secret: env:SECRET}", "has a secret, which only a webhook");
    check("{kind: discord, url: env:HOOK, to: [a@b.example]}", "has `from` or `to`, which only mail has");
    check("{kind: webhook, url: env:HOOK, min_interval: 0s}", "has a `min_interval` of less than 1s");
    check("{kind: smtp, url: env:MAIL, to: [a@b.example]}", "does not say from whom mail is");
    check("{kind: smtp, url: env:MAIL, from: a@b.example}", "does not say to whom mail goes");
    check(
        "{kind: smtp, url: 'smtp://user:p%40ss@mail.example', from: a@b.example, to: [a@b.example]}",
        "would hand mail in without TLS",
    );
    with_channel("{kind: smtp, url: 'smtp://127.0.0.1:2525', from: a@b.example, to: [a@b.example]}").loaded();
    check("{kind: pigeon, url: env:HOOK}", "kind");
    check("{kind: slack, url: env:HOOK, events: [pool_full]}", "events");
    let twice = "alerts: {channels: [{kind: slack, name: a, url: env:HOOK}, {kind: slack, name: a, url: env:HOOK}]}\n";
    let told = with(twice).env("HOOK", "https://hooks.example/x").refused();
    assert!(told.contains("two alert channels have the same name"), "{told}");
    let told = with("alerts: {runs_out: [0s]}\n").refused();
    assert!(told.contains("`alerts.runs_out` holds a span of nothing"), "{told}");
}

#[test]
fn keepers_of_both_kinds_are_read() {
    let loaded =
        with_keeper("{name: zalo, url: 'http://127.0.0.1:9000/s', secret: env:SECRET, tags: [zalo], send_credentials: true}")
            .loaded();
    let keeper = &loaded.config.session_keepers[0];
    assert_eq!((keeper.cooldown, keeper.timeout), (Duration::from_mins(5), Duration::from_secs(10)));
    assert!(keeper.is_concerned(Some("zalo"), "any", None, "google"));
    assert!(!keeper.is_concerned(None, "any", None, "google"));
    assert!(keeper.is_concerned(None, "any", Some("zalo"), "anam"));
    let credentials = keeper.credentials.as_ref().unwrap().to_json();
    assert_eq!(credentials["imei"], "imei-of-the-bot");
    assert_eq!(credentials["cookies"]["zpsid"], "cookie-of-the-bot");
    let shown = format!("{:?} {:?}", loaded.config, loaded.sources);
    for secret in ["sign-with-this", "imei-of-the-bot", "cookie-of-the-bot"] {
        assert!(!shown.contains(secret), "{secret} shows");
    }
    let oa = "{name: oa, kind: zalo_oa, url: 'https://bot.example/t', secret: env:SECRET, account: {app_id: '12', \
              app_secret: env:SECRET, refresh_token: env:SECRET}}";
    let loaded = with_keeper(oa).loaded();
    let KeeperKind::ZaloOa(account) = &loaded.config.session_keepers[0].kind else { panic!("{loaded:?}") };
    assert_eq!((account.app_id.as_str(), account.endpoint.as_str()), ("12", "https://oauth.zaloapp.com/"));
    assert!(account.token_file.ends_with("oa.tokens.json"), "{account:?}");
}

#[test]
fn keepers_that_cannot_be_are_told_at_their_place() {
    let check = |keeper: &str, words: &str| {
        let told = with_keeper(keeper).refused();
        assert!(told.contains("keygate.yaml:2") && told.contains(words), "{keeper}: {told}");
    };
    check("{name: zalo, url: 'http://bot.example/s'}", "is not https");
    check("{name: 'a b', url: 'https://bot.example/s'}", "a session keeper has no usable name");
    check("{name: zalo, url: 'https://u:p@bot.example/s'}", "carries a user or a password");
    check(
        "{name: zalo, url: 'https://bot.example/s', providers: [gogle]}",
        "names a provider that there is not",
    );
    check("{name: zalo, url: 'https://bot.example/s', cooldown: 0s}", "`cooldown` that is not between");
    check(
        "{name: oa, kind: zalo_oa, url: 'https://bot.example/s'}",
        "`account.app_id` of the session keeper",
    );
    let told = with("session_keepers: [{name: z, url: 'https://bot.example/s', send_credentials: true}]\n")
        .env("ZALO_COOKIES", "zpsid=1")
        .refused();
    assert!(told.contains("ZALO_COOKIES holds no cookies") && !told.contains("zpsid=1"), "{told}");
}

#[test]
fn a_keeper_without_a_secret_or_anybody_to_keep_is_told() {
    let told = with("session_keepers: [{name: z, url: 'https://bot.example/s'}]\n").warnings();
    assert!(told.contains("has no secret") && told.contains("has neither tags nor clients"), "{told}");
}
