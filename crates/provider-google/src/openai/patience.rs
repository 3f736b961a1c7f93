//! How long an `OpenAI` SDK waits.

use std::time::Duration;

use http::HeaderName;
use keygate_domain::Streaming;
use keygate_provider::Inbound;

/// Where the SDKs say it, in seconds: JavaScript until the head of an answer is there (openai 7.55.0,
/// `client.js`), Python between two bytes (openai 3.52.0, `_base_client.py`).
const HEADERS: [HeaderName; 2] =
    [HeaderName::from_static("x-stainless-timeout"), HeaderName::from_static("x-stainless-read-timeout")];

/// How long the caller waits for an answer in one piece, if it says so: it hangs up then, and asks again by
/// itself. For a stream neither header says when it has to end.
pub(crate) fn patience(inbound: &Inbound<'_>, streaming: Streaming) -> Option<Duration> {
    if streaming.is_stream() {
        return None;
    }
    let seconds: f64 = HEADERS.iter().find_map(|name| inbound.header(name)?.trim().parse().ok())?;
    Duration::try_from_secs_f64(seconds).ok().filter(|wait| !wait.is_zero())
}
