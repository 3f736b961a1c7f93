//! A gateway whose memory is on a PostgreSQL server, and a server that does not play along.

use std::fs;

use keygate_tests::sim::{GoogleRow, KeyState};
use keygate_tests::{Keygate, PostgresDatabase, SIMULATED_KEYS, configuration, eventually, simulator};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::answer::Answer;
use super::stage::{FLASH, House, states};

fn on(database: &PostgresDatabase) -> Value {
    json!({"storage": {"url": database.url}})
}

/// Finds out that a key is invalid: something that must be written at once.
async fn learns(house: &House) {
    let invalid = KeyState::Google(GoogleRow::KeyInvalid);
    house.sim.declare(states(&[("sim-google-alpha-1", invalid)])).expect("a known key");
    for _ in 0..6 {
        assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    }
}

async fn is_degraded(house: &House, why: &[&str]) {
    eventually("the trouble is told", async || {
        let ready = Answer::to(house.get("/readyz")).await;
        assert_eq!((ready.status, &ready.json()["status"]), (200, &json!("ready")), "it serves: {ready:?}");
        let told = ready.json();
        let reason = told["storage_reason"].as_str().unwrap_or_default();
        (told["storage"] == "degraded" && why.contains(&reason)).then_some(())
    })
    .await;
    let status = house.gateway.get_json("/api/keys/status").await;
    assert_eq!((&status["status"], &status["storage"]["status"]), (&json!("degraded"), &json!("degraded")));
    assert!(status["storage"]["reason"].as_str().is_some_and(|reason| why.contains(&reason)), "{status}");
}

async fn recovers(house: &House) {
    eventually("all is well again", async || {
        (house.gateway.get_json("/readyz").await["storage"] == "ready").then_some(())
    })
    .await;
    let status = house.gateway.get_json("/api/keys/status").await;
    assert_eq!(status["storage"], json!({"status": "ok", "reason": null}));
    let told = house.gateway.stderr();
    assert!(told.contains("nothing is missing"), "{told}");
    assert!(!told.contains("hunter2"), "the log tells the password: {told}");
}

#[tokio::test]
async fn a_gateway_that_is_killed_finds_on_the_server_which_keys_are_out() {
    let database = PostgresDatabase::empty();
    let house = House::open(on(&database)).await;
    learns(&house).await;
    eventually("it is on the server", async || {
        (database.run("SELECT count(*) FROM pool_state WHERE part = 'key'").trim() == "1").then_some(())
    })
    .await;
    let house = house.killed().await;
    assert_eq!(house.google().await.state("alpha_1"), "disabled");
    let house = house.restarted().await;
    assert_eq!(house.google().await.state("alpha_1"), "disabled");
    assert!(!house.gateway.home().join("keygate.db").exists(), "no file is made");
    let written = database.run("SELECT string_agg(value, ' ') FROM pool_state");
    for (_, secret) in SIMULATED_KEYS {
        assert!(!written.contains(secret), "the database holds {secret}");
    }
    house.close().await;
}

#[tokio::test]
async fn a_server_that_crashes_in_the_middle_delays_nobody_and_is_made_up_for() {
    let database = PostgresDatabase::on_its_own_server();
    let server = database.server.as_ref().expect("it is its own");
    let house = House::open(on(&database)).await;
    assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    server.stop();
    learns(&house).await;
    is_degraded(&house, &["unreachable"]).await;
    let begun = tokio::time::Instant::now();
    for _ in 0..8 {
        assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "requests wait for the database");
    server.start_again();
    recovers(&house).await;
    let house = house.killed().await;
    assert_eq!(house.google().await.state("alpha_1"), "disabled");
    house.close().await;
}

