//! The spans of a request and everything recorded on them.
//!
//! ```text
//! POST /{version}/models/{model}:generateContent     server    root
//! ├── admit                                           internal  admit, one per call that counts
//! ├── acquire google                                  internal  acquire, one per ask for a key
//! └── generate_content gemini-2.5-flash               client    attempt, one per request sent
//! ```
//!
//! Parents are handed over, never taken from the surroundings: a span does not follow a message
//! into a mailbox, and a disabled parent (an unsampled request) makes its children disabled too.
//! All `record_…` functions cost one comparison on a disabled span.
//!
//! HTTP attributes follow the stable HTTP conventions, `gen_ai.*` the `OpenTelemetry` GenAI
//! conventions 1.42 (`names`); what those have no word for is `keygate.*`.

mod acquire;
mod admit;
mod attempt;
mod content;
pub(crate) mod names;
mod root;

pub use acquire::{
    AskFacts, ChoiceFacts, KeyFacts, RefusalFacts, acquire, record_choice, record_key, record_pool_refusal,
    record_skipped, record_waited,
};
pub use admit::{AdmitFacts, admit, record_admitted, record_not_admitted};
pub use attempt::{
    AttemptFacts, attempt, record_answer_status, record_failure, record_metered, record_relayed,
    record_time_to_first_chunk, record_usage,
};
pub use content::{content_slip, record_content_missing};
pub use root::{
    Arrival, record_cache, record_caller, record_intent, record_project, record_refusal, record_response,
    record_stand_in, root,
};

/// The target of every span and span event here. Logs leave it out; `RUST_LOG=info,keygate::trace=info`
/// brings it in.
pub const TARGET: &str = "keygate::trace";

/// Longest text recorded as it is, in bytes: names of users and agents are the caller's to choose.
const LONGEST_TEXT_BYTES: usize = 256;

/// A number as traces know it: the bridge writes what is not an `i64` as text.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn milliseconds(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST_TEXT_BYTES)]
}
