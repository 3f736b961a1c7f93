//! What users had of their plans.

use keygate_domain::UserId;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::{Storage, StorageError};

/// What one user had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlanUse {
    /// Who.
    pub user: UserId,
    /// Requests and tokens of the day.
    pub day: (u64, u64),
    /// Requests and tokens of the month, the day included.
    pub month: (u64, u64),
}

/// What was served by a provider or from a cache; who was given a stored answer had nothing of it.
const USE: &str = "SELECT client, user_name, \
     CAST(SUM(CASE WHEN time_ms >= $1 THEN 1 ELSE 0 END) AS BIGINT), \
     CAST(SUM(CASE WHEN time_ms >= $1 THEN total_tokens ELSE 0 END) AS BIGINT), \
     COUNT(*), CAST(SUM(total_tokens) AS BIGINT) \
     FROM ledger WHERE time_ms >= $2 AND time_ms + latency_ms < $3 AND fault = '' AND outcome = 'settled' AND source <> 'stored' \
     GROUP BY client, user_name";

impl Storage {
    /// What every user had since the day and the month began, of what ended before `until_ms`; all in milliseconds
    /// since 1970.
    ///
    /// # Errors
    /// What the database said.
    pub async fn plan_use(
        &self,
        day_began_ms: i64,
        month_began_ms: i64,
        until_ms: i64,
    ) -> Result<Vec<PlanUse>, StorageError> {
        let mut connection = self.reader().await?;
        let query = sqlx::query(USE).bind(day_began_ms).bind(month_began_ms).bind(until_ms);
        let rows = query.fetch_all(&mut *connection).await;
        let rows = rows.map_err(|error| self.failed(error))?;
        rows.iter().map(used).collect::<sqlx::Result<_>>().map_err(|error| self.failed(error))
    }
}

fn used(row: &AnyRow) -> sqlx::Result<PlanUse> {
    let name: String = row.try_get(1)?;
    let number = |column: usize| -> sqlx::Result<u64> {
        let number: Option<i64> = row.try_get(column)?;
        Ok(number.and_then(|number| number.try_into().ok()).unwrap_or_default())
    };
    let client: String = row.try_get(0)?;
    Ok(PlanUse {
        user: UserId { client: client.as_str().into(), name: name.into() },
        day: (number(2)?, number(3)?),
        month: (number(4)?, number(5)?),
    })
}
