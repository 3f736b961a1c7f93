//! What is refused on a server, and that it is left as it was.

use keygate_storage::{Storage, StorageError};
use rstest::rstest;

use crate::house::{House, Kind, server};
use crate::postgres::PostgresDatabase;

/// Every name in every schema.
const NAMES: &str = "SELECT string_agg(oid || ' ' || relname, ',' ORDER BY oid) FROM pg_class";

/// Opens what must be refused, and checks that nothing was made or told that must not be.
async fn refused(database: &PostgresDatabase) -> StorageError {
    let before = database.run(NAMES);
    let error = match Storage::open(&server(&database.url)).await {
        Ok(storage) => panic!("opened {storage:?}"),
        Err(error) => error,
    };
    assert_eq!(database.run(NAMES), before, "something was changed");
    tells_no_password(&error);
    error
}

fn tells_no_password(error: &StorageError) {
    let mut told = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        told.push_str(&cause.to_string());
        source = cause.source();
    }
    assert!(told.contains("127.0.0.1"), "it names the server: {told}");
    assert!(!told.contains("hunter2"), "it tells the password: {told}");
}

#[rstest]
#[case::table("CREATE TABLE pool_state (x INTEGER)", "pool_state")]
#[case::view("CREATE VIEW report AS SELECT 1 AS x", "report")]
#[tokio::test]
async fn tables_of_another_program(#[case] sql: &str, #[case] named: &str) {
    let database = PostgresDatabase::empty();
    database.run(sql);
    let error = refused(&database).await;
    let StorageError::ForeignSchema { schema, table, .. } = &error else { panic!("{error:?}") };
    assert_eq!((schema.as_str(), table.as_str()), ("public", named));
}

#[tokio::test]
async fn a_schema_of_its_own_beside_another_programs_is_taken() {
    let database = PostgresDatabase::empty();
    database.run("CREATE TABLE orders (id INTEGER); CREATE SCHEMA keygate; CREATE SCHEMA second");
    for schema in ["keygate", "second"] {
        let url = format!("{}?options=-csearch_path%3D{schema}", database.url);
        let storage = Storage::open(&server(&url)).await.unwrap();
        storage.balance().await.unwrap();
        let version = database.run(&format!("SELECT version FROM {schema}.keygate_schema"));
        assert_eq!(version.trim(), storage.schema().1.to_string());
        // Two gateways in two schemas are not in each other's way.
        std::mem::forget(storage);
    }
}

#[tokio::test]
async fn a_schema_that_is_not_there() {
    let database = PostgresDatabase::empty();
    let url = format!("{}?options=-csearch_path%3Dnowhere", database.url);
    let error = Storage::open(&server(&url)).await.unwrap_err();
    assert!(error.to_string().contains("search_path"), "{error}");
}

#[tokio::test]
async fn a_database_of_a_later_version() {
    let database = PostgresDatabase::empty();
    Storage::open(&server(&database.url)).await.unwrap().close().await;
    database.run("UPDATE keygate_schema SET version = 999");
    let error = refused(&database).await;
    assert!(matches!(error, StorageError::Newer { found: 999, .. }), "{error:?}");
    let error = Storage::visit(&server(&database.url)).await.unwrap_err();
    assert!(matches!(error, StorageError::Newer { found: 999, .. }), "{error:?}");
}

#[tokio::test]
async fn a_command_makes_nothing_that_it_only_looks_at() {
    let database = PostgresDatabase::empty();
    let before = database.run(NAMES);
    let error = Storage::visit(&server(&database.url)).await.unwrap_err();
    assert!(matches!(error, StorageError::Missing { .. }), "{error:?}");
    assert_eq!(database.run(NAMES), before);
    Storage::open(&server(&database.url)).await.unwrap().close().await;
    database.run("UPDATE keygate_schema SET version = 1");
    let error = Storage::visit(&server(&database.url)).await.unwrap_err();
    assert!(matches!(error, StorageError::Older { found: 1, .. }), "{error:?}");
}

#[tokio::test]
async fn a_second_gateway() {
    let house = House::of(Kind::Postgres);
    let first = house.open().await;
    let second = Storage::open(&house.place()).await.unwrap_err();
    let StorageError::InUse { holder, .. } = &second else { panic!("{second:?}") };
    let id = std::process::id();
    assert_eq!(holder.as_deref(), Some(format!("process {id}, from 127.0.0.1").as_str()));
    tells_no_password(&second);
    Storage::visit(&house.place()).await.unwrap().close().await;
    first.close().await;
    house.open().await;
}

#[tokio::test]
async fn a_wrong_password_a_database_that_is_not_there_and_a_server_that_is_not() {
    let database = PostgresDatabase::empty();
    let wrong = database.url.replace("hunter2", "hunter3");
    let error = Storage::open(&server(&wrong)).await.unwrap_err();
    assert!(matches!(error, StorageError::Denied { .. }), "{error:?}");
    assert!(error.to_string().contains("password"), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter3"));

    let error = Storage::open(&server(&format!("{}_not", database.url))).await.unwrap_err();
    assert!(matches!(error, StorageError::NotOnServer { .. }), "{error:?}");
    tells_no_password(&error);

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("postgres://keygate:hunter2@{}/keygate", listener.local_addr().unwrap());
    let error = Storage::open(&server(&silent)).await.unwrap_err();
    assert!(matches!(error, StorageError::Silent { .. }), "{error:?}");
    tells_no_password(&error);
    drop(listener);
    let error = Storage::open(&server(&silent)).await.unwrap_err();
    assert!(matches!(error, StorageError::Unreachable { .. }), "{error:?}");
    tells_no_password(&error);
}

#[tokio::test]
async fn a_user_who_may_not_make_tables() {
    let database = PostgresDatabase::empty();
    let name = format!("guest_{}", std::process::id());
    database.run(&format!("CREATE ROLE {name} LOGIN PASSWORD 'hunter2'"));
    let (_, host) = database.url.split_once('@').unwrap();
    let guest = server(&format!("postgres://{name}:hunter2@{host}"));
    let error = Storage::open(&guest).await.unwrap_err();
    assert!(matches!(error, StorageError::Denied { .. }), "{error:?}");
    assert!(error.to_string().contains("permission denied"), "{error}");
    tells_no_password(&error);
    database.run(&format!("DROP ROLE {name}"));
}
