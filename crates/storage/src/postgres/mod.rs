//! What is PostgreSQL's alone: a lock for the only gateway, and a look at whose tables are there.

mod inspect;
mod lock;

use sqlx::{AnyConnection, AssertSqlSafe};

pub(crate) use inspect::look_at;
pub(crate) use lock::lock;

/// What every session is told first. A connection whose other end is gone is noticed after half a
/// minute instead of hours, here and there: the lock of a gateway that lost its network goes with
/// its session. A statement that waits longer than anybody would for its outcome is given up.
const MANNERS: &str = "SET statement_timeout = '20s'; SET tcp_keepalives_idle = 10; \
                       SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 4; \
                       SET client_min_messages = warning; SET application_name = ";

/// Tells a new session how to behave, and others whose it is.
pub(crate) async fn settle(connection: &mut AnyConnection, life: &str) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(format!("{MANNERS}'{life}'"))).execute(connection).await.map(drop)
}
