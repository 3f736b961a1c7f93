//! The repository of what key pools remember.

use std::collections::BTreeMap;

use keygate_pool::{PoolState, StateRow};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

use crate::place::Kind;
use crate::sql::{places, values};
use crate::{Storage, StorageError};

const ALL: &str = "SELECT part, name, value FROM pool_state WHERE provider = $1";
const MODELS: &str = "SELECT DISTINCT name FROM pool_state WHERE part = 'model'";

/// Rows of one statement. A row each would be a way to the server and back each.
const AT_ONCE: usize = 250;

impl Storage {
    /// What the pool of `provider` remembered; nothing if it never wrote.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] for a row that cannot be understood, else what the database said.
    pub async fn pool_state(&self, provider: &str) -> Result<PoolState, StorageError> {
        let mut connection = self.reader().await?;
        let rows: Vec<(String, String, String)> = sqlx::query_as(ALL)
            .bind(provider)
            .fetch_all(&mut *connection)
            .await
            .map_err(|error| self.failed(error))?;
        let rows = rows.into_iter();
        let rows = rows.map(|(part, name, value)| StateRow { part: part.into(), name, value: Some(value) });
        PoolState::from_rows(rows)
            .map_err(|row| StorageError::Damaged { database: self.database(), what: row.to_string() })
    }

    /// The names of the models that were met, by any provider's pool.
    ///
    /// # Errors
    /// What the database said.
    pub async fn models_met(&self) -> Result<Vec<String>, StorageError> {
        let mut connection = self.reader().await?;
        let names = sqlx::query_scalar(MODELS).fetch_all(&mut *connection).await;
        names.map_err(|error| self.failed(error))
    }

    /// Writes rows of `provider`'s pool, all or none. Writing them again does no harm.
    ///
    /// # Errors
    /// What the database said.
    pub async fn save_pool_rows(&self, provider: &str, rows: &[StateRow]) -> Result<(), StorageError> {
        let mut connection = self.writer().await?;
        let saved = save(&mut connection, self.kind(), provider, rows).await;
        saved.map_err(|error| self.failed(error))
    }
}

async fn save(
    connection: &mut AnyConnection,
    kind: Kind,
    provider: &str,
    rows: &[StateRow],
) -> sqlx::Result<()> {
    // A statement touches a row once; of several the last counts.
    let last: BTreeMap<_, _> =
        rows.iter().map(|row| ((row.part.as_ref(), row.name.as_str()), row.value.as_deref())).collect();
    let put: Vec<_> = last.iter().filter_map(|(place, value)| Some((place, (*value)?))).collect();
    let removed: Vec<_> = last.iter().filter(|(_, value)| value.is_none()).map(|(place, _)| place).collect();
    let mut transaction = connection.begin_with(kind.begin_writing()).await?;
    for rows in put.chunks(AT_ONCE) {
        let statement = format!(
            "INSERT INTO pool_state (provider, part, name, value) VALUES {} \
             ON CONFLICT (provider, part, name) DO UPDATE SET value = excluded.value",
            values(kind, rows.len(), 4)
        );
        let mut query = sqlx::query(AssertSqlSafe(statement));
        for ((part, name), value) in rows {
            query = query.bind(provider).bind(*part).bind(*name).bind(*value);
        }
        query.execute(&mut *transaction).await?;
    }
    for rows in removed.chunks(AT_ONCE) {
        let statement = format!(
            "DELETE FROM pool_state WHERE provider = $1 AND (part, name) IN (VALUES {})",
            places(rows.len(), 2, 1)
        );
        let mut query = sqlx::query(AssertSqlSafe(statement)).bind(provider);
        for (part, name) in rows {
            query = query.bind(*part).bind(*name);
        }
        query.execute(&mut *transaction).await?;
    }
    transaction.commit().await
}
