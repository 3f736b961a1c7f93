//! `keygate keys list`, `check`, `reset`, `disable` and `enable`, and the commands around them.

use keygate_tests::sim::{GoogleRow, KeyState};
use keygate_tests::{Exit, Keygate, SIMULATED_KEYS, configuration, eventually, simulator};
use serde_json::{Value, json};
use sqlx::Connection as _;

use super::answer::Answer;
use super::database;
use super::stage::{FLASH, House, states};

const ADMIN: (&str, &str) = ("KEYGATE_ADMIN_TOKEN", "kg_the_admin_of_this_house");
const NOWHERE: &str = "http://127.0.0.1:1";

/// Runs `keygate keys …` at a gateway, with the admin token.
async fn keys(house: &House, arguments: &[&str]) -> Exit {
    let url = house.gateway.url("");
    let arguments = [&["keys"], arguments, &["--url", &url]].concat();
    shows_no_secret(Keygate::run(&arguments, "", &[ADMIN]).await)
}

fn shows_no_secret(exit: Exit) -> Exit {
    let shown = format!("{}{}", exit.stdout, exit.stderr);
    assert!(SIMULATED_KEYS.iter().all(|(_, secret)| !shown.contains(secret)), "{shown}");
    assert!(!shown.contains('\u{1b}'), "colours are for terminals: {shown}");
    exit
}

