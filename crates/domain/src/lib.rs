//! The words every other crate speaks: ids, moments, secrets, intents, verdicts, errors.
//!
//! Nothing in here does I/O, reads a clock or logs. HTTP numbers are absent on purpose:
//! the front maps [`ErrorKind`] to a status, so that a decision never depends on a protocol.

mod allowance;
mod answers;
mod error;
mod ids;
mod intent;
mod key_spec;
mod known_secrets;
mod language;
mod moment;
mod redact;
mod resource;
mod secret;
mod spend;
mod verdict;
mod words;

pub use allowance::Allowance;
pub use answers::{AnswerSearch, FoundAnswer, StoredAnswer, chosen, ranked};
pub use error::{Blame, ErrorKind, Refusal};
pub use ids::{BucketName, ClientId, GroupId, KeyId, LeaseId, ModelName, ProviderName, UserId};
pub use intent::{Access, Intent, Operation, Placement, Replay, Right, Streaming};
pub use key_spec::{KeySpec, Role};
pub use language::{Languages, Messages};
pub use moment::Moment;
pub use redact::{InvalidRedaction, Redactor};
pub use resource::{Binding, Keepsake, OpenedSession, Resource};
pub use secret::ApiKey;
pub use spend::{Spend, Usage};
pub use verdict::{Failure, Fault, Hint, Metric, Reset, RetryAdvice, Scope, Tier, Verdict};
pub use words::{Word, weight_of, words};
