//! Addresses of downloads in answers, made to point at this gateway.
//!
//! Google describes what it made (videos, results of batches) by the address of its bytes, which only a key
//! opens. What is rewritten is a text that is such an address as a whole; the `uri` of a file that was uploaded
//! stays, because it is a name: prompts repeat it to Google.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use keygate_domain::Intent;
use keygate_provider::{Inbound, Rewrite};
use memchr::{memchr, memmem};

use crate::operations as op;

/// How a text with an address begins.
const BEGINNING: &[u8] = b"\"http";

/// Longest address looked at, in bytes; what is longer passes as it is.
const MOST_BYTES: usize = 4096;

/// Changes what may name a download. Answers that only tell what a model says are not looked at.
pub(super) fn rewrite(
    intent: &Intent,
    inbound: &Inbound<'_>,
    headers: &HeaderMap,
) -> Option<Box<dyn Rewrite>> {
    if op::SPEAKS_ONLY.contains(&intent.operation) || intent.operation == op::DOWNLOAD || !is_text(headers) {
        return None;
    }
    Some(Box::new(Links { gateway: inbound.origin.to_string(), waiting: Bytes::new() }))
}

/// Whether the answer is JSON, or events of JSON, and not compressed.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_json = kind.starts_with("application/json") || kind.starts_with("text/event-stream");
    is_json && !headers.contains_key("content-encoding")
}

struct Links {
    /// The gateway's own address.
    gateway: String,
    /// An address that has begun and not ended, or what may be the beginning of one.
    waiting: Bytes,
}

impl Rewrite for Links {
    fn pass(&mut self, chunk: Bytes) -> Bytes {
        if self.waiting.is_empty() && memmem::find(&chunk, BEGINNING).is_none() {
            let keep = unfinished(&chunk);
            let mut chunk = chunk;
            self.waiting = chunk.split_off(chunk.len() - keep);
            return chunk;
        }
        let mut rest = joined(std::mem::take(&mut self.waiting), chunk);
        let mut passed = BytesMut::with_capacity(rest.len());
        while let Some(at) = memmem::find(&rest, BEGINNING) {
            passed.extend_from_slice(&rest.split_to(at + 1));
            match memchr(b'"', &rest) {
                Some(end) => self.put(&mut passed, &rest.split_to(end)),
                None if rest.len() <= MOST_BYTES => {
                    // With its quotation mark, by which it is found again.
                    passed.truncate(passed.len() - 1);
                    self.waiting = joined(Bytes::from_static(b"\""), rest);
                    return passed.freeze();
                }
                None => {}
            }
        }
        let keep = unfinished(&rest);
        self.waiting = rest.split_off(rest.len() - keep);
        passed.extend_from_slice(&rest);
        passed.freeze()
    }

    fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.waiting)
    }
}

impl Links {
    fn put(&self, passed: &mut BytesMut, url: &[u8]) {
        match download_path(url) {
            Some(path) => {
                passed.extend_from_slice(self.gateway.as_bytes());
                passed.extend_from_slice(path);
            }
            None => passed.extend_from_slice(url),
        }
    }
}

/// The path and query of an address that a download of this API has: `/{version}/files/abc:download…`,
/// `/download/{version}/…:download…`. Base URLs may have a path of their own in front.
fn download_path(url: &[u8]) -> Option<&[u8]> {
    memmem::find(url, b":download")?;
    if url.contains(&b'\\') {
        return None;
    }
    let behind_scheme = memmem::find(url, b"://")? + 3;
    let path = behind_scheme + memchr(b'/', &url[behind_scheme..])?;
    let path = &url[path..];
    if let Some(at) = memmem::find(path, b"/download/v") {
        return Some(&path[at..]);
    }
    let files = memmem::find(path, b"/files/")?;
    let version = path[..files].iter().rposition(|byte| *byte == b'/')?;
    let is_version = path[version..files].starts_with(b"/v") && files - version > 2;
    is_version.then(|| &path[version..])
}

/// How much of the end of `bytes` may be the beginning of an address.
fn unfinished(bytes: &[u8]) -> usize {
    (1..BEGINNING.len()).rev().find(|length| bytes.ends_with(&BEGINNING[..*length])).unwrap_or(0)
}

fn joined(first: Bytes, second: Bytes) -> Bytes {
    if first.is_empty() {
        return second;
    }
    let mut both = BytesMut::from(first);
    both.extend_from_slice(&second);
    both.freeze()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const GATEWAY: &str = "https://gw.example";

    fn passed(pieces: &[&str]) -> String {
        let mut links = Links { gateway: GATEWAY.to_owned(), waiting: Bytes::new() };
        let mut passed = Vec::new();
        for piece in pieces {
            passed.extend_from_slice(&links.pass(Bytes::from((*piece).to_owned())));
        }
        passed.extend_from_slice(&links.rest());
        String::from_utf8(passed).unwrap()
    }

    #[rstest]
    #[case(
        "https://generativelanguage.googleapis.com/v1beta/files/abc:download?alt=media",
        "https://gw.example/v1beta/files/abc:download?alt=media"
    )]
    #[case(
        "http://127.0.0.1:9/download/v1beta/files/abc:download?alt=media",
        "https://gw.example/download/v1beta/files/abc:download?alt=media"
    )]
    #[case("https://proxy.example/gemini/v1/files/abc:download", "https://gw.example/v1/files/abc:download")]
    #[case(
        "https://generativelanguage.googleapis.com/v1beta/files/abc",
        "https://generativelanguage.googleapis.com/v1beta/files/abc"
    )]
    #[case("https://elsewhere.example/page:download", "https://elsewhere.example/page:download")]
    #[case("http", "http")]
    fn only_addresses_of_downloads_move(#[case] url: &str, #[case] expected: &str) {
        let answer = |url| format!("{{\"uri\": \"{url}\", \"n\": [1, \"\\\"http\"], \"x\": \"http://a\"}}\n");
        let (before, after) = (answer(url), answer(expected));
        assert_eq!(passed(&[&before]), after);
        for at in 0..before.len() {
            assert_eq!(passed(&[&before[..at], &before[at..]]), after, "cut at {at}");
        }
        let bytes: Vec<&str> = before.split_inclusive(|_: char| true).collect();
        assert_eq!(passed(&bytes), after, "byte by byte");
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut links = Links { gateway: GATEWAY.to_owned(), waiting: Bytes::new() };
        let long = format!("\"http://{}", "x".repeat(10 * MOST_BYTES));
        assert_eq!(links.pass(Bytes::from(long.clone())).len(), long.len());
        assert!(links.rest().is_empty());
    }

    #[test]
    fn what_names_no_address_is_not_copied() {
        let mut links = Links { gateway: GATEWAY.to_owned(), waiting: Bytes::new() };
        let chunk = Bytes::from_static(b"{\"name\": \"files/abc\"}");
        assert_eq!(links.pass(chunk.clone()).as_ptr(), chunk.as_ptr());
    }
}
