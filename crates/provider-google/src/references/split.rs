//! A JSON value taken apart where it lies: the members of an object, the elements of an array. No tree is
//! built, and what follows a place that cannot be read is left out.

use super::text::Text;

/// The members of the object that `document` is, in their order; none if it is none.
pub(crate) fn members(document: &[u8]) -> impl Iterator<Item = (Text<'_>, &[u8])> {
    let mut at = inside(document, b'{');
    std::iter::from_fn(move || {
        let start = skip(document, at?, |byte| byte == b',' || byte.is_ascii_whitespace());
        at = None;
        let (key, end) =
            matches!(document.get(start)?, b'"' | b'\'').then(|| Text::at(document, start))??;
        let colon = skip(document, end, |byte| byte.is_ascii_whitespace());
        (*document.get(colon)? == b':').then_some(())?;
        let value = skip(document, colon + 1, |byte| byte.is_ascii_whitespace());
        let end = end_of_value(document, value)?;
        at = Some(end);
        Some((key, &document[value..end]))
    })
}

/// The elements of the array that `document` is, in their order; none if it is none.
pub(crate) fn elements(document: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = inside(document, b'[');
    std::iter::from_fn(move || {
        let start = skip(document, at?, |byte| byte == b',' || byte.is_ascii_whitespace());
        let end = end_of_value(document, start);
        at = end;
        Some(&document[start..end?])
    })
}

/// The value of the first member called so.
pub(crate) fn member<'a>(document: &'a [u8], name: &str) -> Option<&'a [u8]> {
    members(document).find(|(key, _)| key.read().as_deref() == Some(name)).map(|(_, value)| value)
}

/// What a value says that is a string.
pub(crate) fn string(value: &[u8]) -> Option<String> {
    let (text, end) = matches!(value.first()?, b'"' | b'\'').then(|| Text::at(value, 0))??;
    (end == value.len()).then(|| text.read())?.map(std::borrow::Cow::into_owned)
}

/// Whether the document is whole: its one value ends.
pub(crate) fn is_whole(document: &[u8]) -> bool {
    let start = skip(document, 0, |byte| byte.is_ascii_whitespace());
    end_of_value(document, start).is_some()
}

/// Where the value at `start` ends; nothing if there is none, or it does not end.
pub(crate) fn end_of_value(document: &[u8], start: usize) -> Option<usize> {
    match document.get(start)? {
        b'"' | b'\'' => Text::at(document, start).map(|(_, end)| end),
        b'{' | b'[' => end_of_nest(document, start),
        b'}' | b']' | b',' | b':' => None,
        _ => Some(skip(document, start, |byte| {
            !matches!(byte, b',' | b'}' | b']') && !byte.is_ascii_whitespace()
        })),
    }
}

fn end_of_nest(document: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = start;
    loop {
        match document.get(at)? {
            b'"' | b'\'' => at = Text::at(document, at)?.1,
            opening => {
                match opening {
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
        }
    }
}

fn inside(document: &[u8], bracket: u8) -> Option<usize> {
    let start = skip(document, 0, |byte| byte.is_ascii_whitespace());
    (*document.get(start)? == bracket).then_some(start + 1)
}

/// The first place from `at` on that is not to be passed over.
pub(crate) fn skip(document: &[u8], at: usize, passes: impl Fn(u8) -> bool) -> usize {
    let rest = document.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| !passes(*byte)).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken_apart(document: &str) -> Vec<(String, &str)> {
        let members = members(document.as_bytes());
        members
            .map(|(key, value)| (key.read().unwrap().into_owned(), std::str::from_utf8(value).unwrap()))
            .collect()
    }

    #[test]
    fn members_come_as_they_are_written() {
        let document = r#" { "a" : "}" , "b":[1, {"c":"]"}],"d\u0065":-1.5e3 ,"n":null} "#;
        let expected = [("a", "\"}\""), ("b", r#"[1, {"c":"]"}]"#), ("de", "-1.5e3"), ("n", "null")];
        assert_eq!(taken_apart(document), expected.map(|(key, value)| (key.to_owned(), value)));
        assert_eq!(member(document.as_bytes(), "n"), Some(&b"null"[..]));
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        assert!(taken_apart("[]").is_empty() && taken_apart("").is_empty() && taken_apart("{").is_empty());
        assert_eq!(taken_apart(r#"{"a":1,"b":{"c":"#), [("a".to_owned(), "1")]);
        assert_eq!(taken_apart(r#"{"a":1,b:2}"#), [("a".to_owned(), "1")]);
        assert!(taken_apart(r#"{"a":}"#).is_empty());
    }

    #[test]
    fn elements_come_as_they_are_written() {
        let document = br#"[ {"a":"]"}, "x" ,[ ] , 3]"#;
        let elements: Vec<&[u8]> = elements(document).collect();
        assert_eq!(elements, [&br#"{"a":"]"}"#[..], b"\"x\"", b"[ ]", b"3"]);
        assert_eq!(super::elements(b"[]").count() + super::elements(b"{}").count(), 0);
    }

    #[test]
    fn a_document_is_whole_when_its_value_ends() {
        assert!(is_whole(b" {\"a\":[1]} ") && is_whole(b"[]"));
        assert!(!is_whole(b"{\"a\":[1]") && !is_whole(b"") && !is_whole(b"{\"a"));
    }
}
