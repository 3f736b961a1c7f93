//! What users had of their plans before anybody counted it: read from the ledger, at the start and when plans are
//! switched on.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use keygate_actors::{Ledger, UserLimiter, clock};
use keygate_domain::UserId;
use keygate_limits::{Amount, Used};
use keygate_storage::{PlanUse, Storage, StorageError};
use tokio::time::timeout;

/// How long a reload waits for it. What takes longer is made up for at the next look.
const PATIENCE: Duration = Duration::from_secs(2);

/// What users had in the day and month of UTC at hand, of what ended before `until`.
pub(crate) async fn plan_use(
    storage: &Storage,
    until: Timestamp,
) -> Result<Vec<(UserId, Used)>, StorageError> {
    let (day, month) = beginnings(clock::now().wall);
    let found =
        storage.plan_use(day.as_millisecond(), month.as_millisecond(), until.as_millisecond()).await?;
    Ok(found.into_iter().map(used).collect())
}

fn used(found: PlanUse) -> (UserId, Used) {
    let amount = |(requests, tokens)| Amount { requests, tokens };
    (found.user, Used { day: amount(found.day), month: amount(found.month) })
}

fn beginnings(now: Timestamp) -> (Timestamp, Timestamp) {
    let today = now.to_zoned(TimeZone::UTC);
    let day = today.start_of_day().map_or(now, |midnight| midnight.timestamp());
    let month = today.first_of_month().and_then(|first| first.start_of_day());
    (day, month.map_or(day, |first| first.timestamp()))
}

/// Tells the limiter what it did not count.
pub(crate) struct EarlierUse {
    storage: Arc<Storage>,
    ledger: Ledger,
    limiter: UserLimiter,
    /// What ended before this moment was not counted.
    owed: Option<Timestamp>,
    is_warned: bool,
}

impl EarlierUse {
    /// Nothing is owed yet.
    pub(crate) fn new(storage: Arc<Storage>, ledger: Ledger, limiter: UserLimiter) -> Self {
        Self { storage, ledger, limiter, owed: None, is_warned: false }
    }

    /// Counting began at this moment.
    pub(crate) fn owe(&mut self, began: Timestamp) {
        (self.owed, self.is_warned) = (Some(began), false);
    }

    /// Tells what is owed. While the ledger cannot be read completely it stays owed.
    pub(crate) async fn settle(&mut self) {
        let Some(began) = self.owed else { return };
        match timeout(PATIENCE, self.told(began)).await {
            Ok(Ok(users)) => {
                self.owed = None;
                tracing::info!(
                    event = "plans.counted",
                    users,
                    "plans count what was used of this day and month already"
                );
            }
            Ok(Err(why)) => self.warn(&why),
            Err(_elapsed) => self.warn("the ledger is slow"),
        }
    }

    async fn told(&self, began: Timestamp) -> Result<usize, String> {
        if !self.ledger.finish(PATIENCE).await || !self.ledger.counts().is_well {
            return Err("the ledger cannot be written at the moment".to_owned());
        }
        let used = plan_use(&self.storage, began).await.map_err(|error| error.to_string())?;
        let users = used.len();
        self.limiter.restore(used).await.map_err(|error| error.to_string())?;
        Ok(users)
    }

    fn warn(&mut self, why: &str) {
        if !std::mem::replace(&mut self.is_warned, true) {
            tracing::warn!(
                event = "plans.uncounted",
                "what was used before plans were switched on does not count yet, it will as soon as it can be read: \
                 {why}"
            );
        }
    }
}
