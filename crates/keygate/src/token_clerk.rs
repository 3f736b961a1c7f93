//! Watches the tokens in the database, and hands other ones to the workers.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keygate_actors::clock;
use keygate_domain::ClientToken;
use keygate_http::RuleBoard;
use keygate_storage::{Storage, StorageError};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// What is said when no client has a token, neither in the configuration nor in the database.
pub(crate) const NOBODY_HAS_A_TOKEN: &str = "clients need a token and there is none, neither in the configuration nor \
     in the database, so every request is refused until there is one: make it with `keygate tokens create --name \
     NAME`, or set KEYGATE_CLIENT_TOKENS to a comma list of tokens";

/// Whether any of these opens the door.
pub(crate) fn any_is_valid(tokens: &[ClientToken]) -> bool {
    let now = clock::now().wall;
    tokens.iter().any(|token| !token.is_over(now))
}

/// How often it looks. A token is known within two seconds of being made, one that was revoked is not any more.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a token that ended is remembered, so that its bearer is told what became of it.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Knows which tokens the workers have.
pub(crate) struct TokenClerk {
    storage: Arc<Storage>,
    /// The number of changes that is known.
    seen: i64,
    is_well: bool,
}

impl TokenClerk {
    /// Reads the tokens for the first time.
    pub(crate) async fn begin(storage: Arc<Storage>) -> Result<(Self, Vec<ClientToken>), StorageError> {
        // In this order: what changes in between is seen with the first look.
        let seen = storage.token_changes().await?;
        let tokens = worth_knowing(storage.tokens().await?, clock::now().wall);
        Ok((Self { storage, seen, is_well: true }, tokens))
    }

    /// Looks for ever. While the database is in trouble, the tokens known last stay in force.
    pub(crate) async fn run(mut self, board: RuleBoard) -> Infallible {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            match timeout(PATIENCE, self.look()).await {
                Ok(Ok(None)) => self.recovered(),
                Ok(Ok(Some((changes, tokens)))) => {
                    self.recovered();
                    tracing::info!(event = "tokens.changed", tokens = tokens.len(), "client tokens changed");
                    board.post_tokens(tokens);
                    self.seen = changes;
                }
                Ok(Err(error)) => self.failed(&error.to_string()),
                Err(_elapsed) => self.failed("it does not answer"),
            }
        }
    }

    /// The tokens, if they changed.
    async fn look(&self) -> Result<Option<(i64, Vec<ClientToken>)>, StorageError> {
        let changes = self.storage.token_changes().await?;
        if changes == self.seen {
            return Ok(None);
        }
        let tokens = worth_knowing(self.storage.tokens().await?, clock::now().wall);
        Ok(Some((changes, tokens)))
    }

    fn failed(&mut self, why: &str) {
        if std::mem::take(&mut self.is_well) {
            tracing::warn!(
                event = "tokens.failed",
                "client tokens cannot be read, those known last stay in force: {why}"
            );
        }
    }

    fn recovered(&mut self) {
        if !std::mem::replace(&mut self.is_well, true) {
            tracing::info!(event = "tokens.recovered", "client tokens can be read again");
        }
    }
}

fn worth_knowing(mut tokens: Vec<ClientToken>, now: Timestamp) -> Vec<ClientToken> {
    let forgotten = now.saturating_sub(REMEMBERED).unwrap_or(Timestamp::MIN);
    tokens.retain(|token| !token.is_over(forgotten));
    tokens
}
