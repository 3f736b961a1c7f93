//! Finds what a body names, without reading the body.
//!
//! Bodies may be 100 MiB of inline media, and nothing of that matters here. What matters are strings, and
//! whether one is a key: so the scan leaps from quote to quote and looks at what is between two quotes only
//! where that can be a name. It follows no nesting and builds nothing. A long string costs one search for its
//! end, which is as fast as memory is read; a search for words beforehand would cost the same once more and
//! find no word that is written with escapes.
//!
//! Google's reader is lenient: it takes single quotes and keys without quotes. So does the scan, because what
//! it does not see is not checked. What a user says is never taken for a name: neither text, nor what a
//! function was called with or gave back.

use memchr::{memchr, memchr3};

use super::Named;
use super::key::Key;
use super::split::{end_of_value, skip};
use super::text::Text;

/// Longest value looked at, in bytes; a URL with all its parameters is shorter.
const MAX_VALUE_BYTES: usize = 4096;

/// A string that is the value of a member, or an element of an array that is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'a> {
    /// The member.
    pub key: Key,
    /// What it says.
    pub text: Text<'a>,
    /// Where its opening quote is.
    pub start: usize,
    /// Where it ends, behind the closing quote.
    pub end: usize,
}

/// Shows every string value that can be a name to `look`, until that says stop.
pub(super) fn values<'a>(
    body: &'a [u8],
    mut look: impl FnMut(Value<'a>) -> Result<(), Named>,
) -> Result<(), Named> {
    let mut at = 0;
    let mut key = Key::Other;
    while let Some(step) = body.get(at..).and_then(|rest| memchr3(b'"', b'\'', b':', rest)) {
        let start = at + step;
        if body[start] == b':' {
            // No string stands before it: a key without quotes.
            (key, at) = behind_key(body, Key::of(bare_word(body, start)), start);
            continue;
        }
        let Some((text, end)) = Text::at(body, start) else { break };
        let next = skip(body, end, |byte| byte.is_ascii_whitespace());
        if body.get(next) == Some(&b':') {
            (key, at) = behind_key(body, Key::of(text), next);
            continue;
        }
        // Behind an object that ended, an array goes on whose key was another.
        if memchr(b'}', &body[at..start]).is_some() {
            key = Key::Other;
        }
        at = end;
        if key.may_name() && (text.written_len() <= MAX_VALUE_BYTES || key == Key::Continuation) {
            look(Value { key, text, start, end })?;
        }
    }
    Ok(())
}

/// A key whose colon is at `colon`, and where to go on: an object that is a user's own is passed over.
fn behind_key(body: &[u8], key: Key, colon: usize) -> (Key, usize) {
    let value = skip(body, colon + 1, |byte| byte.is_ascii_whitespace());
    if key == Key::Users && body.get(value) == Some(&b'{') {
        return (key, end_of_value(body, value).unwrap_or(body.len()));
    }
    (key, value)
}

/// The word before a colon.
fn bare_word(body: &[u8], colon: usize) -> Text<'_> {
    let before = body[..colon].trim_ascii_end();
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
    let length = before.iter().rev().take_while(|byte| is_word(byte)).take(64).count();
    Text::bare(&before[before.len() - length..])
}
