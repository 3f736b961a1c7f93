//! The query of a request: what is taken out, and what is read.

use std::borrow::Cow;

/// Every name under which Google takes a credential from the query. `key` and `access_token` are
/// the documented ones; the others are parameters that every Google API knows. A credential of
/// the caller beside ours would be answered `400 Multiple authentication credentials`.
const CREDENTIALS: [&str; 6] =
    ["key", "$key", "access_token", "$access_token", "oauth_token", "bearer_token"];

/// Parameters with which Google's front ends let a query stand for a method, headers or a body. What a caller
/// asked for is what was understood, so they go the same way.
const SECOND_REQUESTS: [&str; 4] = ["$httpMethod", "$httpHeaders", "$req", "$override"];

/// `path` with the caller's query, credentials left out and everything else as it came.
pub(crate) fn target(path: String, query: Option<&str>) -> String {
    let mut target = path;
    let mut separator = '?';
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        if !stays_here(pair.split('=').next().unwrap_or_default()) {
            target.push(separator);
            target.push_str(pair);
            separator = '&';
        }
    }
    target
}

/// Whether the answer is asked for as server-sent events: `alt=sse`, also spelled `$alt`.
pub(crate) fn asks_for_events<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> bool {
    let mut events = false;
    for (name, value) in pairs {
        if matches!(&*lenient(name), "alt" | "$alt") {
            // `$alt=json;enum-encoding=int`: options follow the format.
            events = lenient(value).split(';').next() == Some("sse");
        }
    }
    events
}

/// `raw` percent-decoded once; nothing if it is no valid encoding of text.
pub(crate) fn decode(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.contains('%') {
        return Some(Cow::Borrowed(raw));
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        let plain = if byte == b'%' { hex(bytes.next()?)? << 4 | hex(bytes.next()?)? } else { byte };
        decoded.push(plain);
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn stays_here(raw_name: &str) -> bool {
    let name = lenient(raw_name);
    CREDENTIALS.iter().chain(&SECOND_REQUESTS).any(|taken| taken.eq_ignore_ascii_case(name.trim()))
}

/// A name or value of the query for comparison; what cannot be decoded stays as it is.
fn lenient(raw: &str) -> Cow<'_, str> {
    decode(raw).unwrap_or(Cow::Borrowed(raw))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(None, "/p")]
    #[case(Some(""), "/p")]
    #[case(Some("key=abc"), "/p")]
    #[case(Some("alt=sse&key=abc"), "/p?alt=sse")]
    #[case(Some("key=a&$alt=json;enum-encoding=int&access_token=b"), "/p?$alt=json;enum-encoding=int")]
    #[case(Some("%6Bey=abc&fields=a%2Cb"), "/p?fields=a%2Cb")]
    #[case(Some("%24key=a&%61ccess%5Ftoken=b&pageSize=3"), "/p?pageSize=3")]
    #[case(Some("$httpMethod=DELETE&%24httpHeaders=x&$req=%7B%7D&a=b"), "/p?a=b")]
    #[case(Some("KEY=a&key&keys=kept&monkey=kept"), "/p?keys=kept&monkey=kept")]
    #[case(Some("oauth_token=a&%6B%65%79%20=b&bad=%zz&&prettyPrint=false"), "/p?bad=%zz&prettyPrint=false")]
    fn only_credentials_leave_the_query(#[case] query: Option<&str>, #[case] expected: &str) {
        assert_eq!(target("/p".to_owned(), query), expected);
    }

    #[rstest]
    #[case("alt=sse", true)]
    #[case("$alt=sse", true)]
    #[case("%24alt=%73se", true)]
    #[case("alt=json", false)]
    #[case("alt=json;enum-encoding=int", false)]
    #[case("fields=sse", false)]
    #[case("alt=sse&alt=json", false)]
    fn events_are_asked_for_by_alt(#[case] query: &str, #[case] expected: bool) {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        assert_eq!(asks_for_events(pairs), expected);
    }

    #[rstest]
    #[case("plain", Some("plain"))]
    #[case("a%3Ab", Some("a:b"))]
    #[case("%C3%BC", Some("ü"))]
    #[case("%", None)]
    #[case("%4", None)]
    #[case("%+4", None)]
    #[case("%FF", None)]
    fn decoding_is_strict(#[case] raw: &str, #[case] expected: Option<&str>) {
        assert_eq!(decode(raw).as_deref(), expected);
    }
}
