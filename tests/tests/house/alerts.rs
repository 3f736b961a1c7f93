//! Alerts, as those who are told see them: over real HTTP and real mail.

use std::time::Duration;

use jiff::Timestamp;
use keygate_actors::clock;
use keygate_tests::sim::{GoogleRow, KeyState, SimConfig, Simulator};
use keygate_tests::{Keygate, PATIENCE, SIMULATED_KEYS, configuration, eventually, simulator, time_lapse};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::answer::Answer;
use super::kept_tokens::command;
use super::receivers::{ClosedPort, MailReceiver, Reply, WebReceiver};
use super::stage::{FLASH, House, states};

const ADMIN: (&str, &str) = ("KEYGATE_ADMIN_TOKEN", "kg_the_admin_of_this_house");
const SECRET: (&str, &str) = ("ALERT_SECRET", "sign-alerts-with-this");
const ALL: [&str; 3] = ["sim-google-alpha-1", "sim-google-alpha-2", "sim-google-beta-1"];

fn alerts(channels: &Value) -> Value {
    json!({"alerts": {"channels": channels}})
}

async fn house(channels: &Value, env: &[(&str, &str)]) -> House {
    House::before(simulator(), alerts(channels), &[&[ADMIN, SECRET], env].concat()).await
}

/// From here on the provider does not know these keys, and the gateway finds out.
async fn spoil(house: &House, keys: &[&str]) {
    let spoilt: Vec<_> = keys.iter().map(|key| (*key, KeyState::Google(GoogleRow::KeyInvalid))).collect();
    house.sim.declare(states(&spoilt)).expect("known keys");
    for _ in 0..4 {
        house.generate(FLASH, "hello").await;
    }
}

async fn reset(house: &House) {
    let reset = house.post("/api/google/reset-keys", &json!({})).bearer_auth(ADMIN.1);
    assert_eq!(Answer::to(reset).await.status, 200);
}

async fn shown(house: &House) -> Value {
    house.gateway.get_json("/api/alerts").await
}

async fn channel(house: &House, name: &str) -> Value {
    let shown = shown(house).await;
    let channels = shown["channels"].as_array().expect("channels").clone();
    channels.into_iter().find(|channel| channel["name"] == name).expect("the channel")
}

#[tokio::test]
async fn every_kind_of_channel_is_told_what_is_wrong_and_that_it_is_over() {
    let (pager, rooms, mail) =
        (WebReceiver::patient().await, WebReceiver::patient().await, MailReceiver::start().await);
    let channels = json!([
        {"kind": "webhook", "name": "pager", "url": format!("{}/hook?team=a", pager.url), "secret": "env:ALERT_SECRET"},
        {"kind": "slack", "url": "env:SLACK_URL"},
        {"kind": "discord", "url": format!("{}/discord", rooms.url), "events": ["pool_low"]},
        {"kind": "smtp", "url": "env:SMTP_URL", "from": "Keygate <keygate@mail.test>", "to": ["ops@mail.test", "boss@mail.test"]},
    ]);
    let slack = format!("{}/services/T0/B0/sesame-of-the-room", rooms.url);
    let smtp = format!("smtp://user:pass-of-the-mail@{}", mail.address);
    let house = house(&channels, &[("SLACK_URL", &slack), ("SMTP_URL", &smtp)]).await;
    spoil(&house, &ALL[..2]).await;

    let told = pager.alert("pool_low", "open").await;
    assert_eq!(told.path, "/hook?team=a");
    assert!(told.is_signed_with(SECRET.1), "{told:?}");
    assert!(!told.is_signed_with("something else"));
    let body = pager.alert("key_disabled", "open").await.json();
    let disabled =
        body["alerts"].as_array().expect("alerts").iter().find(|one| one["event"] == "key_disabled");
    let disabled = disabled.expect("the alert");
    assert_eq!((&disabled["provider"], &disabled["severity"]), (&json!("google"), &json!("warning")));
    assert!(
        disabled["text"].as_str().is_some_and(|text| text.starts_with("google: the key alpha_")),
        "{body}"
    );
    let room = |path: &'static str, words: &'static str| {
        move |one: &super::receivers::Received| one.path == path && one.body.contains(words)
    };
    let said =
        rooms.first("slack is told", room("/services/T0/B0/sesame-of-the-room", "few keys are left")).await;
    assert!(said.json()["text"].as_str().is_some_and(|text| text.contains("*WARNING* google: ")), "{said:?}");
    let said = rooms.first("discord is told", room("/discord", "few keys are left")).await;
    assert!(
        said.json()["content"].as_str().is_some_and(|text| !text.contains("alpha_1 is disabled")),
        "{said:?}"
    );
    let written = mail.mail("few keys are left").await;
    for words in
        ["RCPT TO:<ops@mail.test>", "RCPT TO:<boss@mail.test>", "AUTH PLAIN", "Subject: [keygate] google: "]
    {
        assert!(written.contains(words), "{words}: {written}");
    }

    let shown = shown(&house).await;
    let open: Vec<&str> =
        shown["open"].as_array().expect("open").iter().filter_map(|one| one["event"].as_str()).collect();
    assert_eq!(open, ["pool_low", "key_disabled", "key_disabled"]);
    reset(&house).await;
    pager.alert("pool_low", "recovered").await;
    rooms.first("slack hears the end", room("/services/T0/B0/sesame-of-the-room", "RECOVERED")).await;
    mail.mail("RECOVERED").await;
    assert_eq!(pager.times("pool_low", "open").await, 1, "once, however many requests failed");
    let log = house.gateway.stderr();
    for secret in ["sesame-of-the-room", "pass-of-the-mail", SECRET.1] {
        assert!(!log.contains(secret) && !shown.to_string().contains(secret), "{secret} shows");
    }
    house.close().await;
}

