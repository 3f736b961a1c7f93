//! `stream_options: {include_usage: true}`: without it a stream does not tell what it cost.

use std::borrow::Cow;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::members::{Member, members};

/// What a body that does not ask for the usage of its stream has to say in addition.
#[derive(PartialEq, Eq, Debug)]
struct Edit {
    /// What is replaced; empty where something is put in.
    at: Range<usize>,
    text: &'static [u8],
}

/// What a body says about the usage of its stream.
#[derive(PartialEq, Eq, Debug)]
enum Said {
    /// The caller wants it.
    Asked,
    /// The caller says no, or nothing.
    NotAsked(Edit),
    /// Something that Google will refuse, or may read in two ways. It is passed on as it is.
    Unclear,
}

/// Whether the caller of this stream gets its usage: because it asked, or because nobody asked for it.
pub(crate) fn asks_for_usage_itself(body: &[u8]) -> bool {
    !matches!(said(body), Said::NotAsked(_))
}

/// The body of a stream with its usage asked for; every other byte as it came.
pub(crate) fn with_usage_asked_for(body: &Bytes) -> Bytes {
    let Said::NotAsked(Edit { at, text }) = said(body) else { return body.clone() };
    let mut edited = BytesMut::with_capacity(body.len() + text.len());
    edited.extend_from_slice(&body[..at.start]);
    edited.extend_from_slice(text);
    edited.extend_from_slice(&body[at.end..]);
    edited.freeze()
}

fn said(body: &[u8]) -> Said {
    let Some(root) = members(body) else { return Said::Unclear };
    let Some(first) = root.first() else { return Said::Unclear };
    match only(&root, body, &["stream_options", "streamOptions"]) {
        Err(Twice) => Said::Unclear,
        Ok(None) => {
            let at = first.key.start..first.key.start;
            Said::NotAsked(Edit { at, text: br#""stream_options":{"include_usage":true},"# })
        }
        Ok(Some(options)) if &body[options.value.clone()] == b"null" => {
            Said::NotAsked(Edit { at: options.value, text: br#"{"include_usage":true}"# })
        }
        Ok(Some(options)) => said_in_options(body, options.value.clone()),
    }
}

fn said_in_options(body: &[u8], options: Range<usize>) -> Said {
    let start = options.start;
    let inner = &body[options];
    let Some(fields) = members(inner) else { return Said::Unclear };
    let shift = |range: Range<usize>| start + range.start..start + range.end;
    match only(&fields, inner, &["include_usage", "includeUsage"]) {
        Err(Twice) => Said::Unclear,
        Ok(Some(field)) => match &inner[field.value.clone()] {
            b"true" => Said::Asked,
            b"false" | b"null" => Said::NotAsked(Edit { at: shift(field.value), text: b"true" }),
            _ => Said::Unclear,
        },
        Ok(None) => {
            let (at, text): (_, &[u8]) = match fields.first() {
                Some(first) => (first.key.start, br#""include_usage":true,"#),
                // Behind the bracket.
                None => (1, br#""include_usage":true"#),
            };
            Said::NotAsked(Edit { at: shift(at..at), text })
        }
    }
}

/// The member is there more than once.
struct Twice;

/// The one member with one of these names.
fn only(members: &[Member], object: &[u8], names: &[&str]) -> Result<Option<Member>, Twice> {
    let is_wanted = |name: &Cow<'_, str>| names.contains(&name.as_ref());
    let mut found = members.iter().filter(|member| member.name(object).as_ref().is_some_and(is_wanted));
    match (found.next(), found.next()) {
        (first, None) => Ok(first.cloned()),
        (_, Some(_)) => Err(Twice),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::Value;

    use super::*;

    fn edited(body: &str) -> String {
        let body = Bytes::copy_from_slice(body.as_bytes());
        String::from_utf8(with_usage_asked_for(&body).to_vec()).unwrap()
    }

    #[rstest]
    #[case::absent(r#"{"stream":true}"#, r#"{"stream_options":{"include_usage":true},"stream":true}"#)]
    #[case::spaces(
        "\n{ \"a\" : 1.0e2 ,\"stream\":true}\n",
        "\n{ \"stream_options\":{\"include_usage\":true},\"a\" : 1.0e2 ,\"stream\":true}\n"
    )]
    #[case::null(
        r#"{"stream_options": null ,"a":1}"#,
        r#"{"stream_options": {"include_usage":true} ,"a":1}"#
    )]
    #[case::empty(r#"{"stream_options":{ }}"#, r#"{"stream_options":{"include_usage":true }}"#)]
    #[case::no(
        r#"{"stream_options":{"include_usage": false}}"#,
        r#"{"stream_options":{"include_usage": true}}"#
    )]
    #[case::others(
        r#"{"x":{"stream_options":1},"stream_options":{"include_obfuscation":false}}"#,
        r#"{"x":{"stream_options":1},"stream_options":{"include_usage":true,"include_obfuscation":false}}"#
    )]
    #[case::camel(r#"{"streamOptions":{"includeUsage":null}}"#, r#"{"streamOptions":{"includeUsage":true}}"#)]
    #[case::escaped(
        r#"{"stream\u005foptions":{"include_usage":false}}"#,
        r#"{"stream\u005foptions":{"include_usage":true}}"#
    )]
    fn usage_is_asked_for_and_nothing_else_changes(#[case] body: &str, #[case] expected: &str) {
        assert_eq!(edited(body), expected);
        assert!(!asks_for_usage_itself(body.as_bytes()));
        assert!(asks_for_usage_itself(expected.as_bytes()));
        let is_json: Value = serde_json::from_str(expected).unwrap();
        assert!(is_json.is_object());
    }

    #[rstest]
    #[case(r#"{"stream":true,"stream_options":{"include_usage":true}}"#)]
    #[case(r#"{"streamOptions":{"includeUsage":true}}"#)]
    #[case(r#"{"stream_options":{"include_usage":"yes"}}"#)]
    #[case(r#"{"stream_options":7}"#)]
    #[case(r#"{"stream_options":{},"streamOptions":{}}"#)]
    #[case(r#"{"stream_options":{"include_usage":false,"include_usage":true}}"#)]
    #[case("{}")]
    #[case("[]")]
    #[case("no JSON")]
    fn what_asks_or_is_unclear_stays_as_it_is(#[case] body: &str) {
        assert_eq!(edited(body), body);
        assert!(asks_for_usage_itself(body.as_bytes()));
    }

    #[test]
    fn a_body_that_asks_is_not_copied() {
        let body = Bytes::from_static(br#"{"stream_options":{"include_usage":true}}"#);
        assert_eq!(with_usage_asked_for(&body).as_ptr(), body.as_ptr());
    }
}
