//! Anam's session tokens: how one is told from a gateway token, and what it is called.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use keygate_domain::Resource;
use sha2::{Digest, Sha256};

/// The kind of resource a session token is.
const KIND: &str = "session_token";

/// Longest token looked into, in bytes. Anam's are well below 1 KiB.
const MAX_BYTES: usize = 16 * 1024;

/// Base64url, with or without padding: JWTs have none, hand-made ones often do.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whether a bearer is one of Anam's session tokens: a JWT whose claims name an account and a
/// type, which is what Anam's own SDK insists on. Gateway tokens contain no dot, so the two
/// cannot be confused. The signature is Anam's business.
pub(crate) fn is_session_token(bearer: &str) -> bool {
    bearer.len() <= MAX_BYTES
        && claims(bearer).is_some_and(|claims| has_text(&claims, "accountId") && has_text(&claims, "type"))
}

/// What a token is called where it is remembered: by its SHA-256, never by its value.
pub(crate) fn resource(token: &str) -> Resource {
    let digest = Sha256::digest(token.as_bytes());
    let hex = digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    Resource::new(KIND, hex)
}

/// The token in an answer of the mint, if it has one.
pub(crate) fn in_answer(body: &[u8]) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    let token = answer.get("sessionToken")?.as_str()?;
    (!token.is_empty()).then(|| token.to_owned())
}

fn claims(token: &str) -> Option<serde_json::Value> {
    let mut parts = token.split('.');
    let (Some(_header), Some(claims), Some(_signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    serde_json::from_slice(&BASE64URL.decode(claims).ok()?).ok()
}

fn has_text(claims: &serde_json::Value, name: &str) -> bool {
    claims.get(name).and_then(serde_json::Value::as_str).is_some_and(|text| !text.is_empty())
}

#[cfg(test)]
pub(crate) mod tests {
    use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// A token as Anam's SDKs accept it; the signature is made up.
    pub(crate) fn token(claims: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#), URL_SAFE_NO_PAD.encode(claims))
    }

    pub(crate) const CLAIMS: &str = r#"{"accountId":"org-1","type":"ephemeral"}"#;

    #[test]
    fn a_token_is_recognised_with_and_without_padding() {
        assert!(is_session_token(&token(CLAIMS)));
        assert!(is_session_token(&format!("h.{}.s", URL_SAFE.encode(CLAIMS))));
    }

    #[rstest]
    #[case::gateway_token("kg_0123456789abcdefghij")]
    #[case::empty("")]
    #[case::two_parts("aGVhZA.eyJhY2NvdW50SWQiOiJhIiwidHlwZSI6ImIifQ")]
    #[case::four_parts("a.eyJhY2NvdW50SWQiOiJhIiwidHlwZSI6ImIifQ.c.d")]
    #[case::garbage_base64("a.!!not base64!!.c")]
    #[case::standard_alphabet("a.+/+/.c")]
    #[case::not_json("a.bm90IGpzb24.c")]
    #[case::json_text("a.ImFjY291bnRJZCI.c")]
    #[case::dots_only("..")]
    fn anything_else_is_not_a_session_token(#[case] bearer: &str) {
        assert!(!is_session_token(bearer), "{bearer}");
    }

    #[rstest]
    #[case::no_account(r#"{"type":"ephemeral"}"#)]
    #[case::no_type(r#"{"accountId":"org-1"}"#)]
    #[case::account_is_a_number(r#"{"accountId":7,"type":"ephemeral"}"#)]
    #[case::empty_account(r#"{"accountId":"","type":"ephemeral"}"#)]
    #[case::array(r#"["accountId","type"]"#)]
    fn claims_must_name_account_and_type(#[case] claims: &str) {
        assert!(!is_session_token(&token(claims)), "{claims}");
    }

    #[test]
    fn a_huge_token_is_not_looked_into() {
        let claims = format!(r#"{{"accountId":"{}","type":"ephemeral"}}"#, "a".repeat(MAX_BYTES));
        assert!(!is_session_token(&token(&claims)));
    }

    #[test]
    fn a_token_is_called_by_its_sha256() {
        // printf abc | sha256sum
        assert_eq!(
            resource("abc").to_string(),
            "session_token/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    proptest! {
        #[test]
        fn no_bearer_makes_it_panic(bearer in "\\PC{0,200}", parts in "[A-Za-z0-9_=-]{0,20}(\\.[A-Za-z0-9_=-]{0,40}){0,4}") {
            is_session_token(&bearer);
            is_session_token(&parts);
        }
    }
}
