//! What is kept.

use std::os::unix::fs::PermissionsExt as _;

use keygate_pool::PoolState;
use keygate_storage::{Place, Storage};
use rstest::rstest;

use crate::folder::{Folder, row};
use crate::house::{House, Kind};

const DISABLED: &str =
    r#"{"disabled":{"fault":"key_invalid","reason":"no","since":"2026-07-01T00:00:00Z"},"rests":[]}"#;

#[rstest]
#[tokio::test]
async fn rows_are_put_replaced_and_removed_each_provider_its_own(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let house = House::of(kind);
    let storage = house.open().await;
    let rows = [row("key", "a", Some(DISABLED)), row("model", "pro", Some("\"pro-3\""))];
    storage.save_pool_rows("google", &rows).await.unwrap();
    storage.save_pool_rows("anam", &rows[..1]).await.unwrap();
    let newer = [row("model", "pro", Some("\"pro-4\"")), row("key", "a", None), row("key", "b", None)];
    storage.save_pool_rows("google", &newer).await.unwrap();
    storage.save_pool_rows("google", &newer).await.unwrap();
    let expected = PoolState::from_rows([row("model", "pro", Some("\"pro-4\""))]).unwrap();
    assert_eq!(storage.pool_state("google").await.unwrap(), expected);
    assert_eq!(storage.pool_state("anam").await.unwrap(), PoolState::from_rows(rows[..1].to_vec()).unwrap());
    assert_eq!(storage.pool_state("acme").await.unwrap(), PoolState::default());
}

#[tokio::test]
async fn what_was_written_is_there_after_a_process_that_never_closed() {
    let folder = Folder::new();
    let storage = folder.open().await.unwrap();
    storage.save_pool_rows("google", &[row("key", "a", Some(DISABLED))]).await.unwrap();
    // As a killed process leaves it: the file and its log, nothing written back.
    let other = Folder::new();
    for name in ["keygate.db", "keygate.db-wal"] {
        std::fs::copy(folder.path(name), other.path(name)).unwrap();
    }
    let again = other.open().await.unwrap();
    let kept = again.pool_state("google").await.unwrap();
    assert_eq!(kept, PoolState::from_rows([row("key", "a", Some(DISABLED))]).unwrap());
}

#[tokio::test]
async fn it_is_for_nobody_but_its_owner() {
    let folder = Folder::new();
    let storage = folder.open().await.unwrap();
    storage.save_pool_rows("google", &[row("key", "a", Some(DISABLED))]).await.unwrap();
    for name in folder.names() {
        let mode = std::fs::metadata(folder.path(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    storage.close().await;
    assert_eq!(folder.names(), ["keygate.db", "keygate.db.lock"], "the log is written back");
}

#[tokio::test]
async fn an_empty_file_becomes_a_database() {
    let folder = Folder::new();
    std::fs::write(folder.path("keygate.db"), "").unwrap();
    folder.open().await.unwrap();
}

#[tokio::test]
async fn a_start_that_was_cut_off_before_the_first_table_is_taken_up() {
    let folder = Folder::new();
    // `KGAT`, as a start marks a file before anything else.
    folder.run("PRAGMA application_id = 1262960980").await;
    let storage = folder.open().await.unwrap();
    assert_eq!(storage.pool_state("google").await.unwrap(), PoolState::default());
}

#[rstest]
#[tokio::test]
async fn what_was_written_is_there_for_the_next_process(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let house = House::of(kind);
    let storage = house.open().await;
    assert_eq!(storage.schema().0, 0, "there was nothing");
    storage.save_pool_rows("google", &[row("key", "a", Some(DISABLED))]).await.unwrap();
    storage.close().await;
    drop(storage);
    let again = house.open().await;
    assert_eq!(again.schema().0, again.schema().1, "it is up to date");
    let kept = again.pool_state("google").await.unwrap();
    assert_eq!(kept, PoolState::from_rows([row("key", "a", Some(DISABLED))]).unwrap());
}

#[rstest]
#[tokio::test]
async fn of_a_row_that_changes_twice_in_a_write_the_last_counts(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let house = House::of(kind);
    let storage = house.open().await;
    let (first, last) = (row("model", "pro", Some("\"pro-3\"")), row("model", "pro", Some("\"pro-4\"")));
    storage.save_pool_rows("google", &[first.clone(), last.clone()]).await.unwrap();
    assert_eq!(storage.pool_state("google").await.unwrap(), PoolState::from_rows([last.clone()]).unwrap());
    storage.save_pool_rows("google", &[last, row("model", "pro", None)]).await.unwrap();
    assert_eq!(storage.pool_state("google").await.unwrap(), PoolState::default());
}

#[rstest]
#[tokio::test]
async fn a_command_works_beside_a_gateway_and_makes_what_no_gateway_made(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let house = House::of(kind);
    let command = Storage::join(&house.place()).await.unwrap();
    let gateway = house.open().await;
    gateway.save_pool_rows("google", &[row("key", "a", Some(DISABLED))]).await.unwrap();
    assert_ne!(command.pool_state("google").await.unwrap(), PoolState::default());
    command.save_pool_rows("google", &[row("key", "a", None)]).await.unwrap();
    assert_eq!(gateway.pool_state("google").await.unwrap(), PoolState::default());
}

#[rstest]
#[tokio::test]
async fn a_thousand_rows_are_one_write(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let house = House::of(kind);
    let storage = house.open().await;
    let rows: Vec<_> = (0..1000).map(|number| row("key", &number.to_string(), Some(DISABLED))).collect();
    storage.save_pool_rows("google", &rows).await.unwrap();
    let kept = storage.pool_state("google").await.unwrap();
    assert_eq!(kept, PoolState::from_rows(rows).unwrap());
}

#[tokio::test]
async fn in_memory_nothing_is_left_behind() {
    let storage = Storage::open(&Place::Memory).await.unwrap();
    storage.save_pool_rows("google", &[row("key", "a", Some(DISABLED))]).await.unwrap();
    assert_ne!(storage.pool_state("google").await.unwrap(), PoolState::default());
    storage.close().await;
    let storage = Storage::open(&Place::Memory).await.unwrap();
    assert_eq!(storage.pool_state("google").await.unwrap(), PoolState::default());
}

#[tokio::test]
async fn a_path_is_taken_as_it_is_written() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("a b")).unwrap();
    let path = folder.path("a b/../a b/50%?#ü.db");
    Storage::open(&Place::File(path.clone())).await.unwrap().close().await;
    assert!(path.is_file());
}
