//! The gateway's own errors in Anam's envelope, in words that its SDKs turn into their usual
//! exceptions. Always JSON: an SDK that gets anything else starts over, and that costs a session.

use std::time::Duration;

use keygate_domain::{ErrorKind, Refusal};
use keygate_provider::SurfaceAnswer;
use serde_json::json;

use crate::faults::CONCURRENT_LIMIT;

/// A pool that is back within this long is only busy; SDKs then say "try again shortly" instead
/// of "buy more".
const BUSY_AT_MOST: Duration = Duration::from_mins(2);

/// The refusal as Anam would word it.
pub(crate) fn answer(refusal: &Refusal) -> SurfaceAnswer {
    SurfaceAnswer::json(&json!({ "error": error(refusal), "message": refusal.message }))
}

/// `error` is what SDKs compare; of a 429 they know two texts and take any third for usage.
fn error(refusal: &Refusal) -> &'static str {
    match refusal.kind {
        ErrorKind::Unauthenticated => "Missing or invalid API key",
        ErrorKind::Forbidden => "Forbidden",
        ErrorKind::AmbiguousCredentials => "Ambiguous credentials",
        ErrorKind::BadRequest => "Bad request",
        ErrorKind::NotFound => "Not found",
        ErrorKind::MethodNotAllowed => "Method not allowed",
        ErrorKind::TooLarge => "Request body too large",
        ErrorKind::UserLimited => "Rate limit exceeded",
        ErrorKind::AffinityConflict => "Conflict",
        ErrorKind::ConfigurationRefused => "Unprocessable configuration",
        ErrorKind::PoolExhausted if is_soon_over(refusal) => CONCURRENT_LIMIT,
        ErrorKind::PoolExhausted | ErrorKind::PlanExhausted => "Usage limit reached",
        ErrorKind::PoolDisabled => "Service unavailable",
        ErrorKind::Overloaded | ErrorKind::UpstreamOverloaded => "Service busy",
        ErrorKind::DeadlineExceeded => "Gateway timeout",
        ErrorKind::UpstreamUnreachable | ErrorKind::UpstreamGarbled => "Bad gateway",
        ErrorKind::Internal => "Internal server error",
    }
}

fn is_soon_over(refusal: &Refusal) -> bool {
    refusal.retry_after.is_some_and(|wait| wait <= BUSY_AT_MOST)
}
