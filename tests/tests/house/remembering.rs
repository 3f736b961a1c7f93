//! What outlives the process, and a disk that does not play along.

use std::fs;

use keygate_tests::sim::{Fault, GoogleRow, KeyState};
use keygate_tests::{Keygate, SIMULATED_KEYS, configuration, eventually};
use serde_json::{Value, json};
use sqlx::Connection as _;

use super::answer::Answer;
use super::database::{DATABASE, bytes, holds, shell};
use super::pool::Pool;
use super::stage::{FLASH, House, PRO, states};

const MINT: &str = "/anam/v1/auth/session-token";
const START: &str = "/anam/v1/engine/session";

/// A house with an invalid key and one that is used up for the day, who both have been met.
async fn experienced(workers: u32) -> House {
    let house = House::open(json!({"server": {"workers": workers}})).await;
    let invalid = KeyState::Google(GoogleRow::KeyInvalid);
    house.sim.declare(states(&[("sim-google-alpha-1", invalid)])).expect("a known key");
    let daily = Fault::google(GoogleRow::DayRequests).key("sim-google-beta-1").model(PRO);
    house.sim.script([daily.always()]).expect("room");
    for _ in 0..6 {
        assert_eq!(house.generate(PRO, "hello").await.status, 200);
    }
    house
}

/// What is known of the keys, without what changes by itself or begins anew with the process.
fn known(pool: &Pool) -> Value {
    let keys = ["alpha_1", "alpha_2", "beta_1"].map(|label| {
        let key = pool.key(label);
        let mut resting = key["resting"].clone();
        for rest in resting.as_array_mut().into_iter().flatten() {
            rest.as_object_mut().expect("a rest").remove("remaining");
        }
        let fields = ["state", "reason", "failed_at", "reported_group"].map(|field| key[field].clone());
        json!([fields, resting])
    });
    json!(keys)
}

/// Everything is as it was, and heeded.
async fn remembers(house: &House, before: &Value, asked: u64) {
    let after = house.google().await;
    assert_eq!(known(&after), *before);
    assert_eq!((after.state("alpha_1"), after.fault("alpha_1")), ("disabled", "key_invalid"));
    let [rest] = after.resting("beta_1") else { panic!("one thing rests: {after:?}") };
    assert_eq!((&rest["model"], &rest["metric"]), (&json!(PRO), &json!("requests_per_day")));
    for _ in 0..4 {
        house.generate(PRO, "hello").await.is_providers("google", 200, 1);
    }
    assert_eq!(house.asked("sim-google-alpha-1"), asked, "a disabled key stays out");
}

#[tokio::test]
async fn a_gateway_that_is_killed_knows_afterwards_which_keys_are_out() {
    let house = experienced(2).await;
    let (before, asked) = (known(&house.google().await), house.asked("sim-google-alpha-1"));
    // The invalid one, and the one that fares worse for its day.
    holds(house.gateway.home(), "key", 2).await;
    holds(house.gateway.home(), "group", 1).await;
    let house = house.killed().await;
    remembers(&house, &before, asked).await;
    house.close().await;
}

#[tokio::test]
async fn a_gateway_that_ends_by_itself_forgets_nothing() {
    forgets_nothing(2).await;
}

#[tokio::test]
async fn nor_does_one_whose_only_worker_has_the_supervisors_on_its_own_thread() {
    forgets_nothing(1).await;
}

async fn forgets_nothing(workers: u32) {
    let house = experienced(workers).await;
    let (before, asked) = (known(&house.google().await), house.asked("sim-google-alpha-1"));
    let persona = json!({"name": "Private Persona", "avatarId": "a", "voiceId": "v", "llmId": "l"});
    let minted = Answer::to(house.post(MINT, &json!({"personaConfig": persona}))).await;
    let token = minted.json()["sessionToken"].as_str().expect("a token").to_owned();
    // At once: who owns the token is not urgent, and is on no disk yet.
    let house = house.restarted().await;
    remembers(&house, &before, asked).await;

    let written = bytes(house.gateway.home());
    assert!(written.contains("session_token"), "it is kept whose the token is");
    for secret in SIMULATED_KEYS.iter().map(|(_, key)| *key).chain([token.as_str(), "Private Persona"]) {
        assert!(!written.contains(secret), "the database holds {secret}");
    }
    let started = Answer::to(house.post(START, &json!({})).bearer_auth(&token)).await;
    started.is_providers("anam", 200, 1);
    assert_eq!(started.header("x-keygate-key"), minted.header("x-keygate-key"), "its owner starts it");
    house.close().await;
}

