//! The audit trail: added to by several, and held against whoever changes it.

use keygate_domain::{AuditAction, AuditBreak, AuditEntry, AuditHead, AuditPage};
use keygate_storage::Storage;
use rstest::rstest;
use tokio::task::JoinSet;

use crate::house::{House, Kind};

fn entry(id: &str) -> AuditEntry {
    AuditEntry::new(id, 1_000, "cli:root", AuditAction::KeysReset, "google").by_request("192.0.2.1", "r-1")
}

async fn with_rows(kind: Kind, rows: usize) -> (House, Storage) {
    let house = House::of(kind);
    let storage = house.open().await;
    let entries: Vec<_> = (1..=rows).map(|number| entry(&format!("e{number}"))).collect();
    storage.append_audit(&entries).await.unwrap();
    (house, storage)
}

const ALL: AuditPage = AuditPage { before: i64::MAX, since_ms: 0, most: 10_000 };

#[rstest]
#[tokio::test]
async fn a_trail_is_read_as_it_was_written_newest_first(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let (_house, storage) = with_rows(kind, 3).await;
    let later = AuditEntry { at_ms: 2_000, peer: None, request_id: None, ..entry("e4") };
    storage.append_audit(std::slice::from_ref(&later)).await.unwrap();
    let read = async |page: AuditPage| {
        let rows = storage.audit_page(&page).await.unwrap();
        rows.into_iter().map(|row| (row.number, row.entry.id)).collect::<Vec<_>>()
    };
    let named = |numbers: &[i64]| numbers.iter().map(|n| (*n, format!("e{n}"))).collect::<Vec<_>>();
    assert_eq!(read(ALL).await, named(&[4, 3, 2, 1]));
    assert_eq!(read(AuditPage { before: 4, most: 2, ..ALL }).await, named(&[3, 2]));
    assert_eq!(read(AuditPage { since_ms: 1_500, ..ALL }).await, named(&[4]));
    assert_eq!(storage.audit_page(&ALL).await.unwrap()[0].entry, later);
}

#[rstest]
#[tokio::test]
async fn what_is_written_twice_is_there_once(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let (_house, storage) = with_rows(kind, 3).await;
    storage.append_audit(&[entry("e2"), entry("e4")]).await.unwrap();
    assert_eq!(storage.audit_page(&ALL).await.unwrap().len(), 4);
    assert_eq!(storage.verify_audit().await.unwrap().unwrap().number, 4);
}

#[rstest]
#[tokio::test]
async fn a_whole_trail_holds_also_over_thousands_of_rows(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let house = House::of(kind);
    let storage = house.open().await;
    assert_eq!(storage.verify_audit().await.unwrap(), Ok(AuditHead::NONE));
    let (_house, storage) = with_rows(kind, 2_500).await;
    assert_eq!(storage.verify_audit().await.unwrap().unwrap().number, 2_500);
}

#[rstest]
#[tokio::test]
async fn whoever_changes_it_is_found_out(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let cases = [
        ("UPDATE audit SET details = 'anam' WHERE number = 2", AuditBreak::Changed(2)),
        ("UPDATE audit SET peer = NULL WHERE number = 3", AuditBreak::Changed(3)),
        ("UPDATE audit SET hash = 'no sum' WHERE number = 3", AuditBreak::Changed(3)),
        ("DELETE FROM audit WHERE number = 2", AuditBreak::Missing(2)),
        ("DELETE FROM audit WHERE number > 3", AuditBreak::Missing(4)),
        ("DELETE FROM audit", AuditBreak::Missing(1)),
        (
            "DELETE FROM audit WHERE number = 2; UPDATE audit SET number = number - 1 WHERE number > 2",
            AuditBreak::Changed(2),
        ),
    ];
    for (sql, expected) in cases {
        let (house, storage) = with_rows(kind, 5).await;
        house.run(sql).await;
        assert_eq!(storage.verify_audit().await.unwrap(), Err(expected), "{sql}");
    }
}

#[rstest]
#[tokio::test]
async fn two_programs_add_to_one_trail(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let (house, gateway) = with_rows(kind, 0).await;
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let storage = house.join().await;
        writers.spawn(async move {
            for number in 0..20 {
                storage.append_audit(&[entry(&format!("{writer}-{number}"))]).await.unwrap();
            }
        });
    }
    while let Some(written) = writers.join_next().await {
        written.unwrap();
    }
    assert_eq!(gateway.verify_audit().await.unwrap().unwrap().number, 80);
}
