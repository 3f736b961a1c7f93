//! Takes the usage out of a stream whose caller did not ask for it. Whatever else comes passes byte by byte.
//!
//! `OpenAI` tells it in an event of its own, with no choices: that event goes, its blank line included. Where
//! usage stands in an event that says something, only the member goes. An event is held back until it is
//! whole, which costs nobody time: no client can read half of one.

use std::ops::Range;

use bytes::Bytes;
use keygate_provider::Rewrite;
use memchr::memchr2;
use memchr::memmem::Finder;

use crate::members::{Member, members};

/// Longest event held back, in bytes. Usage takes a few hundred; what is longer is an answer.
const LONGEST_BYTES: usize = 1024 * 1024;

const USAGE: &[u8] = b"\"usage\"";
const DATA: &[u8] = b"data:";

/// A stream on its way.
pub(crate) struct UsageHider {
    finder: Finder<'static>,
    /// The event so far.
    held: Vec<u8>,
    /// The event turned out too long to be held back, and passes as it comes.
    is_passing: bool,
    line_bytes: usize,
    /// A line has just ended in a carriage return, whose line feed may still come.
    after_return: bool,
    /// The event before did not pass.
    dropped: bool,
}

/// What becomes of an event.
#[derive(PartialEq, Eq, Debug)]
enum Fate {
    Passes,
    Goes,
    LosesA(Range<usize>),
}

impl UsageHider {
    /// For a stream from its beginning.
    pub(crate) fn new() -> Self {
        Self {
            finder: Finder::new(USAGE),
            held: Vec::new(),
            is_passing: false,
            line_bytes: 0,
            after_return: false,
            dropped: false,
        }
    }

    fn is_between_events(&self) -> bool {
        self.held.is_empty() && !self.is_passing && self.line_bytes == 0
    }

    /// Whole events without the word. Most chunks are that, and pass without a copy.
    fn is_harmless(&self, chunk: &[u8]) -> bool {
        self.is_between_events()
            && !self.after_return
            && (chunk.ends_with(b"\n\n") || chunk.ends_with(b"\r\n\r\n"))
            && self.finder.find(chunk).is_none()
    }

    fn read(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let mut rest = chunk;
        while let Some(&first) = rest.first() {
            if std::mem::take(&mut self.after_return) && first == b'\n' {
                self.second_half_of_a_line_end(out);
                rest = &rest[1..];
                continue;
            }
            let Some(length) = memchr2(b'\r', b'\n', rest) else {
                self.line_bytes += rest.len();
                self.keep(rest, out);
                return;
            };
            let is_blank = self.line_bytes + length == 0;
            self.keep(&rest[..=length], out);
            self.line_bytes = 0;
            self.after_return = rest[length] == b'\r';
            if is_blank {
                self.end_event(out);
            }
            rest = &rest[length + 1..];
        }
    }

    /// A line feed that belongs to the carriage return before it: it goes where that went.
    fn second_half_of_a_line_end(&mut self, out: &mut Vec<u8>) {
        if !self.is_between_events() {
            self.keep(b"\n", out);
        } else if !self.dropped {
            out.push(b'\n');
        }
    }

    fn keep(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.held.len() + bytes.len() > LONGEST_BYTES {
            out.append(&mut self.held);
            self.is_passing = true;
        }
        if self.is_passing { out.extend_from_slice(bytes) } else { self.held.extend_from_slice(bytes) }
    }

    fn end_event(&mut self, out: &mut Vec<u8>) {
        let fate = if self.is_passing { Fate::Passes } else { self.fate() };
        self.dropped = fate == Fate::Goes;
        self.is_passing = false;
        match fate {
            Fate::Passes => out.append(&mut self.held),
            Fate::Goes => self.held.clear(),
            Fate::LosesA(member) => {
                self.held.drain(member);
                out.append(&mut self.held);
            }
        }
    }

    fn fate(&self) -> Fate {
        if self.finder.find(&self.held).is_none() {
            return Fate::Passes;
        }
        let told = payload(&self.held).and_then(|payload| {
            let fate = fate_of(&self.held[payload.clone()])?;
            Some((payload.start, fate))
        });
        match told {
            Some((start, Fate::LosesA(member))) => Fate::LosesA(start + member.start..start + member.end),
            Some((_, fate)) => fate,
            None => Fate::Passes,
        }
    }
}

