//! Google's errors on this surface, out of their array.

use bytes::Bytes;

/// The one object of an array of one: `[{"error": …}]` becomes `{"error": …}`, byte by byte Google's own;
/// nothing if the body is anything else.
///
/// Google wraps errors of its OpenAI-compatible surface in an array, where `OpenAI`'s SDKs find no message:
/// Python raises "Error code: 400", JavaScript "400 status code (no body)".
pub(crate) fn unwrapped(body: &Bytes) -> Option<Bytes> {
    let inner = body.trim_ascii().strip_prefix(b"[")?.strip_suffix(b"]")?.trim_ascii();
    let error: serde_json::Value = serde_json::from_slice(inner).ok()?;
    error.get("error")?.is_object().then(|| body.slice_ref(inner))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("[{\n  \"error\": { \"code\": 400 }\n}\n]\n", Some("{\n  \"error\": { \"code\": 400 }\n}"))]
    #[case(r#"[{"error":{"message":"]"}}]"#, Some(r#"{"error":{"message":"]"}}"#))]
    #[case(r#"{"error":{"code":400}}"#, None)]
    #[case(r#"[{"error":{}},{"error":{}}]"#, None)]
    #[case(r#"[{"error":"text"}]"#, None)]
    #[case("[]", None)]
    #[case("[", None)]
    #[case("<html>", None)]
    fn only_an_array_of_one_error_is_opened(#[case] body: &str, #[case] expected: Option<&str>) {
        let body = Bytes::copy_from_slice(body.as_bytes());
        assert_eq!(unwrapped(&body).as_deref(), expected.map(str::as_bytes));
    }
}
