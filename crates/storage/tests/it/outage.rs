//! A server that goes and comes back.

use std::time::Duration;

use keygate_domain::LedgerRow;
use keygate_storage::{Storage, StorageError};
use sqlx::Connection as _;
use tokio::time::Instant;

use crate::folder::row;
use crate::house::{House, Kind, server};
use crate::postgres::PostgresDatabase;

fn attempt(number: u32) -> LedgerRow {
    LedgerRow { id: number.to_string(), ..LedgerRow::default() }
}

#[tokio::test]
async fn a_server_that_comes_back_is_written_to_again_and_by_the_same_gateway() {
    let database = PostgresDatabase::on_its_own_server();
    let own = database.server.as_ref().unwrap();
    let storage = Storage::open(&server(&database.url)).await.unwrap();
    storage.write_ledger(&[attempt(1)]).await.unwrap();
    own.stop();
    for _ in 0..2 {
        let begun = Instant::now();
        let error = storage.write_ledger(&[attempt(2)]).await.unwrap_err();
        assert_eq!(error.reason(), "unreachable", "{error:?}");
        assert!(begun.elapsed() < Duration::from_secs(4), "it is known at once");
        storage.balance().await.unwrap_err();
    }
    own.start_again();
    storage.write_ledger(&[attempt(1), attempt(2)]).await.unwrap();
    assert_eq!(storage.balance().await.unwrap().attempts, 2);
    let second = Storage::open(&server(&database.url)).await.unwrap_err();
    assert!(matches!(second, StorageError::InUse { .. }), "the lock was taken again: {second:?}");
}

#[tokio::test]
async fn a_gateway_that_lost_its_lock_to_another_does_not_write() {
    let database = PostgresDatabase::on_its_own_server();
    let own = database.server.as_ref().unwrap();
    let first = Storage::open(&server(&database.url)).await.unwrap();
    own.stop();
    own.start_again();
    let second = Storage::open(&server(&database.url)).await.unwrap();
    let error = first.write_ledger(&[attempt(1)]).await.unwrap_err();
    assert_eq!(error.reason(), "in use by another gateway", "{error:?}");
    first.balance().await.unwrap();
    second.close().await;
    first.write_ledger(&[attempt(1)]).await.unwrap();
}

#[tokio::test]
async fn a_session_that_broke_unnoticed_is_ended_before_anything_else_is_written() {
    let house = House::of(Kind::Postgres);
    let storage = house.open().await;
    let mut shell = house.shell().await;
    let mut held = shell.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE pool_state IN ACCESS EXCLUSIVE MODE").execute(&mut *held).await.unwrap();
    // Whoever waits gives up, while the server is still at it.
    let old = [row("model", "pro", Some("\"old\""))];
    let given_up = tokio::time::timeout(Duration::from_millis(300), storage.save_pool_rows("google", &old));
    given_up.await.unwrap_err();
    let new = [row("model", "pro", Some("\"new\""))];
    let (written, ()) = tokio::join!(storage.save_pool_rows("google", &new), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        held.rollback().await.unwrap();
    });
    written.unwrap();
    let kept = storage.pool_state("google").await.unwrap();
    assert_eq!(kept, keygate_pool::PoolState::from_rows(new).unwrap());
}

#[tokio::test]
async fn a_session_of_ours_that_the_server_cuts_is_made_anew_without_a_word() {
    let house = House::of(Kind::Postgres);
    let storage = house.open().await;
    storage.write_ledger(&[attempt(1)]).await.unwrap();
    let House::Postgres(database) = &house else { panic!("it is") };
    database.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE application_name LIKE 'keygate/%' AND datname = current_database()",
    );
    storage.write_ledger(&[attempt(2)]).await.unwrap();
    assert_eq!(storage.balance().await.unwrap().attempts, 2);
}

#[tokio::test]
async fn a_report_delays_no_write() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let house = House::of(kind);
        let storage = house.open().await;
        storage.write_ledger(&[attempt(1)]).await.unwrap();
        let mut shell = house.shell().await;
        let mut reading = shell.begin().await.unwrap();
        let count: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM ledger").fetch_one(&mut *reading).await.unwrap();
        storage.write_ledger(&[attempt(2)]).await.unwrap();
        assert_eq!((count, storage.balance().await.unwrap().attempts), (1, 2), "{kind:?}");
    }
}
