//! From a database to a backup.

use std::io::Write;

use futures_util::TryStreamExt as _;
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _};

use super::{BackupError, Counted, End, FORM, Head, TableHead};
use crate::Storage;
use crate::migrations::LATEST;
use crate::place::Kind;
use crate::tables::{Holds, TABLES, Table};

impl Storage {
    /// Writes everything there is to `out`, as it was at one moment, while others go on writing;
    /// tells `progress` how many rows there are so far.
    ///
    /// # Errors
    /// What the database or the file said.
    pub async fn back_up(
        &self,
        out: &mut impl Write,
        mut progress: impl FnMut(u64),
    ) -> Result<Counted, BackupError> {
        line(out, &Head { keygate_backup: FORM, schema: LATEST })?;
        let failed = |error| BackupError::from(self.failed(error));
        let mut connection = self.reader().await?;
        let mut transaction = connection.begin_with(self.kind().begin_reading()).await.map_err(failed)?;
        if self.kind() == Kind::Postgres {
            let unhurried = sqlx::raw_sql("SET LOCAL statement_timeout = 0").execute(&mut *transaction).await;
            unhurried.map_err(failed)?;
        }
        let mut rows = Counted::new();
        let mut before = 0;
        for table in TABLES {
            let told = |count| progress(before + count);
            let count = self.write_table(table, &mut transaction, out, told).await?;
            rows.push((table.name.to_owned(), count));
            before += count;
        }
        transaction.commit().await.map_err(failed)?;
        line(out, &End { rows: rows.clone() })?;
        out.flush()?;
        Ok(rows)
    }

    async fn write_table(
        &self,
        table: &Table,
        connection: &mut AnyConnection,
        out: &mut impl Write,
        mut progress: impl FnMut(u64),
    ) -> Result<u64, BackupError> {
        let columns: Vec<_> = table.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let statement = format!("SELECT {} FROM {}", columns.join(", "), table.name);
        line(out, &TableHead { table: table.name.to_owned(), columns })?;
        let mut rows = sqlx::query(AssertSqlSafe(statement)).fetch(connection);
        let mut count = 0;
        while let Some(row) = rows.try_next().await.map_err(|error| self.failed(error))? {
            line(out, &values(table, &row).map_err(|error| self.failed(error))?)?;
            count += 1;
            progress(count);
        }
        Ok(count)
    }
}

fn values(table: &Table, row: &AnyRow) -> sqlx::Result<Vec<Value>> {
    let columns = table.columns.iter().enumerate();
    columns
        .map(|(place, (_, holds))| {
            Ok(match holds {
                Holds::Text => row.try_get::<Option<String>, _>(place)?.into(),
                Holds::Number => row.try_get::<Option<i64>, _>(place)?.into(),
            })
        })
        .collect()
}

fn line(out: &mut impl Write, value: &impl serde::Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}
