//! The gateway's database, looked at by another program.

use std::path::Path;

use keygate_tests::eventually;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

/// The file's name in the folder of a gateway.
pub(crate) const DATABASE: &str = "keygate.db";

/// A connection to the database in `home`.
pub(crate) async fn shell(home: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(home.join(DATABASE));
    options.connect().await.expect("the database can be opened")
}

/// Waits until as many rows of this part are on disk.
pub(crate) async fn holds(home: &Path, part: &str, rows: i64) {
    let mut shell = shell(home).await;
    eventually("what was learned is on disk", async || {
        let count = sqlx::query_scalar("SELECT count(*) FROM pool_state WHERE part = $1").bind(part);
        let found: i64 = count.fetch_one(&mut shell).await.expect("it can be read");
        (found == rows).then_some(())
    })
    .await;
    shell.close().await.expect("it can be closed");
}

/// Every byte of the database and what lies beside it, as text.
pub(crate) fn bytes(home: &Path) -> String {
    let names = ["", "-wal", "-shm", ".lock"].map(|end| home.join(format!("{DATABASE}{end}")));
    let files = names.iter().filter_map(|path| std::fs::read(path).ok());
    files.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
}
