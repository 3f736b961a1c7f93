//! The auditor with a disk that can be broken.
#![expect(clippy::disallowed_types, reason = "a disk that the test looks at while it is written")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use keygate_domain::{AuditAction, AuditEntry, AuditPage, AuditRow};
use tokio::task::LocalSet;

use super::book::AuditBook;
use super::gathering::StrangeLogin;
use super::handle::{Auditor, audit_entry, start_auditor};
use crate::{Home, ShelfTrouble};

/// What is on the disk, and whether it can be written.
#[derive(Default)]
struct Disk {
    entries: Mutex<Vec<AuditEntry>>,
    is_broken: Mutex<bool>,
}

impl Disk {
    fn breaks(&self, is_broken: bool) {
        *self.is_broken.lock().unwrap() = is_broken;
    }

    fn told(&self) -> Vec<(String, i64)> {
        self.entries.lock().unwrap().iter().map(|entry| (entry.action.clone(), entry.count)).collect()
    }
}

#[async_trait]
impl AuditBook for Disk {
    async fn append(&self, entries: &[AuditEntry]) -> Result<(), ShelfTrouble> {
        if *self.is_broken.lock().unwrap() {
            return Err(ShelfTrouble::new("failed", "the disk is broken"));
        }
        self.entries.lock().unwrap().extend_from_slice(entries);
        Ok(())
    }

    async fn page(&self, _: AuditPage) -> Result<Vec<AuditRow>, ShelfTrouble> {
        Err(ShelfTrouble::new("failed", "nobody reads here"))
    }
}

async fn with_disk<F: Future<Output = ()>>(story: impl FnOnce(Auditor, Arc<Disk>) -> F) {
    let disk = Arc::new(Disk::default());
    LocalSet::new()
        .run_until(async { story(start_auditor(disk.clone(), &Home::Here), disk.clone()).await })
        .await;
}

fn reset() -> AuditEntry {
    audit_entry("admin", AuditAction::KeysReset, "google")
}

fn login(peer: &str) -> StrangeLogin {
    StrangeLogin { peer: peer.parse().unwrap(), path: "/v1".to_owned(), request_id: "r".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn what_is_done_is_written_at_once_and_further_failed_logins_by_the_minute() {
    with_disk(async |auditor, disk| {
        auditor.note(reset());
        for _ in 0..3 {
            auditor.failed_login(login("192.0.2.1"));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(disk.told(), [("keys.reset".to_owned(), 1), ("login.failed".to_owned(), 1)]);
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(disk.told()[2..], [("login.failed".to_owned(), 2)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_disk_in_trouble_delays_nobody_and_is_written_later() {
    with_disk(async |auditor, disk| {
        disk.breaks(true);
        auditor.note(reset());
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!auditor.is_well());
        for _ in 0..3_000 {
            auditor.note(reset());
        }
        assert!(!auditor.finish(Duration::from_secs(1)).await);
        disk.breaks(false);
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(auditor.is_well());
        let told = disk.told();
        let written: i64 =
            told.iter().filter(|(action, _)| action == "keys.reset").map(|(_, count)| count).sum();
        let lost: i64 =
            told.iter().filter(|(action, _)| action == "audit.lost").map(|(_, count)| count).sum();
        assert_eq!(written + lost, 3_001, "what was dropped is counted exactly");
        assert!(written >= 1_024 && lost > 0, "{written} and {lost}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_leaves_has_everything_written() {
    with_disk(async |auditor, disk| {
        auditor.failed_login(login("192.0.2.1"));
        auditor.failed_login(login("192.0.2.1"));
        auditor.note(reset());
        assert!(auditor.finish(Duration::from_secs(1)).await);
        assert_eq!(disk.told().iter().map(|(_, count)| count).sum::<i64>(), 3, "{:?}", disk.told());
    })
    .await;
}
