//! Headers of the request upstream: the few that may pass, and exactly one credential.

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use keygate_domain::ApiKey;

use crate::surface::Surface;

const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

/// Whether a header passes, by its name.
///
/// A list of what may pass, not of what may not: a header nobody thought of (a credential, a
/// user's name, a trace id, a cookie, an `x-forwarded-for`) then stays in the house. Left out on
/// purpose: `accept-encoding`, because a compressed stream could not be metered on its way, and
/// `x-goog-user-project`, because it bills a project that the key may not bill.
fn passes(name: &str) -> bool {
    let is_listed = matches!(
        name,
        "content-type"
            | "content-encoding"
            | "accept"
            | "user-agent"
            | "x-goog-api-client"
            | "x-goog-request-params"
            | "x-server-timeout"
            | "api-revision"
    );
    // Options of the Gemini API itself.
    is_listed || name.starts_with("x-gemini-")
}

/// The headers for upstream: what may pass of the caller's, and `key` in the place where the
/// surface expects it. Native paths answer 401 to a bearer key; the OpenAI-compatible ones want
/// nothing else.
pub(crate) fn upstream_headers(surface: Surface, from_caller: &HeaderMap, key: Option<&ApiKey>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(from_caller.len() + 1);
    for (name, value) in from_caller {
        if passes(name.as_str()) {
            headers.append(name.clone(), value.clone());
        }
    }
    if let Some((name, value)) = key.and_then(|key| credential(surface, key)) {
        headers.insert(name, value);
    }
    headers
}

/// The credential as a header that does not print itself. A key that no header can carry gives
/// none: Google then answers that the request came without a key, which the fault table names.
fn credential(surface: Surface, key: &ApiKey) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = match surface {
        Surface::Native | Surface::Interactions => (X_GOOG_API_KEY, HeaderValue::from_str(key.expose())),
        Surface::OpenAi => (AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {}", key.expose()))),
    };
    let mut value = value.ok()?;
    value.set_sensitive(true);
    Some((name, value))
}
