//! `keygate db`: backups of a running gateway, restored into either database.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use keygate_tests::sim::{GoogleRow, KeyState};
use keygate_tests::{Exit, Keygate, PostgresDatabase, SIMULATED_KEYS, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::stage::{FLASH, House, states};

/// Runs `keygate db` in this folder, on the database that this address names.
async fn db(home: &TempDir, url: &str, arguments: &[&str]) -> Exit {
    let arguments = [&["db"], arguments].concat();
    let exit = Keygate::run_in(home, &arguments, &[("KEYGATE__STORAGE__URL", url)]).await;
    assert!(!exit.stderr.contains("hunter2") && !exit.stdout.contains("hunter2"), "it tells the password");
    exit
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A running house that knows of a disabled key, and its database.
async fn experienced(url: &str) -> House {
    let house = House::open(json!({"storage": {"url": url}})).await;
    let invalid = KeyState::Google(GoogleRow::KeyInvalid);
    house.sim.declare(states(&[("sim-google-alpha-1", invalid)])).expect("a known key");
    for _ in 0..4 {
        assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    }
    house
}

#[tokio::test]
async fn a_running_gateways_memory_is_backed_up_and_moved_to_the_other_database() {
    let (files, database) = (folder(), PostgresDatabase::empty());
    let sqlite = format!("sqlite://{}", files.path().join("first.db").display());
    let house = experienced(&sqlite).await;
    let backup = files.path().join("backup.jsonl");
    let name = backup.to_str().expect("a path in UTF-8");
    eventually("what was learned is in the backup", async || {
        let exit = db(&files, &sqlite, &["backup", name]).await;
        assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
        assert!(exit.stdout.contains("is backed up to"), "{}", exit.stdout);
        fs::read_to_string(&backup).expect("it is there").contains("key_invalid").then_some(())
    })
    .await;
    let mode = fs::metadata(&backup).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it is for nobody but its owner");

    let exit = db(&files, &sqlite, &["restore", name]).await;
    assert_eq!(exit.status.code(), Some(74), "a gateway runs on it: {}", exit.stderr);
    assert!(exit.stderr.contains("in use by another gateway"), "{}", exit.stderr);

    let exit = db(&files, &database.url, &["restore", name, "--json"]).await;
    assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
    let told: Value = serde_json::from_str(&exit.stdout).expect("JSON");
    assert!(told["rows"]["pool_state"].as_u64().is_some_and(|rows| rows > 0), "{told}");
    let exit = db(&files, &database.url, &["restore", name]).await;
    assert_eq!(exit.status.code(), Some(74), "it is not empty any more: {}", exit.stderr);
    assert!(exit.stderr.contains("not empty"), "{}", exit.stderr);

    let (_, home) = house.gateway.leave().await;
    let env = [SIMULATED_KEYS, &[("KEYGATE__STORAGE__URL", database.url.as_str())]].concat();
    let gateway = Keygate::start_in(home, &env).await;
    let status = gateway.get_json("/api/google/status").await;
    assert_eq!(status["keys"][0]["state"], "disabled", "what was moved is known: {status}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_backup_that_cannot_be_made_leaves_an_earlier_one_as_it_was() {
    let files = folder();
    let earlier = files.path().join("backup.jsonl");
    fs::write(&earlier, "yesterday's").expect("it can be written");
    let nothing = format!("sqlite://{}", files.path().join("none.db").display());
    let exit = db(&files, &nothing, &["backup", "backup.jsonl"]).await;
    assert_eq!(exit.status.code(), Some(74), "{}", exit.stderr);
    assert!(exit.stderr.contains("there is no database"), "{}", exit.stderr);
    assert_eq!(fs::read_to_string(&earlier).expect("it is there"), "yesterday's");
    assert!(!files.path().join("none.db").exists(), "a look makes nothing");

    let exit = db(&files, &nothing, &["restore", "backup.jsonl"]).await;
    assert_eq!(exit.status.code(), Some(64), "{}", exit.stderr);
    assert!(exit.stderr.contains("line 1 is no line of a backup"), "{}", exit.stderr);
    let exit = db(&files, &nothing, &["restore", "nowhere.jsonl"]).await;
    assert_eq!(exit.status.code(), Some(74), "{}", exit.stderr);
    let exit = db(&files, "mysql://db/keygate", &["migrate"]).await;
    assert_eq!(exit.status.code(), Some(64), "{}", exit.stderr);
}

#[tokio::test]
async fn a_database_is_made_and_brought_up_to_date_without_a_gateway() {
    let (files, database) = (folder(), PostgresDatabase::empty());
    let sqlite = format!("sqlite://{}", files.path().join("keygate.db").display());
    for url in [sqlite.as_str(), &database.url] {
        let first = db(&files, url, &["migrate", "--json"]).await;
        assert_eq!(first.status.code(), Some(0), "{}", first.stderr);
        let told: Value = serde_json::from_str(&first.stdout).expect("JSON");
        assert_eq!(told["schema_before"], 0);
        let again = db(&files, url, &["migrate"]).await;
        assert!(
            again.stdout.contains(&format!("is up to date (schema {})", told["schema"])),
            "{}",
            again.stdout
        );
    }
}
