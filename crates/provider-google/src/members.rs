//! Where the members of a JSON object stand, so that one can be changed and every other byte stays.
//!
//! Reading a body into values and writing it again would change numbers, spaces and the order of fields; a
//! parser that borrows says what a value is, but not where. So this follows brackets and strings, once, and
//! keeps nothing. It does not judge: what is no JSON gives no members, or wrong ones in the right order.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;

/// A member of an object, by the places of its parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Member {
    /// The key, quotes included.
    pub(crate) key: Range<usize>,
    /// The value, without the space around it.
    pub(crate) value: Range<usize>,
}

impl Member {
    /// The key as it is meant; nothing if it is none.
    pub(crate) fn name<'b>(&self, object: &'b [u8]) -> Option<Cow<'b, str>> {
        let quoted = object.get(self.key.clone())?;
        let plain = quoted.get(1..quoted.len().checked_sub(1)?)?;
        if plain.contains(&b'\\') {
            return serde_json::from_slice(quoted).ok().map(Cow::Owned);
        }
        std::str::from_utf8(plain).ok().map(Cow::Borrowed)
    }
}

/// The members of the object that `bytes` are; nothing if they are no object, or one that does not end.
pub(crate) fn members(bytes: &[u8]) -> Option<Vec<Member>> {
    let mut members = Vec::new();
    let mut at = past_space(bytes, 0);
    if bytes.get(at) != Some(&b'{') {
        return None;
    }
    at = past_space(bytes, at + 1);
    if bytes.get(at) == Some(&b'}') {
        return Some(members);
    }
    loop {
        let key_end = past_string(bytes, at)?;
        let colon = past_space(bytes, key_end);
        if bytes.get(colon) != Some(&b':') {
            return None;
        }
        let value = past_space(bytes, colon + 1);
        let value_end = past_value(bytes, value)?;
        members.push(Member { key: at..key_end, value: value..value_end });
        let next = past_space(bytes, value_end);
        match bytes.get(next)? {
            b',' => at = past_space(bytes, next + 1),
            b'}' => return Some(members),
            _ => return None,
        }
    }
}

fn past_space(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Behind the string that begins at `from`.
fn past_string(bytes: &[u8], from: usize) -> Option<usize> {
    if bytes.get(from) != Some(&b'"') {
        return None;
    }
    let mut at = from + 1;
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Behind the value that begins at `from`.
fn past_value(bytes: &[u8], from: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = from;
    loop {
        match *bytes.get(at)? {
            b'"' => {
                at = past_string(bytes, at)?;
                if depth == 0 {
                    return Some(at);
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => {
                return if depth == 0 { end_of_word(from, at) } else { Some(at + 1) };
            }
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => return end_of_word(from, at),
            byte if depth == 0 && byte.is_ascii_whitespace() => return end_of_word(from, at),
            _ => {}
        }
        at += 1;
    }
}

/// A number, `true`, `false` or `null` that ends at `at`; nothing is none of them.
fn end_of_word(from: usize, at: usize) -> Option<usize> {
    (at > from).then_some(at)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn shown(object: &str) -> Option<Vec<String>> {
        let bytes = object.as_bytes();
        let found = members(bytes)?;
        let one = |member: &Member| {
            let name = member.name(bytes).unwrap_or_default();
            format!("{name} = {}", &object[member.value.clone()])
        };
        Some(found.iter().map(one).collect())
    }

    #[rstest]
    #[case("{}", &[])]
    #[case(" { \n } ", &[])]
    #[case(r#"{"a":1}"#, &["a = 1"])]
    #[case(r#" { "a" : 1 , "b":[{"c":"]}"},2] ,"d":{"e":{}} } "#, &["a = 1", r#"b = [{"c":"]}"},2]"#, r#"d = {"e":{}}"#])]
    #[case(r#"{"a":"x\"}\\","b\u0063":null,"ü":true}"#, &[r#"a = "x\"}\\""#, "bc = null", "ü = true"])]
    #[case("{\"a\":-1.5e3\r\n,\t\"b\":\"\"}", &["a = -1.5e3", "b = \"\""])]
    fn members_are_found_where_they_stand(#[case] object: &str, #[case] expected: &[&str]) {
        assert_eq!(shown(object).unwrap(), expected);
    }

    #[rstest]
    #[case("")]
    #[case("[]")]
    #[case("1")]
    #[case("{")]
    #[case(r#"{"a"}"#)]
    #[case(r#"{"a":}"#)]
    #[case(r#"{"a":1"#)]
    #[case(r#"{"a":"x"#)]
    #[case(r#"{"a":"x\"#)]
    #[case("{a:1}")]
    #[case(r#"{"a":[1}"#)]
    fn what_is_no_whole_object_has_none(#[case] bytes: &str) {
        assert_eq!(shown(bytes).unwrap_or_default(), Vec::<String>::new());
    }
}
