//! Which unprefixed paths are Google's.

/// Beginnings of Google's paths. Live is claimed although it is not served, so that its refusal has the shape
/// that Google's SDKs can read.
const CLAIMED: [&str; 7] =
    ["/v1/", "/v1beta/", "/v1alpha/", "/openai/v1/", "/upload/", "/download/", "/ws/google"];

/// Whether the path is Google's.
pub(crate) fn claims(path: &str) -> bool {
    CLAIMED.iter().any(|start| path.starts_with(start))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/v1/models", true)]
    #[case("/v1beta/models/x:generateContent", true)]
    #[case("/v1alpha/auth_tokens", true)]
    #[case("/openai/v1/chat/completions", true)]
    #[case("/upload/v1beta/files", true)]
    #[case("/download/v1beta/files/x:download", true)]
    #[case("/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent", true)]
    #[case("/v1betamax/models", false)]
    #[case("/api/v1/assistant/query", false)]
    #[case("/openai/v2/models", false)]
    #[case("/healthz", false)]
    fn google_claims_its_own_paths_only(#[case] path: &str, #[case] expected: bool) {
        assert_eq!(claims(path), expected);
    }
}
