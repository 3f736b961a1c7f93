//! Strings of JSON, read where they lie.

use std::borrow::Cow;

use memchr::memchr2;

/// A string as it stands in a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Text<'a> {
    /// What is between the quotes.
    raw: &'a [u8],
    has_escapes: bool,
}

impl<'a> Text<'a> {
    /// Reads the string whose quote (`"`, or `'` as Google's lenient reader takes it) is at `start`; says
    /// where it ends, behind the closing quote. Nothing if it does not end.
    pub(crate) fn at(document: &'a [u8], start: usize) -> Option<(Self, usize)> {
        let quote = *document.get(start)?;
        let mut at = start + 1;
        let mut has_escapes = false;
        loop {
            at += memchr2(quote, b'\\', document.get(at..)?)?;
            if document[at] == quote {
                return Some((Self { raw: &document[start + 1..at], has_escapes }, at + 1));
            }
            has_escapes = true;
            at += 2;
        }
    }

    /// A word without quotes.
    pub(crate) fn bare(raw: &'a [u8]) -> Self {
        Self { raw, has_escapes: false }
    }

    /// Its length as written, in bytes.
    pub(crate) fn written_len(self) -> usize {
        self.raw.len()
    }

    /// What is between the quotes, escapes and all.
    pub(crate) fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// What it says; nothing if that is no text.
    pub(crate) fn read(self) -> Option<Cow<'a, str>> {
        let raw = std::str::from_utf8(self.raw).ok()?;
        if self.has_escapes { unescaped(raw).map(Cow::Owned) } else { Some(Cow::Borrowed(raw)) }
    }
}

/// RFC 8259 §7. An escape that is none stands for the character behind it, as lenient readers have it.
fn unescaped(raw: &str) -> Option<String> {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, behind)) = rest.split_once('\\') {
        text.push_str(before);
        let escape = behind.chars().next()?;
        rest = &behind[escape.len_utf8()..];
        match escape {
            'b' => text.push('\u{8}'),
            'f' => text.push('\u{c}'),
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            't' => text.push('\t'),
            'u' => {
                let (unit, after) = code_unit(rest)?;
                rest = after;
                let low = is_high_surrogate(unit).then(|| code_unit(rest.strip_prefix("\\u")?)).flatten();
                let (units, after) = low.map_or(([unit, 0], rest), |(low, after)| ([unit, low], after));
                let pair = &units[..if low.is_some() { 2 } else { 1 }];
                rest = after;
                text.extend(char::decode_utf16(pair.iter().copied()).map(|c| c.unwrap_or('\u{fffd}')));
            }
            other => text.push(other),
        }
    }
    text.push_str(rest);
    Some(text)
}

fn code_unit(text: &str) -> Option<(u16, &str)> {
    let digits = text.get(..4).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
    Some((u16::from_str_radix(digits, 16).ok()?, &text[4..]))
}

fn is_high_surrogate(unit: u16) -> bool {
    (0xd800..0xdc00).contains(&unit)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(r#""plain" "#, Some("plain"), 7)]
    #[case(r#""""#, Some(""), 2)]
    #[case(r#""files\/abc","#, Some("files/abc"), 12)]
    #[case(r#""a\"b\\" x"#, Some("a\"b\\"), 8)]
    #[case(r#""\u0066iles""#, Some("files"), 12)]
    #[case(r#""\ud83d\ude00!""#, Some("😀!"), 15)]
    #[case(r#""\ud83d!""#, Some("\u{fffd}!"), 9)]
    #[case(r#""\ud83d\n""#, Some("\u{fffd}\n"), 10)]
    #[case("'single \"'", Some("single \""), 10)]
    #[case(r#""\u00""#, None, 6)]
    fn strings_are_read(#[case] document: &str, #[case] says: Option<&str>, #[case] end: usize) {
        let (text, at) = Text::at(document.as_bytes(), 0).unwrap();
        assert_eq!((text.read().as_deref(), at), (says, end));
    }

    #[rstest]
    #[case("\"open")]
    #[case("\"open\\\"")]
    #[case("\"open\\")]
    #[case("\"")]
    fn what_does_not_end_is_none(#[case] document: &str) {
        assert!(Text::at(document.as_bytes(), 0).is_none());
    }
}
