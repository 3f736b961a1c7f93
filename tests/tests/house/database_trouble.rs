//! A SQLite file that fails while the gateway runs: nobody waits for it, and nothing is missing afterwards.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use keygate_tests::eventually;
use serde_json::{Value, json};
use sqlx::Connection as _;
use tokio::process::Command;

use super::answer::Answer;
use super::database::{DATABASE, shell};
use super::ledger::holds;
use super::stage::{FLASH, House};

async fn status(house: &House) -> Value {
    house.gateway.get_json("/api/keys/status").await
}

/// Five requests that are answered as ever.
async fn five_more(house: &House) {
    for _ in 0..5 {
        let answer: Answer = house.generate(FLASH, "hello").await;
        answer.is_providers("google", 200, 1);
    }
}

async fn is_degraded(house: &House) {
    eventually("the trouble is told", async || {
        let status = status(house).await;
        (status["status"] == "degraded" && status["ledger"]["status"] == "degraded").then_some(())
    })
    .await;
    assert_eq!(house.gateway.get_json("/readyz").await["status"], "ready", "it serves");
}

/// All is well again, and every attempt is in the database.
async fn is_complete(house: &House, attempts: u64) {
    eventually("the ledger is complete", async || {
        let ledger = status(house).await["ledger"].clone();
        let is_complete = ledger["status"] == "ok" && ledger["entered"] == attempts;
        is_complete.then(|| assert_eq!((&ledger["dropped"], &ledger["spooled"]), (&json!(0), &json!(0))))
    })
    .await;
}

#[tokio::test]
async fn a_database_that_another_program_locks_again_and_again_is_made_up_for() {
    let house = House::open(json!({})).await;
    five_more(&house).await;
    holds(house.gateway.home(), 5).await;
    let mut other = shell(house.gateway.home()).await;
    for _ in 0..2 {
        sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.expect("the lock");
        five_more(&house).await;
        is_degraded(&house).await;
        sqlx::query("ROLLBACK").execute(&mut other).await.expect("the lock is given back");
        eventually("it is over", async || (status(&house).await["ledger"]["status"] == "ok").then_some(()))
            .await;
    }
    other.close().await.expect("it can be closed");
    is_complete(&house, 15).await;
    holds(house.gateway.home(), 15).await;
    house.close().await;
}

#[tokio::test]
async fn a_file_that_is_gone_for_a_while_is_made_up_for() {
    let house = House::open(json!({})).await;
    five_more(&house).await;
    holds(house.gateway.home(), 5).await;
    let (here, elsewhere) = (house.gateway.home().join(DATABASE), house.gateway.home().join("elsewhere.db"));
    fs::rename(&here, &elsewhere).expect("it can be moved");
    five_more(&house).await;
    is_degraded(&house).await;
    eventually("the spool has them", async || {
        let spool = fs::read_to_string(house.gateway.home().join("keygate.db.spool")).unwrap_or_default();
        (spool.lines().count() == 5).then_some(())
    })
    .await;
    fs::rename(&elsewhere, &here).expect("it can be put back");
    is_complete(&house, 10).await;
    holds(house.gateway.home(), 10).await;
    assert!(house.gateway.stderr().contains("nothing is missing"));
    house.close().await;
}

/// Gives the folder `data` a disk of its own, of so many bytes, that nobody else sees.
const SMALL_DISK: &[&str] = &[
    "/usr/bin/unshare",
    "--user",
    "--map-root-user",
    "--mount",
    "/bin/sh",
    "-c",
    "mkdir -p data && mount -t tmpfs -o size=4m none data && exec \"$0\" \"$@\"",
];

/// Whether this machine lets a process have a disk of its own.
async fn has_small_disks() -> bool {
    let home = tempfile::tempdir().expect("a folder");
    let Some((program, words)) = SMALL_DISK.split_first() else { return false };
    let mut command = Command::new(program);
    command.args(words).arg("/bin/true").current_dir(home.path()).stderr(Stdio::null());
    command.status().await.is_ok_and(|status| status.success())
}

/// Writes until nothing fits any more.
fn fill(path: &Path) {
    let mut size = 1 << 20;
    let mut file = fs::File::create(path).expect("a file");
    while size > 0 {
        let is_full = file.write_all(&vec![b'x'; size]).is_err();
        size = if is_full { size / 2 } else { size };
    }
}

#[tokio::test]
async fn a_disk_that_is_full_delays_nobody_and_is_made_up_for() {
    if !has_small_disks().await {
        let why =
            "skipped: no process may have a disk of its own here (unshare --user --mount is not allowed)";
        let _ = writeln!(std::io::stderr(), "{why}");
        return;
    }
    let house = House::under(SMALL_DISK, json!({"storage": {"url": "sqlite://data/keygate.db"}})).await;
    five_more(&house).await;
    is_complete(&house, 5).await;
    let data = house.gateway.seen_from_inside(&house.gateway.home().join("data"));
    fill(&data.join("filler"));
    five_more(&house).await;
    is_degraded(&house).await;
    five_more(&house).await;
    let told = house.gateway.stderr();
    assert!(told.contains("full") && told.contains("the ledger cannot be written"), "{told}");
    fs::remove_file(data.join("filler")).expect("room again");
    is_complete(&house, 15).await;
    house.close().await;
}