#[tokio::test]
async fn a_database_that_was_deleted_is_made_anew() {
    let house = experienced(2).await;
    let (_, home) = house.gateway.leave().await;
    fs::remove_file(home.path().join(DATABASE)).expect("it is there");
    let gateway = Keygate::start_in(home, SIMULATED_KEYS).await;
    let status = gateway.get_json("/api/google/status").await;
    assert_eq!(status["available_keys"], 3);
}

#[tokio::test]
async fn a_damaged_or_foreign_database_ends_the_start_and_is_left_as_it_is() {
    let house = experienced(2).await;
    let (_, home) = house.gateway.leave().await;
    let path = home.path().join(DATABASE);
    let mut torn = fs::read(&path).expect("it is there");
    torn[4096..].fill(0x5a);
    for (bytes, what) in
        [(torn, "damaged"), (b"my notes, not a database".to_vec(), "not a database of Keygate")]
    {
        fs::write(&path, &bytes).expect("it can be written");
        let exit = Keygate::run_in(&home, &["serve", "--bind", "127.0.0.1:0"], SIMULATED_KEYS).await;
        assert_eq!(exit.status.code(), Some(74), "{}", exit.stderr);
        for expected in [what, DATABASE, "not touched"] {
            assert!(exit.stderr.contains(expected), "{expected} in {}", exit.stderr);
        }
        assert!(fs::read(&path).expect("it is there") == bytes, "the file was changed");
    }
}

#[tokio::test]
async fn two_gateways_do_not_share_a_database() {
    let house = House::open(json!({})).await;
    let other = tempfile::tempdir().expect("a temporary folder");
    let shared =
        json!({"storage": {"url": format!("sqlite://{}", house.gateway.home().join(DATABASE).display())}});
    let yaml = configuration(house.sim.endpoints(), &shared);
    fs::write(other.path().join("keygate.yaml"), yaml).expect("it can be written");
    let exit = Keygate::run_in(&other, &["serve", "--bind", "127.0.0.1:0"], SIMULATED_KEYS).await;
    assert_eq!(exit.status.code(), Some(74), "{}", exit.stderr);
    assert!(exit.stderr.contains("in use by another gateway (process "), "{}", exit.stderr);
    house.generate(FLASH, "hello").await.is_providers("google", 200, 1);
    house.close().await;
}

#[tokio::test]
async fn a_database_that_cannot_be_written_delays_nobody_and_is_made_up_for() {
    let house = House::open(json!({})).await;
    let mut other = shell(house.gateway.home()).await;
    let held = other.begin_with("BEGIN IMMEDIATE").await.expect("nobody writes");
    let invalid = KeyState::Google(GoogleRow::KeyInvalid);
    house.sim.declare(states(&[("sim-google-alpha-1", invalid)])).expect("a known key");
    for _ in 0..6 {
        assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    }
    eventually("the trouble is told", async || {
        let ready = Answer::to(house.get("/readyz")).await;
        assert_eq!((ready.status, &ready.json()["status"]), (200, &json!("ready")), "it serves: {ready:?}");
        (ready.json()["storage"] == "degraded").then_some(())
    })
    .await;
    assert_eq!(house.gateway.get_json("/api/keys/status").await["status"], "degraded");
    assert_eq!(house.generate(FLASH, "hello").await.status, 200);

    held.rollback().await.expect("it lets go");
    other.close().await.expect("it can be closed");
    eventually("all is well again", async || {
        (house.gateway.get_json("/readyz").await["storage"] == "ready").then_some(())
    })
    .await;
    assert_eq!(house.gateway.get_json("/api/keys/status").await["status"], "ok");
    let told = house.gateway.stderr().matches("event=\"storage.failed\"").count();
    assert_eq!(told, 1, "a trouble is logged once: {}", house.gateway.stderr());
    let house = house.killed().await;
    assert_eq!(house.google().await.state("alpha_1"), "disabled");
    house.close().await;
}
