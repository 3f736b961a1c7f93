//! What is written down of every attempt that could have cost something, and what is asked of it.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One attempt.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LedgerRow {
    /// Unlike that of any other attempt ever: something drawn for the request, and the number of the
    /// attempt. The request id will not do, since callers choose it. The same row may be written
    /// twice, and counts once.
    pub id: String,
    /// When it was sent, in milliseconds since 1970.
    pub time_ms: i64,
    /// The request, as its caller knows it.
    pub request_id: String,
    /// The backend that asked.
    pub client: String,
    /// The person behind it, by the client's name for them.
    pub user: String,
    /// Who was asked.
    pub provider: String,
    /// The model, or nothing where there is none.
    pub model: String,
    /// The key's public id, or nothing where none was used.
    pub key_id: String,
    /// The key's quota group.
    pub group: String,
    /// The operation, as traces name it.
    pub operation: String,
    /// The HTTP status of the answer; 0 if there was none.
    pub status: u16,
    /// What became of what was reserved for it.
    pub outcome: Outcome,
    /// What went wrong, in the words of the table of faults; nothing if all went well.
    pub fault: String,
    /// 1 for the first row of a request, 2 for the next. A request is counted where its first was.
    pub attempt: u32,
    /// Tokens of the prompt, those from the provider's cache included.
    pub input_tokens: u64,
    /// Tokens of the answer, without those of its thoughts.
    pub output_tokens: u64,
    /// Tokens of thoughts.
    pub thought_tokens: u64,
    /// Tokens of the prompt that came from the provider's cache.
    pub cached_tokens: u64,
    /// The provider's own total; the sum of the first three where it states none.
    pub total_tokens: u64,
    /// Whether the tokens are the gateway's estimate, because the provider's own count did not come.
    pub is_estimated: bool,
    /// From sending to the end of the answer.
    pub latency_ms: u64,
    /// From sending to the first byte of the answer; nothing if none came.
    pub first_byte_ms: Option<u64>,
    /// Who answered.
    pub source: AnswerSource,
}

/// What became of what was reserved. Every attempt is one of these, which is how the ledger balances.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was served, and what it cost is known or estimated.
    #[default]
    Settled,
    /// It cost nothing.
    Refunded,
    /// Nobody knows what became of it, so it counts as used.
    Lost,
}

impl Outcome {
    /// Its word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Refunded => "refunded",
            Self::Lost => "lost",
        }
    }
}

/// Who answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerSource {
    /// The provider.
    #[default]
    Provider,
    /// The response cache.
    Cache,
    /// An answer that was stored for when all else fails.
    Stored,
}

impl AnswerSource {
    /// Its word in the ledger and in `x-keygate-source`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Cache => "cache",
            Self::Stored => "stored",
        }
    }
}

/// A process that ended without saying so: what ended in its last moments may be missing from the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct UncleanEnd {
    /// All that ended before this moment is written down.
    pub from: Timestamp,
    /// The process did not live longer than this.
    pub until: Timestamp,
    /// Attempts that were under way when it was last heard of. They have no rows.
    pub under_way: u64,
}

/// What usage is told by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageGroup {
    /// By user. Users of one name who are different clients' are told apart as `client/user`.
    #[default]
    User,
    /// By client.
    Client,
    /// By key, by its public id.
    Key,
    /// By model.
    Model,
    /// By day of UTC.
    Day,
}

/// A word that usage cannot be told by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("usage is told by user, client, key, model or day")]
pub struct UnknownUsageGroup;

impl UsageGroup {
    /// Its word in questions and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Client => "client",
            Self::Key => "key",
            Self::Model => "model",
            Self::Day => "day",
        }
    }
}

impl FromStr for UsageGroup {
    type Err = UnknownUsageGroup;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "user" => Ok(Self::User),
            "client" => Ok(Self::Client),
            "key" => Ok(Self::Key),
            "model" => Ok(Self::Model),
            "day" => Ok(Self::Day),
            _ => Err(UnknownUsageGroup),
        }
    }
}

/// Which part of the ledger is asked about.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UsageQuery {
    /// From this moment on, in milliseconds since 1970.
    pub from_ms: i64,
    /// Up to, and without, this one.
    pub to_ms: i64,
    /// What it is told by.
    pub group_by: UsageGroup,
    /// This client's part only.
    pub only_client: Option<String>,
}

/// Sums over attempts. What is counted is the same in a row and in the total.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct UsageSums {
    /// Requests, each counted where its first attempt was.
    pub requests: u64,
    /// Attempts.
    pub attempts: u64,
    /// Attempts that went wrong.
    pub errors: u64,
    /// Tokens of prompts.
    pub input_tokens: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// Tokens of thoughts.
    pub thought_tokens: u64,
    /// Tokens of prompts that came from providers' caches; part of `input_tokens`.
    pub cached_tokens: u64,
    /// All tokens, as providers add them up.
    pub total_tokens: u64,
    /// The part of `total_tokens` that is an estimate.
    pub estimated_tokens: u64,
}

/// One line of a report.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct UsageRow {
    /// Whose: a user, client, key id, model or day (`2026-11-21`). Nothing where the attempt had none.
    pub key: String,
    /// How much.
    #[serde(flatten)]
    pub sums: UsageSums,
}

/// What was used.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct UsageReport {
    /// A line each, days in their order, all else by most tokens first.
    pub rows: Vec<UsageRow>,
    /// All of it.
    pub total: UsageSums,
}

impl std::ops::AddAssign for UsageSums {
    fn add_assign(&mut self, more: Self) {
        let Self {
            requests,
            attempts,
            errors,
            input_tokens,
            output_tokens,
            thought_tokens,
            cached_tokens,
            total_tokens,
            estimated_tokens,
        } = more;
        self.requests += requests;
        self.attempts += attempts;
        self.errors += errors;
        self.input_tokens += input_tokens;
        self.output_tokens += output_tokens;
        self.thought_tokens += thought_tokens;
        self.cached_tokens += cached_tokens;
        self.total_tokens += total_tokens;
        self.estimated_tokens += estimated_tokens;
    }
}

/// How many attempts the ledger holds, and what became of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct LedgerBalance {
    /// All rows.
    pub attempts: u64,
    /// Those that were served.
    pub settled: u64,
    /// Those that cost nothing.
    pub refunded: u64,
    /// Those of which nobody knows.
    pub lost: u64,
}

impl LedgerBalance {
    /// Whether every attempt is one of the three.
    pub fn holds(&self) -> bool {
        self.attempts == self.settled + self.refunded + self.lost
    }
}

impl fmt::Display for LedgerBalance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attempts, settled, refunded, lost } = self;
        write!(f, "{attempts} attempts = {settled} settled + {refunded} refunded + {lost} lost")
    }
}
