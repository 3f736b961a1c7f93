//! The path and query to ask Anam for, without the caller's credentials.

use keygate_domain::ErrorKind;
use keygate_provider::{CallRejected, Inbound};

/// Query parameters in which callers put credentials; they end at the gateway.
const CREDENTIALS: [&str; 3] = ["key", "api_key", "access_token"];

/// Longest id admitted in a path, in bytes. Anam's are UUIDs or nanoids.
const MAX_ID_BYTES: usize = 128;

/// `path` with what is left of the caller's query.
///
/// # Errors
/// `BadRequest` when the query holds what no query may hold.
pub(crate) fn target(path: &str, inbound: &Inbound<'_>) -> Result<String, CallRejected> {
    if inbound.query.is_some_and(|query| !query.bytes().all(may_stand_in_query)) {
        return Err(CallRejected::new(
            ErrorKind::BadRequest,
            "the query contains characters that must be percent-encoded",
        ));
    }
    let mut target = path.to_owned();
    let forwarded = inbound.query_pairs().filter(|(name, _)| !is_credential(name));
    for (position, (name, value)) in forwarded.enumerate() {
        target.push(if position == 0 { '?' } else { '&' });
        target.push_str(name);
        target.push('=');
        target.push_str(value);
    }
    Ok(target)
}

/// `id`, if it can be one and stays within its path segment.
///
/// # Errors
/// `BadRequest` for anything but letters, digits, `-` and `_`: no dot, escape or slash can then
/// turn one route into another.
pub(crate) fn checked_id(id: &str) -> Result<&str, CallRejected> {
    let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if plain && !id.is_empty() && id.len() <= MAX_ID_BYTES {
        return Ok(id);
    }
    Err(CallRejected::new(
        ErrorKind::BadRequest,
        format!("an id consists of 1 to {MAX_ID_BYTES} letters, digits, '-' and '_'"),
    ))
}

fn may_stand_in_query(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'#' | b'"' | b'<' | b'>' | b'\\')
}

fn is_credential(name: &str) -> bool {
    let name = percent_decoded(name);
    CREDENTIALS.iter().any(|credential| name.eq_ignore_ascii_case(credential.as_bytes()))
}

/// The name as the provider would read it, so that `%6bey` is no way around the list.
pub(crate) fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        let (byte, left) = match after {
            [high, low, left @ ..] if *first == b'%' => {
                hex_pair(*high, *low).map_or((*first, after), |byte| (byte, left))
            }
            _ => (*first, after),
        };
        decoded.push(byte);
        rest = left;
    }
    decoded
}

fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method};
    use keygate_provider::Origin;
    use rstest::rstest;

    use super::*;

    fn target_for(query: Option<&str>) -> Result<String, CallRejected> {
        target(
            "/v1/x",
            &Inbound {
                method: &Method::GET,
                path: "/anything",
                query,
                headers: &HeaderMap::new(),
                body: &Bytes::new(),
                origin: Origin::INSIDE,
                request_id: "",
            },
        )
    }

    #[rstest]
    #[case::none(None, "/v1/x")]
    #[case::empty(Some(""), "/v1/x")]
    #[case::kept(Some("page=1&search=a%20b"), "/v1/x?page=1&search=a%20b")]
    #[case::credentials(Some("key=K&page=1&api_key=K&access_token=T"), "/v1/x?page=1")]
    #[case::case_and_escapes(Some("KEY=K&%6bey=K&api%5Fkey=K&Access_Token=T"), "/v1/x")]
    #[case::broken_escape(Some("%=1&%zz=2"), "/v1/x?%=1&%zz=2")]
    #[case::similar_names(Some("keys=1&monkey=2"), "/v1/x?keys=1&monkey=2")]
    fn the_query_goes_on_without_credentials(#[case] query: Option<&str>, #[case] expected: &str) {
        assert_eq!(target_for(query).unwrap(), expected);
    }

    #[rstest]
    #[case("a=b c")]
    #[case("a=\r\nx: y")]
    #[case("a=#f")]
    #[case("a=ü")]
    fn a_query_that_is_none_is_rejected(#[case] query: &str) {
        assert_eq!(target_for(Some(query)).unwrap_err().kind, ErrorKind::BadRequest);
    }

    #[rstest]
    #[case("")]
    #[case(".")]
    #[case("..")]
    #[case("%2e%2e")]
    #[case("a%2Fb")]
    #[case("a/b")]
    #[case("a\\b")]
    #[case("a\nb")]
    #[case("a?b")]
    #[case("ü")]
    fn a_hostile_id_is_rejected(#[case] id: &str) {
        assert_eq!(checked_id(id).unwrap_err().kind, ErrorKind::BadRequest);
    }

    #[test]
    fn ids_have_an_end() {
        assert!(checked_id(&"a".repeat(MAX_ID_BYTES)).is_ok());
        assert!(checked_id(&"a".repeat(MAX_ID_BYTES + 1)).is_err());
    }
}
