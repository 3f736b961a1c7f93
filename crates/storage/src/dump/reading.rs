//! From a backup to a database.

use std::io::{BufRead, Lines};

use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

use super::{BackupError, Counted, End, FORM, Head, TableHead};
use crate::migrations::LATEST;
use crate::place::Kind;
use crate::sql::values;
use crate::tables::{Holds, TABLES, Table};
use crate::{Place, Storage, StorageError};

/// Rows of one statement.
const AT_ONCE: usize = 100;

impl Storage {
    /// Fills the database at `place`, which must be empty and nobody's at the moment, with what the
    /// backup holds: all of it or nothing. A backup of an earlier version is brought up to date.
    ///
    /// # Errors
    /// What is wrong with the backup or the database.
    pub async fn restore(
        place: &Place,
        backup: impl BufRead,
        progress: impl FnMut(u64),
    ) -> Result<Counted, BackupError> {
        let mut backup = Backup { lines: backup.lines(), number: 0 };
        let head: Head = backup.next()?.ok_or(BackupError::Incomplete)?;
        if head.keygate_backup != FORM || head.schema > LATEST {
            return Err(BackupError::Newer { found: head.schema, known: LATEST });
        }
        let storage = Self::open_at(place, head.schema).await?;
        let restored = storage.fill(backup, head.schema, progress).await;
        storage.close().await;
        restored
    }

    async fn fill<B: BufRead>(
        &self,
        mut backup: Backup<B>,
        schema: u32,
        mut progress: impl FnMut(u64),
    ) -> Result<Counted, BackupError> {
        let failed = |error| BackupError::from(self.failed(error));
        let there = schema.max(self.schema_found());
        let mut connection = self.writer().await?;
        let mut transaction = connection.begin_with(self.kind().begin_writing()).await.map_err(failed)?;
        self.refuse_rows(&mut transaction, there).await?;
        let mut counted = Counted::new();
        let mut total = 0;
        let mut filling: Option<Filling> = None;
        loop {
            let value: Value = backup.next()?.ok_or(BackupError::Incomplete)?;
            match (value, &mut filling) {
                (Value::Array(row), Some(filling)) => {
                    filling.take(row).map_err(|what| backup.malformed(&what))?;
                    total += 1;
                    progress(total);
                    if filling.rows.len() >= AT_ONCE {
                        filling.put(&mut transaction, self.kind()).await.map_err(failed)?;
                    }
                }
                (value @ Value::Object(_), before) => {
                    if let Some(mut before) = before.take() {
                        before.put(&mut transaction, self.kind()).await.map_err(failed)?;
                        counted.push((before.table.name.to_owned(), before.count));
                    }
                    if value.get("table").is_none() {
                        let end: End = backup.understood(value)?;
                        if end.rows != counted || backup.next::<Value>()?.is_some() {
                            return Err(BackupError::Incomplete);
                        }
                        break;
                    }
                    let head: TableHead = backup.understood(value)?;
                    filling = Some(Filling::of(&head).map_err(|what| backup.malformed(&what))?);
                }
                _ => return Err(backup.malformed(&"a row or a table is expected")),
            }
        }
        transaction.commit().await.map_err(failed)?;
        drop(connection);
        self.migrate(there, LATEST).await?;
        Ok(counted)
    }

    /// Refuses a database that something is in. The rows that every one begins with make room for those of
    /// the backup.
    async fn refuse_rows(&self, connection: &mut AnyConnection, schema: u32) -> Result<(), StorageError> {
        for table in TABLES.iter().filter(|table| table.since <= schema) {
            if table.is_begun {
                let cleared = sqlx::query(AssertSqlSafe(format!("DELETE FROM {}", table.name)));
                cleared.execute(&mut *connection).await.map_err(|error| self.failed(error))?;
                continue;
            }
            let first = format!("SELECT CAST(1 AS BIGINT) FROM {} LIMIT 1", table.name);
            let first = sqlx::query_scalar::<_, i64>(AssertSqlSafe(first)).fetch_optional(&mut *connection);
            if first.await.map_err(|error| self.failed(error))?.is_some() {
                return Err(StorageError::NotEmpty { database: self.database(), table: table.name });
            }
        }
        Ok(())
    }
}

/// The lines of a backup.
struct Backup<B> {
    lines: Lines<B>,
    number: u64,
}

impl<B: BufRead> Backup<B> {
    /// The next line, if there is one.
    fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, BackupError> {
        let Some(line) = self.lines.next().transpose()? else { return Ok(None) };
        self.number += 1;
        match serde_json::from_str(&line) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(self.malformed(&error)),
        }
    }

    fn understood<T: DeserializeOwned>(&self, value: Value) -> Result<T, BackupError> {
        serde_json::from_value(value).map_err(|error| self.malformed(&error))
    }

    fn malformed(&self, what: &dyn std::fmt::Display) -> BackupError {
        BackupError::Malformed { line: self.number, what: what.to_string() }
    }
}

/// A table that is being filled.
struct Filling {
    table: &'static Table,
    columns: Vec<(&'static str, Holds)>,
    rows: Vec<Vec<Value>>,
    count: u64,
}

impl Filling {
    /// Nothing of the file gets into a statement: names are looked up among those that are known.
    fn of(head: &TableHead) -> Result<Self, String> {
        let table = TABLES.iter().find(|table| table.name == head.table);
        let table = table.ok_or_else(|| format!("there is no table {}", head.table))?;
        let column = |name: &String| {
            let known = table.columns.iter().find(|(known, _)| known == name).copied();
            known.ok_or_else(|| format!("the table {} has no column {name}", table.name))
        };
        let columns = head.columns.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { table, columns, rows: Vec::new(), count: 0 })
    }

    fn take(&mut self, row: Vec<Value>) -> Result<(), &'static str> {
        let fits = |((_, holds), value): (&(&str, Holds), &Value)| {
            value.is_null()
                || match holds {
                    Holds::Text => value.is_string(),
                    Holds::Number => value.is_i64(),
                }
        };
        if row.len() != self.columns.len() || !self.columns.iter().zip(&row).all(fits) {
            return Err("its values are not those of the table's columns");
        }
        self.rows.push(row);
        self.count += 1;
        Ok(())
    }

    /// Puts what was taken into the table.
    async fn put(&mut self, connection: &mut AnyConnection, kind: Kind) -> sqlx::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = self.columns.iter().map(|(name, _)| *name).collect();
        let statement = format!(
            "INSERT INTO {} ({}) VALUES {}",
            self.table.name,
            names.join(", "),
            values(kind, self.rows.len(), names.len())
        );
        let mut query = sqlx::query(AssertSqlSafe(statement));
        for (value, (_, holds)) in self.rows.iter().flat_map(|row| row.iter().zip(&self.columns)) {
            query = match holds {
                Holds::Text => query.bind(value.as_str().map(str::to_owned)),
                Holds::Number => query.bind(value.as_i64()),
            };
        }
        query.execute(connection).await?;
        self.rows.clear();
        Ok(())
    }
}
