//! The repository of client tokens.

use std::collections::BTreeSet;

use jiff::Timestamp;
use keygate_domain::{AuditEntry, Checksum, ClientToken, ModelList, PlanName, Right, TokenId};
use sqlx::{AnyConnection, Connection as _};

use crate::audit::append;
use crate::{Storage, StorageError};

const ALL: &str = "SELECT id, name, sha256, scopes, models, plan, keeper, created_at, expires_at, revoked_at \
                   FROM tokens ORDER BY created_at, id";
const PUT: &str = "INSERT INTO tokens (id, name, sha256, scopes, models, plan, keeper, created_at, expires_at, \
                   revoked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const REVOKE: &str =
    "UPDATE tokens SET revoked_at = $1 WHERE id = $2 AND (revoked_at IS NULL OR revoked_at > $1)";
const CHANGES: &str = "SELECT changes FROM tokens_changed WHERE only_row = 1";
const CHANGED: &str = "UPDATE tokens_changed SET changes = changes + 1 WHERE only_row = 1";

type Row = (
    String,
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    i64,
    Option<i64>,
    Option<i64>,
);

impl Storage {
    /// A number that is another one whenever a token was made or revoked. Costs one row.
    ///
    /// # Errors
    /// What the database said.
    pub async fn token_changes(&self) -> Result<i64, StorageError> {
        let mut connection = self.reader().await?;
        let changes = sqlx::query_scalar(CHANGES).fetch_one(&mut *connection).await;
        changes.map_err(|error| self.failed(error))
    }

    /// All tokens, in the order they were made, those that ended as well.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] for a row that cannot be understood, else what the database said.
    pub async fn tokens(&self) -> Result<Vec<ClientToken>, StorageError> {
        let mut connection = self.reader().await?;
        let rows: Vec<Row> =
            sqlx::query_as(ALL).fetch_all(&mut *connection).await.map_err(|error| self.failed(error))?;
        let damaged = |id: String| StorageError::Damaged {
            database: self.database(),
            what: format!("the token {id} cannot be understood"),
        };
        rows.into_iter().map(|row| token_of(row).map_err(damaged)).collect()
    }

    /// Keeps a token, and the entry that says who made it: both or neither.
    ///
    /// # Errors
    /// What the database said.
    pub async fn add_token(&self, token: &ClientToken, entry: &AuditEntry) -> Result<(), StorageError> {
        let mut connection = self.writer().await?;
        let added = async {
            let mut transaction = connection.begin_with(self.kind().begin_writing()).await?;
            sqlx::query(CHANGED).execute(&mut *transaction).await?;
            put(&mut transaction, token).await?;
            append(&mut transaction, std::slice::from_ref(entry)).await?;
            transaction.commit().await
        };
        added.await.map_err(|error| self.failed(error))
    }

    /// Ends tokens at a moment, if they would not end before, and keeps the entries that say who wants it.
    ///
    /// # Errors
    /// What the database said.
    pub async fn revoke_tokens(
        &self,
        ids: &[TokenId],
        at: Timestamp,
        entries: &[AuditEntry],
    ) -> Result<(), StorageError> {
        let mut connection = self.writer().await?;
        let revoked = async {
            let mut transaction = connection.begin_with(self.kind().begin_writing()).await?;
            sqlx::query(CHANGED).execute(&mut *transaction).await?;
            for id in ids {
                let revoking = sqlx::query(REVOKE).bind(at.as_millisecond()).bind(id.as_str());
                revoking.execute(&mut *transaction).await?;
            }
            append(&mut transaction, entries).await?;
            transaction.commit().await
        };
        revoked.await.map_err(|error| self.failed(error))
    }
}

async fn put(connection: &mut AnyConnection, token: &ClientToken) -> sqlx::Result<()> {
    let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millisecond);
    let scopes: Vec<&str> = token.rights.iter().map(|right| right.as_str()).collect();
    let models =
        token.models.as_ref().map(|models| models.names().collect::<serde_json::Value>().to_string());
    let statement = sqlx::query(PUT)
        .bind(token.id.as_str())
        .bind(token.name.as_str())
        .bind(token.sum.to_string())
        .bind(scopes.join(","))
        .bind(models)
        .bind(token.plan.as_ref().map(PlanName::as_str))
        .bind(token.keeper.as_deref())
        .bind(token.created_at.as_millisecond())
        .bind(millis(token.expires_at))
        .bind(millis(token.revoked_at));
    statement.execute(connection).await.map(drop)
}

/// The token of a row; the id of one that no version wrote.
fn token_of(row: Row) -> Result<ClientToken, String> {
    let (id, name, sum, scopes, models, plan, keeper, created_at, expires_at, revoked_at) = row;
    let read = || {
        let rights: Option<BTreeSet<Right>> = scopes.split(',').map(Right::of_name).collect();
        let moment = |millis: Option<i64>| millis.map(Timestamp::from_millisecond).transpose().ok();
        Some(ClientToken {
            id: TokenId::from(id.as_str()),
            name,
            sum: Checksum::parse(&sum)?,
            rights: rights?,
            models: models.as_deref().map(models_of).transpose().ok()?,
            plan: plan.as_deref().map(PlanName::from),
            keeper,
            created_at: Timestamp::from_millisecond(created_at).ok()?,
            expires_at: moment(expires_at)?,
            revoked_at: moment(revoked_at)?,
        })
    };
    read().ok_or(id)
}

fn models_of(json: &str) -> Result<ModelList, ()> {
    let names: Vec<String> = serde_json::from_str(json).map_err(|_no_list| ())?;
    ModelList::parse(names.iter().map(String::as_str)).map_err(|_invalid| ())
}
