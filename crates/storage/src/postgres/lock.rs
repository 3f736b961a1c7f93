//! One gateway a schema, by an advisory lock that ends with its session.

use std::time::Duration;

use sqlx::AnyConnection;
use tokio::time::sleep;

use crate::StorageError;

/// `KGAT` in ASCII, and what schema: a database may have several.
const TAKE: &str = "SELECT pg_try_advisory_lock(1262961492, hashtext(COALESCE(current_schema(), '')))";

/// Of another user's session no more is shown than that it is there.
const HOLDER: &str = "SELECT CAST(activity.pid AS BIGINT), COALESCE(activity.application_name, ''), \
     COALESCE(CAST(host(activity.client_addr) AS TEXT), '') \
     FROM pg_locks AS held JOIN pg_stat_activity AS activity ON activity.pid = held.pid \
     WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 2 \
     AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
     AND CAST(held.classid AS BIGINT) = 1262961492 \
     AND CAST(held.objid AS BIGINT) = (CAST(hashtext(COALESCE(current_schema(), '')) AS BIGINT) & 4294967295) LIMIT 1";

const END: &str = "SELECT pg_terminate_backend(CAST($1 AS INTEGER))";

/// How often, and how long in between, it is looked whether the holder has gone. A gateway that was
/// killed and started again is faster than the server in noticing the end of its first life.
const LOOKS: u32 = 30;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Takes the lock for `life`. A session of the same life that still holds it is one whose connection
/// broke, which the server has not noticed: it is ended, so that what it may still be at is over
/// before anything else is written.
pub(crate) async fn lock(
    connection: &mut AnyConnection,
    life: &str,
    database: &str,
) -> Result<(), StorageError> {
    let failed = |error| StorageError::of(database, error);
    let mut last = None;
    for _ in 0..LOOKS {
        if sqlx::query_scalar::<_, bool>(TAKE).fetch_one(&mut *connection).await.map_err(failed)? {
            return Ok(());
        }
        let holder = sqlx::query_as::<_, (i64, String, String)>(HOLDER);
        let holder = holder.fetch_optional(&mut *connection).await.map_err(failed)?;
        if let Some((session, name, address)) = holder {
            if name == life {
                let end = sqlx::query_scalar::<_, bool>(END).bind(session);
                end.fetch_one(&mut *connection).await.map_err(failed)?;
            }
            last = Some(in_words(&name, &address));
        }
        sleep(BETWEEN_LOOKS).await;
    }
    Err(StorageError::InUse { database: database.to_owned(), holder: last })
}

/// `process 4711, from 10.0.0.7`.
fn in_words(name: &str, address: &str) -> String {
    let process = name.strip_prefix("keygate/").and_then(|rest| rest.split('/').next());
    let who = process.map_or_else(|| "of another user".to_owned(), |process| format!("process {process}"));
    if address.is_empty() { who } else { format!("{who}, from {address}") }
}
