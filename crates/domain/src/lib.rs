//! The words every other crate speaks: ids, moments, secrets, intents, verdicts, errors.
//!
//! Nothing in here does I/O, reads a clock or logs. HTTP numbers are absent on purpose:
//! the front maps [`ErrorKind`] to a status, so that a decision never depends on a protocol.

mod allowance;
mod answers;
mod audit;
mod checksum;
mod client;
mod database_url;
mod error;
mod ids;
mod intent;
mod key_spec;
mod known_secrets;
mod language;
mod ledger;
mod moment;
mod redact;
mod resource;
mod secret;
mod spend;
mod token;
mod verdict;
mod words;

pub use allowance::Allowance;
pub use answers::{AnswerSearch, FoundAnswer, StoredAnswer, chosen, ranked};
pub use audit::{AuditAction, AuditBreak, AuditChain, AuditEntry, AuditHead, AuditPage, AuditRow};
pub use checksum::Checksum;
pub use client::{ClientProfile, InvalidModel, ModelList, UserLimits};
pub use database_url::DatabaseUrl;
pub use error::{Blame, ErrorKind, Refusal};
pub use ids::{
    BucketName, ClientId, GroupId, KeyId, LeaseId, ModelName, PlanName, ProviderName, TokenId, UserId,
};
pub use intent::{Access, Intent, Operation, Placement, Replay, Right, Streaming};
pub use key_spec::{KeySpec, Role};
pub use language::{Languages, Messages};
pub use ledger::{
    AnswerSource, LedgerBalance, LedgerRow, Outcome, UncleanEnd, UnknownUsageGroup, UsageGroup, UsageQuery,
    UsageReport, UsageRow, UsageSums,
};
pub use moment::Moment;
pub use redact::{InvalidRedaction, Redactor};
pub use resource::{Binding, Keepsake, OpenedSession, Resource};
pub use secret::ApiKey;
pub use spend::{Spend, Usage};
pub use token::{ClientToken, TokenSecret};
pub use verdict::{Failure, Fault, Hint, Metric, Reset, RetryAdvice, Scope, Tier, Verdict};
pub use words::{Word, weight_of, words};