impl Rewrite for UsageHider {
    fn pass(&mut self, chunk: Bytes) -> Bytes {
        if self.is_harmless(&chunk) {
            return chunk;
        }
        let mut out = Vec::with_capacity(self.held.len() + chunk.len());
        self.read(&chunk, &mut out);
        Bytes::from(out)
    }

    fn rest(&mut self) -> Bytes {
        let mut out = Vec::new();
        self.end_event(&mut out);
        Bytes::from(out)
    }
}

/// What an event says, if it says it on one line.
fn payload(event: &[u8]) -> Option<Range<usize>> {
    let mut found = None;
    let mut at = 0;
    while at < event.len() {
        let end = memchr2(b'\r', b'\n', &event[at..]).map_or(event.len(), |length| at + length);
        if event[at..end].starts_with(DATA) {
            if found.is_some() {
                return None;
            }
            found = Some(at + DATA.len()..end);
        }
        at = end + 1;
    }
    found
}

/// What becomes of an event with this payload; nothing if it is not understood.
fn fate_of(payload: &[u8]) -> Option<Fate> {
    let members = members(payload)?;
    let called = |wanted: &str| {
        members.iter().position(|member| member.name(payload).is_some_and(|name| name == wanted))
    };
    let usage = called("usage").filter(|at| payload[members[*at].value.clone()].starts_with(b"{"));
    let Some(usage) = usage else { return Some(Fate::Passes) };
    let choices = called("choices").map(|at| &payload[members[at].value.clone()]);
    Some(if choices.is_none_or(is_empty_array) {
        Fate::Goes
    } else {
        Fate::LosesA(with_comma(&members, usage))
    })
}

fn is_empty_array(value: &[u8]) -> bool {
    let inner = value.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    inner.is_some_and(|inner| inner.trim_ascii().is_empty())
}

