//! Which of a provider's response headers pass to the caller.

use http::{HeaderMap, HeaderName};
use keygate_domain::Redactor;

/// The headers that pass, secrets taken out of their values.
pub(crate) fn passing(headers: &HeaderMap, redactor: &Redactor) -> HeaderMap {
    let mut passing = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        if is_withheld(name) {
            continue;
        }
        match redactor.scrub(value.as_bytes()) {
            std::borrow::Cow::Borrowed(_) => {
                passing.append(name, value.clone());
            }
            std::borrow::Cow::Owned(clean) => {
                if let Ok(clean) = http::HeaderValue::from_bytes(&clean) {
                    passing.append(name, clean);
                }
            }
        }
    }
    passing
}

/// Not passed on: hop-by-hop headers (RFC 9110 §7.6.1), what the front writes itself, cookies,
/// and what speaks for the provider's host (`alt-svc` and `location` would lead clients, and their
/// tokens, around the gateway).
fn is_withheld(name: &HeaderName) -> bool {
    let name = name.as_str();
    let is_listed = matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "content-length"
            | "set-cookie"
            | "alt-svc"
            | "location"
            | "content-location"
            | "refresh"
            | "server"
            | "via"
            | "date"
            | "x-request-id"
            | "www-authenticate"
            | "strict-transport-security"
    );
    is_listed || name.starts_with("access-control-") || name.starts_with("x-keygate-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hop_by_hop_cookies_and_secrets_stay_behind() {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "text/event-stream".parse().unwrap());
        headers.insert("connection", "close".parse().unwrap());
        headers.insert("location", "https://elsewhere.example/".parse().unwrap());
        headers.insert("set-cookie", "a=b".parse().unwrap());
        headers.insert("x-keygate-key", "forged".parse().unwrap());
        headers.insert("x-echo", "key=planted-secret;".parse().unwrap());
        let redactor = Redactor::new(["planted-secret"], &[]).unwrap();
        let passed = passing(&headers, &redactor);
        assert_eq!(passed.len(), 2);
        assert_eq!(passed["content-type"], "text/event-stream");
        assert_eq!(passed["x-echo"], "key=**************;");
    }
}