#[tokio::test]
async fn an_empty_pool_is_critical() {
    let pager = WebReceiver::patient().await;
    let house = house(&json!([{"kind": "webhook", "url": pager.url}]), &[]).await;
    spoil(&house, &ALL).await;
    let told = pager.alert("pool_empty", "open").await.json();
    assert_eq!(
        (&told["alerts"][0]["severity"], &told["alerts"][0]["state"]),
        (&json!("critical"), &json!("open"))
    );
    assert!(
        told["title"].as_str().is_some_and(|title| title.starts_with("google: no key can be used")),
        "{told}"
    );
    reset(&house).await;
    pager.alert("pool_empty", "recovered").await;
    house.close().await;
}

#[tokio::test]
async fn a_channel_that_fails_delays_nobody_is_seen_and_told_later() {
    let no = || Reply::With(500, "<html>no</html>".to_owned());
    let shaky = WebReceiver::start(vec![no(), no(), no()], Reply::With(204, String::new())).await;
    let (silent, pager) =
        (WebReceiver::start(Vec::new(), Reply::Silence).await, WebReceiver::patient().await);
    let closed = ClosedPort::reserve();
    let house = house(
        &json!([
            {"kind": "webhook", "name": "shaky", "url": format!("{}/shaky-sesame", shaky.url)},
            {"kind": "webhook", "name": "silent", "url": silent.url},
            {"kind": "slack", "name": "closed", "url": closed.url()},
            {"kind": "webhook", "name": "pager", "url": pager.url},
        ]),
        &[],
    )
    .await;
    spoil(&house, &ALL[..1]).await;
    let began = Instant::now();
    for _ in 0..16 {
        assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    }
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    let failing = eventually("the status tells of it", async || {
        let channel = channel(&house, "closed").await;
        (channel["status"] == "failing").then_some(channel)
    })
    .await;
    assert!(
        failing["last_failure"].as_str().is_some_and(|why| why.contains("no connection to 127.0.0.1:")),
        "{failing}"
    );
    pager.alert("channel", "open").await;
    shaky.alert("key_disabled", "open").await;
    let well = eventually("the shaky one takes it in the end", async || {
        let channel = channel(&house, "shaky").await;
        (channel["status"] == "ok").then_some(channel)
    })
    .await;
    assert_eq!(well["failed"], 3);
    assert!(well["last_failure"].as_str().is_some_and(|why| why.contains("status 500")), "{well}");
    let log = house.gateway.stderr();
    assert!(log.contains("the alert channel did not take it"), "{log}");
    assert!(!log.contains("shaky-sesame"), "{log}");
    house.close().await;
}