/// A member and the comma that parts it from the others.
fn with_comma(members: &[Member], at: usize) -> Range<usize> {
    let member = &members[at];
    match (members.get(at + 1), at.checked_sub(1).map(|before| &members[before])) {
        (Some(next), _) => member.key.start..next.key.start,
        (None, Some(before)) => before.value.end..member.value.end,
        (None, None) => member.key.start..member.value.end,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn passed<'c>(chunks: impl IntoIterator<Item = &'c [u8]>) -> String {
        let mut hider = UsageHider::new();
        let mut out = Vec::new();
        for chunk in chunks {
            out.extend_from_slice(&hider.pass(Bytes::copy_from_slice(chunk)));
        }
        out.extend_from_slice(&hider.rest());
        String::from_utf8(out).unwrap()
    }

    /// What passes of a stream in one piece; the same is asked of the stream cut anywhere.
    fn check(stream: &str, expected: &str) {
        let bytes = stream.as_bytes();
        assert_eq!(passed([bytes]), expected);
        for cut in 0..=bytes.len() {
            assert_eq!(passed([&bytes[..cut], &bytes[cut..]]), expected, "cut at {cut}");
        }
        assert_eq!(passed(bytes.chunks(1)), expected, "byte by byte");
    }

    const WORD: &str = r#"data: {"id":"c","choices":[{"delta":{"content":"\"usage\":{}"}}]}"#;
    const USAGE_EVENT: &str =
        r#"data: {"choices": [ ],"id":"c","usage":{"prompt_tokens":7,"details":{"a":[1]}}}"#;

    #[rstest]
    fn the_event_of_usage_goes_and_nothing_else(#[values("\n", "\r\n", "\r")] end: &str) {
        let stream = |events: &[&str]| {
            let framed: Vec<String> = events.iter().map(|event| format!("{event}{end}{end}")).collect();
            framed.concat()
        };
        let with = stream(&[WORD, WORD, USAGE_EVENT, "data: [DONE]"]);
        check(&with, &stream(&[WORD, WORD, "data: [DONE]"]));
        let last = stream(&[WORD, USAGE_EVENT]);
        check(&last, &stream(&[WORD]));
        check(last.trim_end(), &stream(&[WORD]));
        let first = stream(&[USAGE_EVENT, WORD]);
        check(&first, &stream(&[WORD]));
        let named = stream(&[&format!("event: chunk{end}id: 4{end}{USAGE_EVENT}"), WORD]);
        check(&named, &stream(&[WORD]));
    }

    #[rstest]
    #[case::behind(
        r#"data: {"choices":[{"index":0}], "usage":{"total_tokens":3}}"#,
        r#"data: {"choices":[{"index":0}]}"#
    )]
    #[case::before(
        r#"data:{"usage": {"total_tokens":3} , "choices":[{"index":0}]}"#,
        r#"data:{"choices":[{"index":0}]}"#
    )]
    #[case::between(
        r#"data: {"id":1,"usage":{"total_tokens":3},"choices":[{}],"model":"m"}"#,
        r#"data: {"id":1,"choices":[{}],"model":"m"}"#
    )]
    fn usage_within_an_event_that_says_something_is_taken_out(#[case] event: &str, #[case] expected: &str) {
        for end in ["\n\n", "\r\n\r\n"] {
            check(&format!("{event}{end}{WORD}{end}"), &format!("{expected}{end}{WORD}{end}"));
        }
    }

    #[rstest]
    #[case::words_in_a_text(WORD)]
    #[case::a_value(r#"data: {"choices":[{"delta":{"content":"usage"}}]}"#)]
    #[case::null(r#"data: {"choices":[],"usage":null}"#)]
    #[case::elsewhere(r#"data: {"choices":[{"usage":{"total_tokens":3}}]}"#)]
    #[case::no_json(r#"data: {"choices":[],"usage":{"#)]
    #[case::several_lines("data: {\"choices\":[],\ndata: \"usage\":{}}")]
    #[case::a_comment(r#": "usage":{}"#)]
    #[case::error(r#"data: {"error":{"message":"\"usage\""}}"#)]
    #[case::blank("")]
    fn what_only_looks_like_usage_passes(#[case] event: &str) {
        let stream = format!("{event}\n\n{WORD}\r\n\r\n{event}");
        check(&stream, &stream);
    }

    #[test]
    fn whole_events_pass_without_a_copy() {
        let mut hider = UsageHider::new();
        let chunk = Bytes::from(format!("{WORD}\n\n{WORD}\r\n\r\n"));
        assert_eq!(hider.pass(chunk.clone()).as_ptr(), chunk.as_ptr());
    }

    #[test]
    fn what_is_held_back_is_bounded() {
        let mut hider = UsageHider::new();
        let half = vec![b'x'; LONGEST_BYTES / 2 + 1];
        assert!(hider.pass(Bytes::from(half.clone())).is_empty());
        assert_eq!(hider.pass(Bytes::from(half.clone())).len(), 2 * half.len());
        assert_eq!(hider.pass(Bytes::from(half.clone())).len(), half.len());
        assert_eq!(hider.pass(Bytes::from_static(b"\n\n")).len(), 2);
        let rest = format!("{USAGE_EVENT}\n\n{WORD}\n\n");
        assert_eq!(hider.pass(Bytes::from(rest)), format!("{WORD}\n\n"), "the next event is looked at again");
    }

    fn event() -> impl Strategy<Value = (String, bool)> {
        prop_oneof![
            Just((WORD.to_owned(), true)),
            Just(("data: [DONE]".to_owned(), true)),
            Just((": comment \"usage\"".to_owned(), true)),
            Just((USAGE_EVENT.to_owned(), false)),
            "[a-z \"{}:,\\\\]{0,20}".prop_map(|text| {
                let said = serde_json::to_string(&text).unwrap();
                (format!(r#"data: {{"choices":[{{"delta":{{"content":{said}}}}}]}}"#), true)
            }),
        ]
    }

    proptest! {
        #[test]
        fn whatever_the_chunks_and_line_ends_only_usage_goes(
            events in prop::collection::vec((event(), prop::sample::select(vec!["\n", "\r\n", "\r"])), 0..8),
            cuts in prop::collection::vec(0_usize..400, 0..12),
        ) {
            let mut stream = String::new();
            let mut expected = String::new();
            for ((event, passes), end) in &events {
                // A line feed behind a carriage return is its second half: mixing them makes other streams.
                let end = if stream.ends_with('\r') { "\r" } else { *end };
                let framed = [event.as_str(), end, end].concat();
                stream += &framed;
                if *passes {
                    expected += &framed;
                }
            }
            let bytes = stream.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
            prop_assert_eq!(passed(chunks), expected);
        }
    }
}
