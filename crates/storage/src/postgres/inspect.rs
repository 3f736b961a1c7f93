//! A look at what is in the schema, before anything is written.

use sqlx::AnyConnection;

use crate::StorageError;
use crate::migrations::{SCHEMA_TABLE, refuse_newer};

const SCHEMA: &str = "SELECT CAST(current_schema() AS TEXT)";

/// Tables, views and the like, without those that belong to extensions.
const TABLES: &str = "SELECT CAST(relname AS TEXT) FROM pg_class \
     WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) \
     AND relkind IN ('r', 'p', 'f', 'v', 'm') AND NOT EXISTS (SELECT 1 FROM pg_depend \
         WHERE classid = CAST('pg_class' AS regclass) AND objid = pg_class.oid AND deptype = 'e') \
     ORDER BY relname";

/// The number of the schema that is there, 0 where there is nothing at all; refuses what is another
/// program's, or a later version's.
pub(crate) async fn look_at(connection: &mut AnyConnection, database: &str) -> Result<u32, StorageError> {
    let failed = |error| StorageError::of(database, error);
    let schema: Option<String> =
        sqlx::query_scalar(SCHEMA).fetch_one(&mut *connection).await.map_err(failed)?;
    let Some(schema) = schema else {
        let what = "no schema of the search_path is there".to_owned();
        return Err(StorageError::Denied { database: database.to_owned(), what });
    };
    let tables: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&mut *connection).await.map_err(failed)?;
    if !tables.iter().any(|table| table == SCHEMA_TABLE) {
        return match tables.into_iter().next() {
            None => Ok(0),
            Some(table) => Err(StorageError::ForeignSchema { database: database.to_owned(), schema, table }),
        };
    }
    let found =
        crate::migrations::schema_of(connection, crate::place::Kind::Postgres).await.map_err(failed)?;
    refuse_newer(database, found)?;
    Ok(found)
}