#[tokio::test]
async fn a_suspended_project_is_a_group_that_is_out_though_it_is_asked_after_by_itself() {
    let pager = WebReceiver::patient().await;
    let house = house(&json!([{"kind": "webhook", "url": pager.url}]), &[]).await;
    let suspended = KeyState::Google(GoogleRow::ConsumerSuspended);
    house.sim.declare(states(&[(ALL[0], suspended), (ALL[1], suspended)])).expect("known keys");
    for _ in 0..3 {
        assert_eq!(house.generate(FLASH, "hello").await.status, 200, "another project serves it");
    }
    let told = pager.alert("group_disabled", "open").await.json();
    let alerts = told["alerts"].as_array().expect("alerts").clone();
    let group = alerts.iter().find(|alert| alert["event"] == "group_disabled").expect("the group");
    assert_eq!(group["subject"], "alpha", "{told}");
    assert_eq!(pager.times("key_disabled", "open").await, 0, "its keys are good");
    house.sim.declare(states(&[(ALL[0], KeyState::Valid), (ALL[1], KeyState::Valid)])).expect("known keys");
    reset(&house).await;
    pager.alert("group_disabled", "recovered").await;
    assert_eq!(pager.times("group_disabled", "open").await, 1);
    house.close().await;
}

#[tokio::test]
async fn a_restart_tells_nobody_anew_and_goes_on_where_it_was() {
    let pager = WebReceiver::patient().await;
    let house = house(&json!([{"kind": "webhook", "url": pager.url}]), &[]).await;
    spoil(&house, &ALL[..1]).await;
    pager.alert("key_disabled", "open").await;
    let house = house.restarted().await;
    eventually("it is still wrong", async || {
        let shown = shown(&house).await;
        shown["open"].as_array().is_some_and(|open| !open.is_empty()).then_some(())
    })
    .await;
    reset(&house).await;
    pager.alert("key_disabled", "recovered").await;
    assert_eq!(pager.times("key_disabled", "open").await, 1);
    house.close().await;
}

#[tokio::test]
async fn low_keys_is_what_status_goes_by_and_changes_while_it_runs() {
    let house = house(&json!([]), &[]).await;
    spoil(&house, &ALL[..1]).await;
    assert_eq!(house.gateway.get_json("/api/keys/status").await["status"], "ok");
    let low = json!({"alerts": {"low_keys": 2}});
    house.gateway.write("keygate.yaml", &configuration(house.sim.endpoints(), &low));
    eventually("two keys of three are few", async || {
        let status = house.gateway.get_json("/api/keys/status").await;
        let told = shown(&house).await.to_string();
        (status["status"] == "degraded" && told.contains("pool_low")).then_some(())
    })
    .await;
    house.close().await;
}

/// The next noon in California, far from the end of a day there, and how many seconds ahead it is.
fn noon_in_california() -> (Timestamp, i64) {
    let now = clock::now().wall.as_second();
    let (day, noon) = (86_400, 20 * 3_600);
    let at = now - now % day + day + noon;
    (Timestamp::from_second(at).expect("a time"), at - now)
}

