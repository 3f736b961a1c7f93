//! The repository of the audit trail.

use keygate_domain::{AuditBreak, AuditChain, AuditEntry, AuditHead, AuditPage, AuditRow, Checksum};
use sqlx::{AnyConnection, Connection as _};

use crate::{Storage, StorageError};

/// The first statement of whoever adds: it takes the head for itself until the transaction ends, in SQLite
/// (which has one writer) as in PostgreSQL (which locks the row).
const TAKE_HEAD: &str = "UPDATE audit_head SET number = number WHERE only_row = 1 RETURNING number, hash";
const SET_HEAD: &str = "UPDATE audit_head SET number = $1, hash = $2 WHERE only_row = 1";
const HEAD: &str = "SELECT number, hash FROM audit_head WHERE only_row = 1";
const PUT: &str = "INSERT INTO audit (number, entry, at_ms, who, action, details, peer, request_id, happened, hash) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (entry) DO NOTHING";
const NEXT: &str = "SELECT number, entry, at_ms, who, action, details, peer, request_id, happened, hash \
                    FROM audit WHERE number > $1 ORDER BY number LIMIT $2";
const NEWEST: &str = "SELECT number, entry, at_ms, who, action, details, peer, request_id, happened, hash \
                      FROM audit WHERE number < $1 AND at_ms >= $2 ORDER BY number DESC LIMIT $3";

/// Rows read at once when the whole trail is gone along.
const STRIDE: i64 = 1000;

type Row = (i64, String, i64, String, String, String, Option<String>, Option<String>, i64, String);

impl Storage {
    /// Adds entries at the end of the trail, all or none. One that is there already is not added again.
    ///
    /// # Errors
    /// What the database said.
    pub async fn append_audit(&self, entries: &[AuditEntry]) -> Result<(), StorageError> {
        let mut connection = self.writer().await?;
        let appended = async {
            let mut transaction = connection.begin_with(self.kind().begin_writing()).await?;
            append(&mut transaction, entries).await?;
            transaction.commit().await
        };
        appended.await.map_err(|error| self.failed(error))
    }

    /// The newest rows first.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] for a row that cannot be understood, else what the database said.
    pub async fn audit_page(&self, page: &AuditPage) -> Result<Vec<AuditRow>, StorageError> {
        let mut connection = self.reader().await?;
        let rows: Vec<Row> = sqlx::query_as(NEWEST)
            .bind(page.before)
            .bind(page.since_ms)
            .bind(page.most)
            .fetch_all(&mut *connection)
            .await
            .map_err(|error| self.failed(error))?;
        rows.into_iter().map(|row| self.understood(row)).collect()
    }

    /// Goes along the whole trail: its end if it holds, else where it is broken.
    ///
    /// # Errors
    /// What the database said.
    pub async fn verify_audit(&self) -> Result<Result<AuditHead, AuditBreak>, StorageError> {
        let kept = self.audit_head().await?;
        let mut connection = self.reader().await?;
        let mut chain = AuditChain::default();
        loop {
            let from = chain.last().number;
            // What is added meanwhile lies behind the end that was kept.
            let rows: Vec<Row> = sqlx::query_as(NEXT)
                .bind(from)
                .bind(STRIDE.min(kept.number - from))
                .fetch_all(&mut *connection)
                .await
                .map_err(|error| self.failed(error))?;
            if rows.is_empty() {
                return Ok(chain.ends_with(&kept).map(|()| kept));
            }
            for row in rows {
                // A row that cannot be read was changed as surely as one that reads otherwise.
                let number = row.0;
                let taken = row_of(row).ok_or(AuditBreak::Changed(number)).and_then(|row| chain.take(&row));
                if let Err(broken) = taken {
                    return Ok(Err(broken));
                }
            }
        }
    }

    async fn audit_head(&self) -> Result<AuditHead, StorageError> {
        let mut connection = self.reader().await?;
        let head: Option<(i64, String)> = sqlx::query_as(HEAD)
            .fetch_optional(&mut *connection)
            .await
            .map_err(|error| self.failed(error))?;
        head.and_then(head_of).ok_or_else(|| self.damaged_audit("its end"))
    }

    fn understood(&self, row: Row) -> Result<AuditRow, StorageError> {
        let number = row.0;
        row_of(row).ok_or_else(|| self.damaged_audit(&format!("row {number}")))
    }

    fn damaged_audit(&self, what: &str) -> StorageError {
        let what = format!("{what} of the audit trail cannot be understood");
        StorageError::Damaged { database: self.database(), what }
    }
}

/// Adds entries within a transaction that has written nothing yet, or nothing that others wait for.
pub(crate) async fn append(connection: &mut AnyConnection, entries: &[AuditEntry]) -> sqlx::Result<()> {
    let head: (i64, String) = sqlx::query_as(TAKE_HEAD).fetch_one(&mut *connection).await?;
    let mut head =
        head_of(head).ok_or_else(|| sqlx::Error::Decode("the end of the audit trail is no sum".into()))?;
    for entry in entries {
        let row = head.followed_by(entry.clone());
        let entry = &row.entry;
        let statement = sqlx::query(PUT)
            .bind(row.number)
            .bind(entry.id.as_str())
            .bind(entry.at_ms)
            .bind(entry.who.as_str())
            .bind(entry.action.as_str())
            .bind(entry.details.as_str())
            .bind(entry.peer.as_deref())
            .bind(entry.request_id.as_deref())
            .bind(entry.count)
            .bind(row.hash.to_string());
        if statement.execute(&mut *connection).await?.rows_affected() > 0 {
            head = row.as_head();
        }
    }
    let set = sqlx::query(SET_HEAD).bind(head.number).bind(head.hash.to_string());
    set.execute(connection).await.map(drop)
}

fn head_of((number, hash): (i64, String)) -> Option<AuditHead> {
    Some(AuditHead { number, hash: Checksum::parse(&hash)? })
}

fn row_of(row: Row) -> Option<AuditRow> {
    let (number, id, at_ms, who, action, details, peer, request_id, count, hash) = row;
    let entry = AuditEntry { id, at_ms, who, action, details, peer, request_id, count };
    Some(AuditRow { number, entry, hash: Checksum::parse(&hash)? })
}
