//! Takes the framing of server-sent events off a stream, whatever the chunks.
//!
//! Lines end at CR, LF or both and nowhere else: U+2028 and U+0085 occur unescaped inside JSON.
//! Lines that are no field of an event are JSON that Google writes between events when it fails
//! half-way; it may span several lines.

use keygate_domain::Resource;
use memchr::memchr2;

use super::scanner::Scanner;
use super::words::Words;

const DATA: &[u8; 5] = b"data:";

/// A stream of events.
pub(super) struct Events {
    scanner: Scanner,
    line: Line,
    /// The beginning of a line, until it is known what the line is.
    start: [u8; DATA.len()],
    start_len: usize,
    place: Place,
    /// How its lines end, as far as one has.
    line_end: LineEnd,
    /// JSON outside events is being read.
    in_bare_json: bool,
}

/// What the line being read is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Not known yet.
    Unknown,
    /// `data:`, read by the scanner.
    Data,
    /// JSON without a field name, read by the scanner.
    Bare,
    /// `event:`, `id:`, `retry:` or a comment; passed over.
    Other,
}

/// How the lines of a stream end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LineEnd {
    Unknown,
    LineFeed,
    /// Both, as Google ends lines of its native streams.
    Both,
}

/// Where the last byte left the stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between two events, or before the first.
    Boundary,
    /// Behind a carriage return. It may be half of a line end: nothing must be written here.
    Return { of_empty_line: bool },
    /// Anywhere else.
    Within,
}

impl Place {
    fn behind_line_feed(of_empty_line: bool) -> Self {
        if of_empty_line { Self::Boundary } else { Self::Within }
    }
}

// === impl Events ===

impl Events {
    /// A stream whose events are spelled like this.
    pub(super) fn new(words: &'static Words) -> Self {
        Self {
            scanner: Scanner::new(words),
            line: Line::Unknown,
            start: [0; DATA.len()],
            start_len: 0,
            place: Place::Boundary,
            line_end: LineEnd::Unknown,
            in_bare_json: false,
        }
    }

    /// What was found, and what is still open.
    pub(super) fn scanner(&self) -> &Scanner {
        &self.scanner
    }

    /// As [`Scanner::take_continuation`].
    pub(super) fn take_continuation(&mut self) -> Option<Resource> {
        self.scanner.take_continuation()
    }

    /// Whether a further event can be written here and will be read as one.
    pub(super) fn is_at_boundary(&self) -> bool {
        self.place == Place::Boundary
    }

    /// How lines of this stream end: whatever is added to it must end alike. The Go SDK takes what stands
    /// between two kinds of line ends for one event.
    pub(super) fn line_end(&self) -> &'static str {
        match self.line_end {
            LineEnd::LineFeed => "\n",
            LineEnd::Unknown | LineEnd::Both => "\r\n",
        }
    }

    /// Reads the next bytes.
    pub(super) fn read(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while let Some(&first) = rest.first() {
            if first == b'\n'
                && let Place::Return { of_empty_line } = self.place
            {
                self.place = Place::behind_line_feed(of_empty_line);
                self.line_end = LineEnd::Both;
                rest = &rest[1..];
                continue;
            }
            let Some(length) = memchr2(b'\r', b'\n', rest) else {
                self.part(rest);
                return;
            };
            self.part(&rest[..length]);
            self.end_line(rest[length]);
            rest = &rest[length + 1..];
        }
    }

    /// A part of a line.
    fn part(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.place = Place::Within;
        let rest = if self.line == Line::Unknown { self.recognise(bytes) } else { bytes };
        if matches!(self.line, Line::Data | Line::Bare) {
            self.scanner.read(rest);
        }
    }

    /// Looks at the beginning of a line until it is known what the line is; gives back what
    /// follows the field name.
    fn recognise<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let known = self.start_len;
        let taken = bytes.len().min(DATA.len() - known);
        self.start[known..known + taken].copy_from_slice(&bytes[..taken]);
        self.start_len += taken;
        let start = &self.start[..self.start_len];
        if start == DATA {
            self.begin(Line::Data);
        } else if !DATA.starts_with(start) {
            if start[0] == b':' || start[0].is_ascii_lowercase() {
                self.begin(Line::Other);
            } else {
                self.begin(Line::Bare);
                self.scanner.read(&self.start[..self.start_len]);
            }
        }
        &bytes[taken..]
    }

    fn begin(&mut self, line: Line) {
        self.line = line;
        let is_bare = line == Line::Bare;
        if line != Line::Other && is_bare != self.in_bare_json {
            // What was open belongs to the other kind and will not be finished.
            self.scanner.start_over();
            self.in_bare_json = is_bare;
        }
    }

    fn end_line(&mut self, end: u8) {
        let of_empty_line = self.start_len == 0;
        self.line = Line::Unknown;
        self.start_len = 0;
        let is_return = end == b'\r';
        if !is_return {
            self.line_end = LineEnd::LineFeed;
        }
        self.place =
            if is_return { Place::Return { of_empty_line } } else { Place::behind_line_feed(of_empty_line) };
        if of_empty_line {
            self.scanner.start_over();
        }
    }
}
