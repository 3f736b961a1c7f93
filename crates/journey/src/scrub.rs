//! Takes one key out of bytes that pass in pieces.

use bytes::Bytes;
use keygate_domain::ApiKey;

use crate::pieces::joined;

/// Replaces a key by asterisks of the same length, wherever the pieces are cut: a tail that may be
/// the beginning of the key waits for the piece behind it. Providers print keys in errors, and
/// errors come inside answers that began well.
#[derive(Debug, Default)]
pub(crate) struct Scrub {
    tail: Bytes,
}

impl Scrub {
    /// What may pass of the bytes so far; empty if all of them have to wait.
    pub(crate) fn pass(&mut self, key: &ApiKey, chunk: Bytes) -> Bytes {
        let secret = key.expose().as_bytes();
        let mut clean = without(key, joined([std::mem::take(&mut self.tail), chunk]));
        self.tail = clean.split_off(clean.len() - unfinished(secret, &clean));
        clean
    }

    /// What waited, once nothing follows.
    pub(crate) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.tail)
    }
}

/// Every key in one piece as asterisks of the same length.
pub(crate) fn without(key: &ApiKey, chunk: Bytes) -> Bytes {
    let Some(first) = key.find_in(&chunk) else { return chunk };
    let length = key.expose().len();
    let mut clean = chunk.to_vec();
    let mut next = Some(first);
    while let Some(at) = next {
        clean[at..at + length].fill(b'*');
        next = key.find_in(&clean[at + length..]).map(|further| at + length + further);
    }
    Bytes::from(clean)
}

/// The length of the longest end of `chunk` that the secret begins with.
fn unfinished(secret: &[u8], chunk: &[u8]) -> usize {
    let Some(&first) = secret.first() else { return 0 };
    let end = &chunk[chunk.len().saturating_sub(secret.len() - 1)..];
    memchr::memchr_iter(first, end)
        .map(|at| &end[at..])
        .find(|tail| secret.starts_with(tail))
        .map_or(0, <[u8]>::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(pieces: &[&str]) -> String {
        let key = ApiKey::new("aa-planted-secret");
        let mut scrub = Scrub::default();
        let mut passed = Vec::new();
        for piece in pieces {
            passed.extend_from_slice(&scrub.pass(&key, Bytes::from((*piece).to_owned())));
        }
        passed.extend_from_slice(&scrub.rest());
        String::from_utf8(passed).unwrap()
    }

    #[test]
    fn an_echoed_key_passes_as_asterisks_of_the_same_length_wherever_it_is_cut() {
        let (text, clean) = ("a aaa-planted-secret, aa-planted-secreaa-planted-secret", "*".repeat(17));
        let clean = format!("a a{clean}, aa-planted-secre{clean}");
        assert_eq!(passed(&[text]), clean);
        for at in 0..=text.len() {
            assert_eq!(passed(&[&text[..at], &text[at..]]), clean, "cut at {at}");
        }
        let bytes: Vec<&str> = text.split_inclusive(|_: char| true).collect();
        assert_eq!(passed(&bytes), clean, "byte by byte");
    }

    #[test]
    fn what_only_begins_like_the_key_passes_unchanged() {
        assert_eq!(passed(&["", "nothing here", " aa-plan", "ted", " a", ""]), "nothing here aa-planted a");
        let key = ApiKey::new("aa-planted-secret");
        let event = Bytes::from_static(b"data: {}\r\n\r\n");
        let passed = Scrub::default().pass(&key, event.clone());
        assert_eq!(passed.as_ptr(), event.as_ptr(), "nothing is copied");
    }
}