#[tokio::test]
async fn a_server_that_is_slow_delays_nobody_and_is_written_to_once() {
    let database = PostgresDatabase::empty();
    let house = House::open(on(&database)).await;
    let mut other = PgConnection::connect(&database.url).await.expect("another program gets in");
    let mut held = other.begin().await.expect("it is let");
    let lock = sqlx::raw_sql("LOCK TABLE pool_state IN ACCESS EXCLUSIVE MODE");
    lock.execute(&mut *held).await.expect("nobody holds it");
    learns(&house).await;
    is_degraded(&house, &["slow"]).await;
    assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    held.rollback().await.expect("it lets go");
    recovers(&house).await;
    let house = house.restarted().await;
    assert_eq!(house.google().await.state("alpha_1"), "disabled");
    house.close().await;
}

#[tokio::test]
async fn a_server_that_turns_read_only_delays_nobody_and_is_made_up_for() {
    let database = PostgresDatabase::empty();
    let house = House::open(on(&database)).await;
    let name = database.run("SELECT current_database()").trim().to_owned();
    database.run(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    // As after a fail-over to a standby: the old session is gone, the new one may not write.
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'keygate/%' \
               AND datname = current_database()";
    database.run(cut);
    learns(&house).await;
    is_degraded(&house, &["read-only"]).await;
    let reset = format!("ALTER DATABASE {name} RESET default_transaction_read_only");
    database.run(&format!("BEGIN READ WRITE; {reset}; COMMIT"));
    database.run(cut);
    recovers(&house).await;
    house.close().await;
}

#[tokio::test]
async fn two_gateways_do_not_share_a_schema() {
    let database = PostgresDatabase::empty();
    let house = House::open(on(&database)).await;
    let yaml = configuration(house.sim.endpoints(), &on(&database));
    let exit = Keygate::run(&["serve", "--bind", "127.0.0.1:0"], &yaml, SIMULATED_KEYS).await;
    assert_eq!(exit.status.code(), Some(74), "{}", exit.stderr);
    assert!(exit.stderr.contains("in use by another gateway (process "), "{}", exit.stderr);
    house.generate(FLASH, "hello").await.is_providers("google", 200, 1);
    house.close().await;
}

#[tokio::test]
async fn a_server_that_cannot_be_used_ends_the_start_with_a_word_on_what_to_do() {
    let database = PostgresDatabase::empty();
    let sim = simulator();
    let cases = [
        (database.url.replace("hunter2", "hunter3"), "look at the user and the password"),
        ("postgres://keygate:hunter2@127.0.0.1:1/keygate".to_owned(), "cannot be reached"),
        (format!("{}_not", database.url), "createdb"),
    ];
    for (url, expected) in cases {
        let yaml = configuration(sim.endpoints(), &json!({"storage": {"url": url}}));
        for arguments in [&["serve", "--bind", "127.0.0.1:0"][..], &["db", "migrate"]] {
            let exit = Keygate::run(arguments, &yaml, SIMULATED_KEYS).await;
            assert_eq!(exit.status.code(), Some(74), "{}", exit.stderr);
            assert!(exit.stderr.contains(expected), "{expected} in {}", exit.stderr);
            for secret in ["hunter2", "hunter3", "p%40ss", "p@ss"] {
                assert!(!exit.stderr.contains(secret), "it tells the password: {}", exit.stderr);
            }
        }
        let exit = Keygate::run(&["check"], &yaml, SIMULATED_KEYS).await;
        assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
        assert!(exit.stdout.contains(":***@127.0.0.1") && !exit.stdout.contains("hunter"), "{}", exit.stdout);
    }
}

#[tokio::test]
async fn a_file_that_is_moved_away_delays_nobody_and_is_made_up_for() {
    let house = House::open(json!({})).await;
    let (here, there) = (house.gateway.home().join("keygate.db"), house.gateway.home().join("moved.db"));
    fs::rename(&here, &there).expect("it is there");
    learns(&house).await;
    is_degraded(&house, &["missing"]).await;
    fs::rename(&there, &here).expect("it is there");
    recovers(&house).await;
    let house = house.killed().await;
    assert_eq!(house.google().await.state("alpha_1"), "disabled");
    house.close().await;
}
