//! What is SQLite's alone: a file that is looked at before it is opened, and locked.

mod identity;
mod inspect;
mod lock;

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use sqlx::AnyConnection;

pub(crate) use identity::Identity;
pub(crate) use inspect::{Found, claim, create, examine, look_at};
pub(crate) use lock::Lock;

/// What every connection is told first. A write waits two seconds for another program that writes.
///
/// `synchronous = NORMAL` with a write-ahead log: nothing that was committed is lost when the
/// process is killed, and the file is never torn. When the *machine* loses its power, the last
/// commits the system had not written yet are lost (about half a minute on Linux): a rest that is
/// learned again by one refusal. `FULL` would make every rest wait for the disk instead.
const MANNERS: &str = "PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; \
                       PRAGMA foreign_keys = ON";

/// Tells a new connection how to behave.
pub(crate) async fn settle(connection: &mut AnyConnection) -> sqlx::Result<()> {
    sqlx::raw_sql(MANNERS).execute(connection).await.map(drop)
}

/// The address of a file. Everything but letters and digits is escaped, slashes too: an address
/// with a path would have its `..` taken out, which is not what the file system does.
pub(crate) fn address(path: &Path) -> String {
    path.as_os_str().as_bytes().iter().fold("sqlite:".to_owned(), |mut address, byte| {
        if byte.is_ascii_alphanumeric() {
            address.push(char::from(*byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(address, "%{byte:02X}");
        }
        address
    })
}
