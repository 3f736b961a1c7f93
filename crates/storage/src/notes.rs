//! The repository of what the house notes of itself.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Connection as _};

use crate::sql::places;
use crate::{Storage, StorageError};

const ALL: &str = "SELECT name, value FROM notes WHERE topic = $1";

/// Notes of one statement.
const AT_ONCE: usize = 250;

impl Storage {
    /// All notes on a topic, by name.
    ///
    /// # Errors
    /// What the database said.
    pub async fn notes(&self, topic: &str) -> Result<BTreeMap<String, String>, StorageError> {
        let mut connection = self.reader().await?;
        let rows: Result<Vec<(String, String)>, _> =
            sqlx::query_as(ALL).bind(topic).fetch_all(&mut *connection).await;
        rows.map(|rows| rows.into_iter().collect()).map_err(|error| self.failed(error))
    }

    /// Keeps notes on a topic in the place of those of the same names, all or none.
    ///
    /// # Errors
    /// What the database said.
    pub async fn note(&self, topic: &str, notes: &BTreeMap<String, String>) -> Result<(), StorageError> {
        let mut connection = self.writer().await?;
        let noted = async {
            let mut transaction = connection.begin_with(self.kind().begin_writing()).await?;
            let notes: Vec<_> = notes.iter().collect();
            for some in notes.chunks(AT_ONCE) {
                let statement = format!(
                    "INSERT INTO notes (topic, name, value) VALUES {} \
                     ON CONFLICT (topic, name) DO UPDATE SET value = excluded.value",
                    places(some.len(), 3, 0)
                );
                let mut query = sqlx::query(AssertSqlSafe(statement));
                for (name, value) in some {
                    query = query.bind(topic).bind(name.as_str()).bind(value.as_str());
                }
                query.execute(&mut *transaction).await?;
            }
            transaction.commit().await
        };
        noted.await.map_err(|error| self.failed(error))
    }
}
