//! The repository of what key pools remember.

use keygate_pool::{PoolState, StateRow};
use sqlx::{Connection as _, SqliteConnection};

use crate::{Storage, StorageError};

const ALL: &str = "SELECT part, name, value FROM pool_state WHERE provider = $1";
const PUT: &str = "INSERT INTO pool_state (provider, part, name, value) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (provider, part, name) DO UPDATE SET value = excluded.value";
const MODELS: &str = "SELECT DISTINCT name FROM pool_state WHERE part = 'model'";
const REMOVE: &str = "DELETE FROM pool_state WHERE provider = $1 AND part = $2 AND name = $3";

impl Storage {
    /// What the pool of `provider` remembered; nothing if it never wrote.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] for a row that cannot be understood, else what the database said.
    pub async fn pool_state(&self, provider: &str) -> Result<PoolState, StorageError> {
        let rows: Vec<(String, String, String)> = sqlx::query_as(ALL)
            .bind(provider)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.failed(error))?;
        let rows = rows.into_iter();
        let rows = rows.map(|(part, name, value)| StateRow { part: part.into(), name, value: Some(value) });
        PoolState::from_rows(rows)
            .map_err(|row| StorageError::Damaged { path: self.path.clone(), what: row.to_string() })
    }

    /// The names of the models that were met, by any provider's pool.
    ///
    /// # Errors
    /// What the database said.
    pub async fn models_met(&self) -> Result<Vec<String>, StorageError> {
        sqlx::query_scalar(MODELS).fetch_all(&self.pool).await.map_err(|error| self.failed(error))
    }

    /// Writes rows of `provider`'s pool, all or none. Writing them again does no harm.
    ///
    /// # Errors
    /// What the database said.
    pub async fn save_pool_rows(&self, provider: &str, rows: &[StateRow]) -> Result<(), StorageError> {
        let saved = async {
            let mut connection = self.pool.acquire().await?;
            save(&mut connection, provider, rows).await
        };
        saved.await.map_err(|error| self.failed(error))
    }
}

async fn save(connection: &mut SqliteConnection, provider: &str, rows: &[StateRow]) -> sqlx::Result<()> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for StateRow { part, name, value } in rows {
        let statement = match value {
            Some(value) => {
                sqlx::query(PUT).bind(provider).bind(part.as_ref()).bind(name.as_str()).bind(value.as_str())
            }
            None => sqlx::query(REMOVE).bind(provider).bind(part.as_ref()).bind(name.as_str()),
        };
        statement.execute(&mut *transaction).await?;
    }
    transaction.commit().await
}
