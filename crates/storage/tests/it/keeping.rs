//! What is kept.

use std::os::unix::fs::PermissionsExt as _;

use keygate_pool::PoolState;
use keygate_storage::{Place, Storage};

use crate::folder::{Folder, row};

const DISABLED: &str =
    r#"{"disabled":{"fault":"key_invalid","reason":"no","since":"2026-07-01T00:00:00Z"},"rests":[]}"#;

#[tokio::test]
async fn rows_are_put_replaced_and_removed_each_provider_its_own() {
    let folder = Folder::new();
    let storage = folder.open().await.unwrap();
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
    let folder = Folder::with_database().await;
    let tables = ["pool_state", "answers", "answer_phrases", "answer_words"];
    folder.run(&tables.map(|table| format!("DROP TABLE {table};")).concat()).await;
    folder.run("PRAGMA user_version = 0").await;
    let storage = folder.open().await.unwrap();
    assert_eq!(storage.pool_state("google").await.unwrap(), PoolState::default());
}

#[tokio::test]
async fn a_thousand_rows_are_one_write() {
    let folder = Folder::new();
    let storage = folder.open().await.unwrap();
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