/// A budget that a steady pace uses up before it would start over is told at 60, 30 and 10 minutes. An hour passes
/// in a minute.
#[tokio::test]
async fn a_quota_that_will_run_out_before_its_reset_is_told_in_three_steps() {
    const SPEED: u32 = 60;
    let pager = WebReceiver::patient().await;
    let [library, _] = time_lapse(SPEED);
    let (starts_at, offset) = noon_in_california();
    let lapse = format!("+{offset} x{SPEED}");
    let env = [(library.0, library.1.as_str()), ("FAKETIME", lapse.as_str())];
    let sim = SimConfig { speed: f64::from(SPEED), starts_at: Some(starts_at), ..SimConfig::default() };
    let sim = Simulator::start(sim);
    let changes = json!({
        "alerts": {"channels": [{"kind": "webhook", "url": pager.url, "events": ["runs_out", "group_exhausted", "key_exhausted"]}]},
        "limits": {"per_user": {"requests_per_minute": 100_000, "burst": 100_000}},
        "providers": {"google": {
            "keys": [{"secret": "env:ALPHA_1", "label": "alpha_1", "group": "alpha"}],
            "budgets": {"default": {"requests_per_day": 400}},
        }},
    });
    let house = House::before(sim.expect("the simulator starts"), changes, &env).await;
    // Eight in a minute of the gateway's time, at most: the first forecast, after five, is of more than half an hour.
    let began = Instant::now();
    let mut asked = 0;
    while pager.times("runs_out", "open").await < 3 && asked < 900 {
        house.generate(FLASH, "hello").await;
        asked += 1;
        tokio::time::sleep_until(began + Duration::from_millis(125) * asked).await;
    }
    let told = pager.all().await;
    let words: Vec<String> = told
        .iter()
        .flat_map(|one| one.json()["alerts"].as_array().cloned().unwrap_or_default())
        .filter(|alert| alert["event"] == "runs_out")
        .filter_map(|alert| alert["text"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(words.len(), 3, "{words:?}");
    for text in &words {
        assert!(
            text.starts_with("google: the requests per day of gemini-2.5-flash of alpha_1 runs out at "),
            "{text}"
        );
        assert!(text.contains(" PT, ") && text.contains(" before its reset ("), "{text}");
    }
    let mut exhausted = false;
    for _ in 0..400 {
        exhausted = exhausted || house.generate(FLASH, "hello").await.status != 200;
    }
    assert!(exhausted, "and it runs out");
    pager.alert("key_exhausted", "open").await;
    assert_eq!(pager.times("runs_out", "recovered").await, 0, "that it came true is no recovery");
    house.close().await;
}

#[tokio::test]
async fn a_test_tries_every_channel_and_says_which_does_not_take_it() {
    let (web, mail) = (WebReceiver::patient().await, MailReceiver::start().await);
    let good = json!([
        {"kind": "webhook", "url": web.url, "secret": "env:ALERT_SECRET"},
        {"kind": "smtp", "url": format!("smtp://{}", mail.address), "from": "k@mail.test", "to": ["o@mail.test"]},
    ]);
    let sim = simulator();
    let run = async |channels: &Value, args: &[&str]| {
        let yaml = configuration(sim.endpoints(), &alerts(channels));
        Keygate::run(args, &yaml, &[SIMULATED_KEYS, &[SECRET]].concat()).await
    };
    let exit = run(&good, &["alerts", "test"]).await;
    assert_eq!(exit.status.code(), Some(0), "{exit:?}");
    assert_eq!(exit.stdout.matches("took it").count(), 2, "{exit:?}");
    assert!(web.all().await[0].is_signed_with(SECRET.1));
    mail.mail("this is a test").await;
    let closed = ClosedPort::reserve();
    let bad = json!([
        {"kind": "webhook", "name": "well", "url": web.url},
        {"kind": "slack", "url": format!("{}/sesame", closed.url())},
    ]);
    let exit = run(&bad, &["alerts", "test", "--json"]).await;
    assert_eq!(exit.status.code(), Some(69), "{exit:?}");
    let told: Value = serde_json::from_str(&exit.stdout).expect("JSON");
    assert_eq!((&told[0]["ok"], &told[1]["ok"]), (&json!(true), &json!(false)));
    assert!(
        told[1]["error"].as_str().is_some_and(|why| why.contains("no connection to 127.0.0.1:")),
        "{told}"
    );
    assert!(!exit.stdout.contains("sesame") && !exit.stderr.contains("sesame"), "{exit:?}");
    let exit = run(&json!([]), &["alerts", "test"]).await;
    assert_eq!(exit.status.code(), Some(64), "{exit:?}");
}

#[tokio::test]
async fn operators_see_it_on_the_command_line() {
    let house = house(&json!([]), &[]).await;
    let list = ["alerts", "list", "--url", &house.gateway.url("/")];
    let exit = command(&house, &list).await;
    assert!(exit.stdout.contains("Nothing is wrong.") && exit.stdout.contains("Nobody is told"), "{exit:?}");
    spoil(&house, &ALL[..1]).await;
    eventually("it is listed", async || {
        let exit = command(&house, &list).await;
        exit.stdout.contains("the key alpha_1 is disabled").then_some(())
    })
    .await;
    let exit = command(&house, &list).await;
    let row = exit.stdout.lines().find(|line| line.contains("key_disabled")).expect("the alert");
    assert!(row.contains("Z ") && !row.contains('.'), "whole seconds for people: {row}");
    house.close().await;
}
