//! The id that ties a caller's report to logs and traces.

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id taken over from a caller.
const MAX_BYTES: usize = 128;

/// The caller's own `x-request-id` if it is fit to print, else a new one (UUID v7: sorted by time).
pub(crate) fn of(headers: &HeaderMap) -> String {
    kept(headers.get(X_REQUEST_ID).map(HeaderValue::as_bytes))
}

/// The id that was sent, by the same rule.
pub(crate) fn kept(sent: Option<&[u8]>) -> String {
    sent.and_then(|id| std::str::from_utf8(id).ok())
        .filter(|id| !id.is_empty() && id.len() <= MAX_BYTES && id.bytes().all(is_fit))
        .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

fn is_fit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_for(sent: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", sent.parse().unwrap());
        of(&headers)
    }

    #[test]
    fn a_printable_id_is_taken_over_and_any_other_replaced() {
        assert_eq!(id_for("order-17.3"), "order-17.3");
        assert_ne!(id_for("a b"), "a b");
        assert_ne!(id_for("<script>"), "<script>");
        assert_eq!(id_for(&"x".repeat(129)).len(), 36);
        assert_eq!(of(&HeaderMap::new()).len(), 36);
    }
}
