//! Friendly words for a user whom nobody can answer.

use http::HeaderMap;
use keygate_journey::Lane;

/// The words of a provider in the language that the request asks for; none where there is no provider.
pub(crate) fn words<'l>(lane: Option<&'l Lane>, headers: &HeaderMap) -> &'l str {
    let asked = headers.get("accept-language").and_then(|value| value.to_str().ok()).unwrap_or_default();
    lane.map_or("", |lane| lane.messages.text(asked))
}
