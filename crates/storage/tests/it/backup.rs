//! Backups: whole, from either database to either, or not at all.

use std::io::BufReader;

use keygate_domain::{LedgerRow, UsageGroup, UsageQuery};
use keygate_storage::{BackupError, Place, Storage, StorageError};
use rstest::rstest;

use crate::folder::row;
use crate::house::{House, Kind};

async fn filled(kind: Kind) -> (House, Storage) {
    let house = House::of(kind);
    let storage = house.open().await;
    let value = r#""ümlaut 🦀 \" \\ ' line\nbreak""#;
    let rows: Vec<_> = (0..250).map(|number| row("model", &format!("m{number}"), Some(value))).collect();
    storage.save_pool_rows("google", &rows).await.unwrap();
    let attempts = (0_u32..333).map(|number| LedgerRow {
        id: number.to_string(),
        time_ms: i64::from(number),
        user: format!("user {}", number % 7),
        total_tokens: u64::from(number),
        first_byte_ms: (number % 2 == 0).then_some(0),
        ..LedgerRow::default()
    });
    storage.write_ledger(&attempts.collect::<Vec<_>>()).await.unwrap();
    (house, storage)
}

async fn backup_of(storage: &Storage) -> Vec<u8> {
    let mut backup = Vec::new();
    let counted = storage.back_up(&mut backup, |_| {}).await.unwrap();
    let filled: Vec<_> =
        counted.iter().filter(|(_, rows)| *rows > 0).map(|(name, rows)| (&**name, *rows)).collect();
    let begun = [("tokens_changed", 1), ("audit_head", 1)];
    let (kept, summed) =
        ([("pool_state", 250), ("ledger", 333)], [("usage_days", 1), ("usage_user_days", 7)]);
    let expected = [kept[0], kept[1], summed[0], begun[0], begun[1], summed[1]];
    assert_eq!(filled, expected);
    backup
}

async fn restore(place: &Place, backup: &[u8]) -> Result<u64, BackupError> {
    let mut seen = 0;
    let counted = Storage::restore(place, BufReader::new(backup), |rows| seen = rows).await?;
    assert_eq!(counted.iter().map(|(_, rows)| rows).sum::<u64>(), seen);
    Ok(seen)
}

fn ever() -> UsageQuery {
    UsageQuery { from_ms: 0, to_ms: i64::MAX, group_by: UsageGroup::User, only_client: None }
}

#[rstest]
#[tokio::test]
async fn what_is_restored_is_what_was_backed_up(
    #[values(Kind::Sqlite, Kind::Postgres)] from: Kind,
    #[values(Kind::Sqlite, Kind::Postgres)] to: Kind,
) {
    let (_source, storage) = filled(from).await;
    let backup = backup_of(&storage).await;
    let target = House::of(to);
    assert_eq!(restore(&target.place(), &backup).await.unwrap(), 593);
    let restored = target.open().await;
    assert_eq!(restored.pool_state("google").await.unwrap(), storage.pool_state("google").await.unwrap());
    assert_eq!(restored.usage(&ever()).await.unwrap(), storage.usage(&ever()).await.unwrap());
    assert_eq!(target.number("SELECT COUNT(*) FROM ledger WHERE first_byte_ms IS NULL").await, 166);
    let again = String::from_utf8(backup_of(&restored).await).unwrap();
    let lines = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(&again), lines(std::str::from_utf8(&backup).unwrap()));
}

#[rstest]
#[tokio::test]
async fn a_database_that_something_is_in_or_somebody_uses_is_left_alone(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let (house, storage) = filled(kind).await;
    let backup = backup_of(&storage).await;
    let error = restore(&house.place(), &backup).await.unwrap_err();
    assert!(matches!(error, BackupError::Storage(StorageError::InUse { .. })), "{error:?}");
    storage.close().await;
    drop(storage);
    let error = restore(&house.place(), &backup).await.unwrap_err();
    assert!(matches!(error, BackupError::Storage(StorageError::NotEmpty { .. })), "{error:?}");
    assert_eq!(house.open().await.balance().await.unwrap().attempts, 333);
}

#[rstest]
#[tokio::test]
async fn a_backup_that_is_not_whole_restores_nothing(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let (_source, storage) = filled(Kind::Sqlite).await;
    let whole = String::from_utf8(backup_of(&storage).await).unwrap();
    let lines: Vec<_> = whole.lines().collect();
    let without =
        |range: std::ops::Range<usize>| [&lines[..range.start], &lines[range.end..]].concat().join("\n");
    let broken = [
        String::new(),
        "my notes".to_owned(),
        lines[..400].join("\n"),
        whole[..whole.len() / 2].to_owned(),
        without(300..301),
        without(lines.len() - 1..lines.len()),
        format!("{whole}[\"one more\"]\n"),
        whole.replace("\"table\":\"ledger\"", "\"table\":\"pg_authid\""),
        whole.replace("\"user_name\"", "\"user_name) VALUES ('x'); DROP TABLE ledger; --\""),
        format!("{{\"keygate_backup\":1,\"schema\":999}}\n{}", lines[1..].join("\n")),
        whole.replacen("[\"google\",", "[\"google\",7,", 1),
        whole.replacen("model\",\"m1\"", "model\",\"m0\"", 1),
    ];
    let target = House::of(kind);
    for broken in &broken {
        let error = restore(&target.place(), broken.as_bytes()).await.unwrap_err();
        if !broken.is_empty() && !broken.contains("\"schema\":999") {
            assert_eq!(target.open().await.balance().await.unwrap().attempts, 0, "{error}");
        }
    }
    assert_eq!(restore(&target.place(), whole.as_bytes()).await.unwrap(), 593, "it is still empty");
}

#[rstest]
#[tokio::test]
async fn a_backup_of_an_earlier_version_is_brought_up_to_date(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let backup = "{\"keygate_backup\":1,\"schema\":1}\n\
                  {\"table\":\"pool_state\",\"columns\":[\"provider\",\"part\",\"name\",\"value\"]}\n\
                  [\"google\",\"model\",\"pro\",\"\\\"pro-3\\\"\"]\n{\"rows\":[[\"pool_state\",1]]}\n";
    let house = House::of(kind);
    assert_eq!(restore(&house.place(), backup.as_bytes()).await.unwrap(), 1);
    let storage = Storage::visit(&house.place()).await.unwrap();
    assert_eq!(storage.balance().await.unwrap().attempts, 0);
}

#[tokio::test]
async fn a_backup_holds_every_column_of_every_table() {
    let (house, storage) = filled(Kind::Sqlite).await;
    let backup = String::from_utf8(backup_of(&storage).await).unwrap();
    let mut shell = house.shell().await;
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT m.name, group_concat(c.name) FROM sqlite_schema m, pragma_table_info(m.name) c \
         WHERE m.type = 'table' GROUP BY m.name",
    )
    .fetch_all(&mut shell)
    .await
    .unwrap();
    assert!(columns.len() >= 2, "{columns:?}");
    for (table, columns) in columns {
        let columns = columns.replace(',', "\",\"");
        let head = format!("{{\"table\":\"{table}\",\"columns\":[\"{columns}\"]}}");
        assert!(backup.contains(&head), "the backup lacks {head}: see tables.rs");
    }
}