fn json_of(exit: &Exit) -> Value {
    serde_json::from_str(&exit.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {exit:?}"))
}

#[tokio::test]
async fn keys_are_listed_as_the_gateway_sees_them() {
    let house = House::open(json!({})).await;
    house
        .sim
        .declare(states(&[("sim-google-beta-1", KeyState::Google(GoogleRow::KeyInvalid))]))
        .expect("known");
    for _ in 0..3 {
        house.generate(FLASH, "hello").await;
    }
    let all = keys(&house, &["list"]).await;
    assert_eq!(all.status.code(), Some(0), "{}", all.stderr);
    for words in
        ["google: 2 of 3 keys available", "2 quota groups", "alpha_1", "disabled", "anam: 2 of 2", "studio_1"]
    {
        assert!(all.stdout.contains(words), "{words:?} is not in\n{}", all.stdout);
    }
    let wide = keys(&house, &["list", "gemini", "--wide"]).await.stdout;
    assert!(wide.contains("health") && wide.contains("primary") && !wide.contains("studio_1"), "{wide}");
    let told = json_of(&keys(&house, &["list", "google", "--json"]).await);
    assert_eq!((&told["from"], &told["providers"][0]["total_keys"]), (&json!("gateway"), &json!(3)));
    let refused = keys(&house, &["list", "acme"]).await;
    assert_eq!(refused.status.code(), Some(64), "{}", refused.stderr);
    house.close().await;
}

#[tokio::test]
async fn without_a_gateway_keys_are_listed_as_they_are_configured() {
    let sim = simulator();
    let yaml = configuration(sim.endpoints(), &json!({"server": {"bind": "127.0.0.1:1"}}));
    let listed = shows_no_secret(Keygate::run(&["keys", "list"], &yaml, SIMULATED_KEYS).await);
    assert_eq!(listed.status.code(), Some(0), "{}", listed.stderr);
    for words in
        ["No gateway runs", "google: configured with 3 keys in 2 quota groups", "beta", "variable ALPHA_2"]
    {
        assert!(listed.stdout.contains(words), "{words:?} is not in\n{}", listed.stdout);
    }
    let told = json_of(
        &Keygate::run(&["keys", "list", "anam", "--configured", "--json"], &yaml, SIMULATED_KEYS).await,
    );
    assert_eq!(told["from"], "configuration");
    assert_eq!(told["providers"][0]["keys"][1]["label"], "backup_1");
    let named = Keygate::run(&["keys", "list", "--url", NOWHERE], &yaml, SIMULATED_KEYS).await;
    assert_eq!(named.status.code(), Some(69), "a gateway that was named and is not there: {}", named.stderr);
}

#[tokio::test]
async fn a_key_that_is_disabled_stays_out_until_it_is_enabled() {
    let house = House::before(simulator(), json!({}), &[ADMIN]).await;
    let disabled = keys(&house, &["disable", "google", "alpha_1", "1"]).await;
    assert_eq!(disabled.status.code(), Some(0), "{}", disabled.stderr);
    assert!(disabled.stdout.contains("disabled alpha_1 and alpha_2"), "{}", disabled.stdout);
    for _ in 0..4 {
        let answer = house.generate(FLASH, "hello").await;
        assert_eq!(answer.header("x-keygate-key"), house.google().await.id("beta_1"));
    }
    let house = house.restarted().await;
    assert_eq!(
        house.google().await.states(),
        [("available", 1), ("disabled", 2)].into(),
        "a restart changes nothing"
    );
    let id = house.google().await.id("alpha_1").to_owned();
    let enabled = keys(&house, &["enable", "gemini", &id, "alpha_2", "--json"]).await;
    assert_eq!(enabled.status.code(), Some(0), "{}", enabled.stderr);
    assert_eq!(json_of(&enabled)["keys"][0], json!({"id": id, "label": "alpha_1", "state": "available"}));
    assert_eq!(house.google().await.states(), [("available", 3)].into());
    let told = async || {
        let rows = Answer::to(house.get("/api/audit").bearer_auth(ADMIN.1)).await.text();
        (rows.matches("key.disabled").count() == 2 && rows.matches("key.enabled").count() == 2).then_some(())
    };
    eventually("it is in the audit trail", told).await;
    house.close().await;
}

#[tokio::test]
async fn a_reset_brings_back_what_failed() {
    let house = House::before(simulator(), json!({}), &[ADMIN]).await;
    let bad = ["sim-google-alpha-1", "sim-google-alpha-2", "sim-google-beta-1"];
    let all = |state: KeyState| states(&bad.map(|key| (key, state)));
    house.sim.declare(all(KeyState::Google(GoogleRow::KeyInvalid))).expect("known keys");
    house.generate(FLASH, "hello").await.is_refusal(503, "pool_disabled");
    house.sim.declare(all(KeyState::Valid)).expect("known keys");

    let one = keys(&house, &["reset", "google", "beta_1"]).await;
    assert_eq!(one.status.code(), Some(0), "{}", one.stderr);
    assert!(one.stdout.contains("reset beta_1; 1 of 3 are available"), "{}", one.stdout);
    let told = json_of(&keys(&house, &["reset", "google", "--json"]).await);
    assert_eq!((&told["available_keys"], &told["total_keys"]), (&json!(3), &json!(3)));
    house.close().await;
}

#[tokio::test]
async fn commands_that_need_a_gateway_say_what_is_missing() {
    let house = House::before(simulator(), json!({}), &[ADMIN]).await;
    let url = house.gateway.url("");
    let without = Keygate::run(&["keys", "disable", "google", "alpha_1", "--url", &url], "", &[]).await;
    assert_eq!(without.status.code(), Some(64), "{}", without.stderr);
    assert!(without.stderr.contains("KEYGATE_ADMIN_TOKEN"), "{}", without.stderr);
    let unknown = keys(&house, &["disable", "google", "nobody"]).await;
    assert_eq!(unknown.status.code(), Some(64), "{}", unknown.stderr);
    assert!(unknown.stderr.contains("nobody") && unknown.stderr.contains("keys list"), "{}", unknown.stderr);
    let id =
        Answer::to(house.post("/api/google/keys/no-such/disable", &json!({})).bearer_auth(ADMIN.1)).await;
    id.is_refusal(404, "not_found");
    id.says_house("no-such");
    let nowhere = Keygate::run(&["keys", "reset", "google", "--url", NOWHERE], "", &[ADMIN]).await;
    assert_eq!(nowhere.status.code(), Some(69), "{}", nowhere.stderr);
    assert!(nowhere.stderr.contains("127.0.0.1:1 (--url)"), "{}", nowhere.stderr);
    let bind = "server:\n  bind: 127.0.0.1:1\n";
    let nobody = Keygate::run(&["keys", "reset", "google"], bind, &[ADMIN]).await;
    for word in ["127.0.0.1:1 (server.bind, keygate.yaml:2:9)", "Is it running?", "--url"] {
        assert!(nobody.stderr.contains(word), "{word:?} is not in {}", nobody.stderr);
    }
    assert_eq!(house.google().await.states(), [("available", 3)].into());
    house.close().await;
}

#[tokio::test]
async fn every_key_is_checked_by_a_free_call() {
    let sim = simulator();
    let yaml = configuration(sim.endpoints(), &json!({}));
    let check = async |arguments: &[&str]| {
        shows_no_secret(Keygate::run(&[&["keys", "check"], arguments].concat(), &yaml, SIMULATED_KEYS).await)
    };
    let well = check(&[]).await;
    assert_eq!(
        (well.status.code(), well.stderr.as_str()),
        (Some(0), ""),
        "no bar where nobody looks: {}",
        well.stdout
    );
    assert!(well.stdout.contains("5 keys: 5 ok."), "{}", well.stdout);

    sim.declare(states(&[
        ("sim-google-alpha-2", KeyState::Google(GoogleRow::KeyInvalid)),
        ("sim-google-beta-1", KeyState::Google(GoogleRow::ConsumerSuspended)),
    ]))
    .expect("known keys");
    let bad = check(&[]).await;
    assert_eq!(bad.status.code(), Some(1), "{}", bad.stderr);
    assert!(bad.stdout.contains("5 keys: 3 ok, 1 invalid, 1 suspended."), "{}", bad.stdout);
    assert!(bad.stdout.contains("Replace or repair alpha_2 and beta_1"), "{}", bad.stdout);
    let told = json_of(&check(&["google", "--json"]).await);
    let verdicts: Vec<&str> =
        told["keys"].as_array().expect("keys").iter().filter_map(|key| key["verdict"].as_str()).collect();
    assert_eq!(verdicts, ["ok", "invalid", "suspended"]);
    assert_eq!(check(&["anam"]).await.status.code(), Some(0), "the other provider's keys are good");
    assert!(sim.requests().iter().all(|record| record.method == "GET"), "nothing was generated");
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_says_nothing_of_its_keys() {
    let sim = simulator();
    let gone = json!({"providers": {"google": {"base_url": NOWHERE}, "anam": null}});
    let exit = Keygate::run(&["keys", "check"], &configuration(sim.endpoints(), &gone), SIMULATED_KEYS).await;
    assert_eq!(exit.status.code(), Some(69), "{}", exit.stderr);
    assert!(exit.stdout.contains("3 unreachable") && exit.stdout.contains("base_url"), "{}", exit.stdout);
    let none = Keygate::run(&["keys", "check"], "providers: {google: {}}", &[]).await;
    assert_eq!(none.status.code(), Some(64), "{}", none.stdout);
    assert!(none.stderr.contains("keys add"), "{}", none.stderr);
}

#[tokio::test]
async fn the_doctor_tells_what_why_and_what_to_do() {
    let sim = simulator();
    let pool = json!({"strategy": "primary_backup", "keys": [
        {"secret": "env:ALPHA_1", "role": "backup"},
        {"secret": "env:ALPHA_1", "role": "backup"},
        {"secret": "sim-google-beta-1", "role": "backup"},
    ]});
    let changes = json!({"server": {"bind": "127.0.0.1:1"}, "providers": {"google": pool, "anam": null}});
    let yaml = configuration(sim.endpoints(), &changes);
    let ill = shows_no_secret(Keygate::run(&["keys", "doctor"], &yaml, SIMULATED_KEYS).await);
    assert_eq!(ill.status.code(), Some(1), "{}", ill.stderr);
    for word in ["is the same as", "no key is a primary", "plain text", "why:", "do:", "No gateway runs"] {
        assert!(ill.stdout.contains(word), "{word:?} is not in\n{}", ill.stdout);
    }
    let told = json_of(&Keygate::run(&["keys", "doctor", "--json"], &yaml, SIMULATED_KEYS).await);
    let kinds: Vec<&str> = told["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter_map(|found| found["kind"].as_str())
        .collect();
    for kind in ["duplicate", "literal", "no_primary", "no_group"] {
        assert!(kinds.contains(&kind), "{kind} is not in {kinds:?}");
    }
    let well = configuration(sim.endpoints(), &json!({"server": {"bind": "127.0.0.1:1"}}));
    let well = Keygate::run(&["keys", "doctor"], &well, SIMULATED_KEYS).await;
    assert_eq!(well.status.code(), Some(0), "{}", well.stdout);
}

#[tokio::test]
async fn the_doctor_tells_old_keys_with_a_gateway_and_without_one() {
    let house = House::open(json!({"server": {"bind": "127.0.0.1:1"}})).await;
    let alpha = house.google().await.id("alpha_1").to_owned();
    let mut shell = database::shell(house.gateway.home()).await;
    eventually("the keys have been seen", async || {
        let aged =
            "UPDATE notes SET value = '2020-01-02T03:04:05Z' WHERE topic = 'keys:google' AND name = $1";
        let aged = sqlx::query(aged).bind(&alpha).execute(&mut shell).await.expect("it can be written");
        (aged.rows_affected() == 1).then_some(())
    })
    .await;
    shell.close().await.expect("it can be closed");
    let expected = ["advice: google: alpha_1 (", "since 2020-01-02", "keygate keys remove google alpha_1"];
    let tells = |exit: &Exit| {
        assert_eq!(exit.status.code(), Some(0), "advice is no warning: {exit:?}");
        for words in expected {
            assert!(exit.stdout.contains(words), "{words:?} is not in\n{}", exit.stdout);
        }
        assert!(!exit.stdout.contains("beta_1 ("), "the others are new: {}", exit.stdout);
    };

    let house = house.restarted().await;
    eventually("the gateway knows since when", async || {
        let status = house.gateway.get_json("/api/google/status").await;
        (status["keys"][0]["in_use_since"] == "2020-01-02T03:04:05Z").then_some(())
    })
    .await;
    let doctor = ["keys", "doctor", "google", "--url", &house.gateway.url("")];
    let yaml = configuration(house.sim.endpoints(), &json!({}));
    tells(&shows_no_secret(Keygate::run(&doctor, &yaml, SIMULATED_KEYS).await));
    let (exit, home) = house.gateway.leave().await;
    assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
    let alone = shows_no_secret(Keygate::run_in(&home, &["keys", "doctor", "google"], SIMULATED_KEYS).await);
    assert!(alone.stdout.contains("No gateway runs"), "{}", alone.stdout);
    tells(&alone);
}

#[tokio::test]
async fn the_doctor_asks_a_running_gateway_what_it_learned() {
    let house = House::before(simulator(), json!({}), &[ADMIN]).await;
    house
        .sim
        .declare(states(&[("sim-google-beta-1", KeyState::Google(GoogleRow::KeyLeaked))]))
        .expect("known");
    for _ in 0..3 {
        house.generate(FLASH, "hello").await;
    }
    let url = house.gateway.url("");
    let yaml = configuration(house.sim.endpoints(), &json!({}));
    let ill = shows_no_secret(
        Keygate::run(&["keys", "doctor", "google", "--url", &url], &yaml, SIMULATED_KEYS).await,
    );
    assert_eq!(ill.status.code(), Some(1), "{}", ill.stderr);
    assert!(
        ill.stdout.contains("beta_1 is disabled") && !ill.stdout.contains("No gateway"),
        "{}",
        ill.stdout
    );
    house.close().await;
}

#[tokio::test]
async fn the_binary_tells_its_version_its_completions_and_its_health() {
    let version = Keygate::run(&["--version"], "", &[]).await.stdout;
    assert!(version.starts_with("keygate 0.1.0") && version.contains("rustc 1."), "{version}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = Keygate::run(&["completions", shell], "", &[]).await;
        assert_eq!(script.status.code(), Some(0), "{shell}: {}", script.stderr);
        assert!(script.stdout.contains("doctor"), "{shell}");
    }
    let house = House::open(json!({})).await;
    let health = async |arguments: &[&str]| {
        let url = house.gateway.url("");
        Keygate::run(&[&["healthcheck", "--url", &url], arguments].concat(), "", &[]).await
    };
    let alive = health(&[]).await;
    assert_eq!((alive.status.code(), alive.stdout.trim()), (Some(0), "ok"), "{}", alive.stderr);
    let ready = health(&["--ready"]).await;
    assert_eq!((ready.status.code(), ready.stdout.trim()), (Some(0), "ready"), "{}", ready.stderr);
    house.close().await;
    let nobody = Keygate::run(&["healthcheck", "--url", NOWHERE], "", &[]).await;
    assert_eq!(nobody.status.code(), Some(69), "{}", nobody.stdout);
}
