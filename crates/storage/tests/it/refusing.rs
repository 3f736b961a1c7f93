//! What is refused, and that it is left as it was.

use std::fs;

use keygate_storage::{Place, Storage, StorageError};
use rstest::rstest;
use sqlx::Connection as _;

use crate::folder::{Folder, row};

/// Opens what must be refused, and checks that not a byte of it changed.
async fn refused(folder: &Folder) -> StorageError {
    let before = folder.bytes();
    let error = match folder.open().await {
        Ok(storage) => panic!("opened {storage:?}"),
        Err(error) => error,
    };
    assert!(folder.bytes() == before, "the file was changed");
    let told = error.to_string();
    assert!(told.contains("keygate.db"), "it names the file: {told}");
    error
}

#[rstest]
#[case::text(b"providers:\n  google: {}\n")]
#[case::short(b"S")]
#[case::nearly(b"SQLite format 2\0 and so on")]
#[case::half_a_header(b"SQLite format 3\0")]
#[tokio::test]
async fn a_file_that_is_no_database(#[case] bytes: &[u8]) {
    let folder = Folder::new();
    fs::write(folder.path("keygate.db"), bytes).unwrap();
    assert!(matches!(refused(&folder).await, StorageError::Foreign { .. }));
    assert_eq!(folder.names(), ["keygate.db"], "nothing is put beside it");
}

#[rstest]
#[case::plain("")]
#[case::with_a_log("PRAGMA journal_mode = WAL;")]
#[case::of_another_application("PRAGMA application_id = 7;")]
#[tokio::test]
async fn a_database_of_another_program(#[case] first: &str) {
    let folder = Folder::new();
    folder.run(&format!("{first} CREATE TABLE pool_state (x); INSERT INTO pool_state VALUES (1)")).await;
    assert!(matches!(refused(&folder).await, StorageError::Foreign { .. }));
    assert_eq!(folder.names(), ["keygate.db"], "nothing is put beside it");
}

#[tokio::test]
async fn a_database_of_a_later_version() {
    let folder = Folder::with_database().await;
    folder.run("PRAGMA user_version = 999").await;
    let error = refused(&folder).await;
    assert!(matches!(error, StorageError::Newer { found: 999, .. }), "{error}");
    assert!(error.to_string().contains("later version"), "{error}");
}

#[tokio::test]
async fn a_database_whose_log_is_of_a_later_version() {
    let folder = Folder::with_database().await;
    let mut shell = folder.shell().await;
    sqlx::raw_sql("PRAGMA user_version = 999").execute(&mut shell).await.unwrap();
    let error = refused(&folder).await;
    assert!(matches!(error, StorageError::Newer { found: 999, .. }), "{error}");
    shell.close().await.unwrap();
}

#[tokio::test]
async fn a_damaged_database() {
    let folder = Folder::new();
    let storage = folder.open().await.unwrap();
    let rows: Vec<_> = (0..300).map(|number| row("model", &number.to_string(), Some("\"m\""))).collect();
    storage.save_pool_rows("google", &rows).await.unwrap();
    storage.close().await;
    drop(storage);
    let whole = folder.bytes();
    let mut torn = whole.clone();
    torn[4096..].fill(0x5a);
    let cut = whole[..whole.len() / 2].to_vec();
    for damaged in [torn, cut] {
        fs::write(folder.path("keygate.db"), &damaged).unwrap();
        let error = refused(&folder).await;
        assert!(matches!(error, StorageError::Damaged { .. }), "{error:?}");
    }
    fs::write(folder.path("keygate.db"), whole).unwrap();
    folder.open().await.unwrap();
}

#[tokio::test]
async fn a_row_that_no_version_wrote() {
    let folder = Folder::with_database().await;
    folder.run("INSERT INTO pool_state VALUES ('google', 'key', '4e1f', 'no JSON')").await;
    let storage = folder.open().await.unwrap();
    let error = storage.pool_state("google").await.unwrap_err();
    assert!(matches!(error, StorageError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("4e1f"), "{error}");
}

#[tokio::test]
async fn a_second_gateway() {
    let folder = Folder::new();
    let first = folder.open().await.unwrap();
    let second = folder.open().await.unwrap_err();
    let StorageError::InUse { holder, .. } = &second else { panic!("{second:?}") };
    assert_eq!(*holder, Some(format!("process {}", std::process::id())));
    assert!(second.to_string().contains("storage.url"), "{second}");
    first.close().await;
    drop(first);
    folder.open().await.unwrap();
}

#[tokio::test]
async fn a_folder_that_is_not_there() {
    let folder = Folder::new();
    let place = Place::File(folder.path("no/such/keygate.db"));
    let error = Storage::open(&place).await.unwrap_err();
    assert!(matches!(error, StorageError::NoFolder { .. }), "{error:?}");
    assert!(folder.names().is_empty(), "no folder is made");
}

#[tokio::test]
async fn a_folder_in_the_place_of_the_file() {
    let folder = Folder::new();
    fs::create_dir(folder.path("keygate.db")).unwrap();
    let error = folder.open().await.unwrap_err();
    assert!(matches!(error, StorageError::Foreign { .. }), "{error:?}");
}

#[tokio::test]
async fn a_place_that_cannot_be_written() {
    // Nobody, not even root, makes files there.
    let error = Storage::open(&Place::File("/proc/keygate.db".into())).await.unwrap_err();
    assert!(matches!(error, StorageError::NotWritable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_write_while_another_program_writes_fails_and_harms_nothing() {
    let folder = Folder::new();
    let storage = folder.open().await.unwrap();
    let mut shell = folder.shell().await;
    let held = shell.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let rows = [row("model", "pro", Some("\"m\""))];
    let error = storage.save_pool_rows("google", &rows).await.unwrap_err();
    assert!(matches!(error, StorageError::Locked { .. }), "{error:?}");
    held.rollback().await.unwrap();
    storage.save_pool_rows("google", &rows).await.unwrap();
}

#[tokio::test]
async fn a_command_makes_no_database_that_it_only_looks_at() {
    let folder = Folder::new();
    let place = Place::File(folder.path("keygate.db"));
    let error = Storage::visit(&place).await.unwrap_err();
    assert!(matches!(error, StorageError::Missing { .. }), "{error:?}");
    assert!(folder.names().is_empty());
    folder.open().await.unwrap().close().await;
    folder.run("PRAGMA user_version = 1").await;
    let error = Storage::visit(&place).await.unwrap_err();
    assert!(matches!(error, StorageError::Older { found: 1, .. }), "{error:?}");
}

#[tokio::test]
async fn a_file_that_is_moved_away_under_a_gateway_is_not_written() {
    let folder = Folder::new();
    let storage = folder.open().await.unwrap();
    let rows = [row("model", "pro", Some("\"m\""))];
    storage.save_pool_rows("google", &rows).await.unwrap();
    fs::rename(folder.path("keygate.db"), folder.path("elsewhere.db")).unwrap();
    let error = storage.save_pool_rows("google", &rows).await.unwrap_err();
    assert!(matches!(error, StorageError::Moved { .. }), "{error:?}");
    fs::rename(folder.path("elsewhere.db"), folder.path("keygate.db")).unwrap();
    storage.save_pool_rows("google", &rows).await.unwrap();
}
