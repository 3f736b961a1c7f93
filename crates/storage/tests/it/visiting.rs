//! Commands that open the database, while a gateway runs on it and while none does.

use keygate_storage::{Place, Storage, StorageError};
use sqlx::Connection as _;

use crate::folder::{Folder, row};

#[tokio::test]
async fn a_command_works_beside_a_gateway_and_leaves_it_alone() {
    let folder = Folder::new();
    let gateway = folder.open().await.unwrap();
    let command = folder.visit().await.unwrap();
    gateway.save_pool_rows("google", &[row("model", "pro", Some("\"m\""))]).await.unwrap();
    assert_ne!(command.pool_state("google").await.unwrap(), keygate_pool::PoolState::default());
    command.close().await;
    gateway.save_pool_rows("google", &[row("model", "pro", None)]).await.unwrap();
    assert!(matches!(folder.open().await, Err(StorageError::InUse { .. })), "the lock is the gateway's");
}

#[tokio::test]
async fn a_gateway_starts_beside_a_command() {
    let folder = Folder::new();
    let command = folder.visit().await.unwrap();
    let gateway = folder.open().await.unwrap();
    assert_eq!(command.tokens().await.unwrap(), gateway.tokens().await.unwrap());
}

#[tokio::test]
async fn one_that_only_reads_makes_no_database() {
    let folder = Folder::new();
    let place = Place::File(folder.path("keygate.db"));
    let error = Storage::visit(&place, false).await.unwrap_err();
    assert!(matches!(error, StorageError::Missing { .. }), "{error:?}");
    assert!(folder.names().is_empty(), "nothing is made");
    folder.visit().await.unwrap().close().await;
    Storage::visit(&place, false).await.unwrap();
}

#[tokio::test]
async fn what_is_not_ours_is_not_touched() {
    let folder = Folder::new();
    folder.run("CREATE TABLE tokens (x)").await;
    let before = folder.bytes();
    assert!(matches!(folder.visit().await, Err(StorageError::Foreign { .. })));
    assert!(folder.bytes() == before && folder.names() == ["keygate.db"]);
}

#[tokio::test]
async fn an_earlier_gateway_keeps_its_tables() {
    let folder = Folder::new();
    let _gateway = folder.open().await.unwrap();
    let mut shell = folder.shell().await;
    sqlx::raw_sql("PRAGMA user_version = 1").execute(&mut shell).await.unwrap();
    shell.close().await.unwrap();
    let error = folder.visit().await.unwrap_err();
    assert!(matches!(error, StorageError::RunsOlder { .. }), "{error:?}");
    assert!(error.to_string().contains("earlier version"), "{error}");
}
