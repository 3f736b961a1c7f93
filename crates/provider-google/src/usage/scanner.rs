//! A scanner of JSON that arrives in pieces.
//!
//! It follows nesting and strings, byte by byte outside strings and by leaps inside them, and
//! copies out the values of a few members of root objects: of one object, of each object in a
//! root array (a streamed JSON array, or an error of the OpenAI-compatible surface), of one
//! object after another (the payloads of events). It builds no tree, so its cost is a look at
//! each byte, and its memory is the bounds of [`Field::most_bytes`], however long the answer.
//!
//! The alternatives refused: keeping a tail of the body and searching it, which a model can mislead
//! by calling a function with an argument named `usageMetadata`; and parsing each event, which
//! reads all text of an answer once more into memory.

use keygate_domain::Resource;
use memchr::memchr2;

use super::findings::Findings;
use super::words::{Field, Members, Words, field_of};

/// Longest key that can be one of ours, in bytes.
const MAX_KEY_BYTES: usize = 18;
/// Depths whose kind (object or array) is remembered, down to an answer in a root array; deeper
/// ones are only counted.
const KNOWN_DEPTHS: u32 = 4;

/// The scanner.
pub(super) struct Scanner {
    words: &'static Words,
    depth: u32,
    /// Bit `n`: the container at depth `n` is an object.
    objects: u8,
    /// The depth of a root object: 1, or 2 inside a root array.
    root: u32,
    text: Text,
    /// The next string is a key.
    expects_key: bool,
    key: Key,
    /// The value of the root member being read is the array of answers.
    in_answers: bool,
    /// What is looked for in the value of the root member being read.
    inside: Option<Members>,
    /// The key just read names a field; its value begins after the colon.
    announced: Option<Field>,
    capture: Option<Capture>,
    findings: Findings,
    has_whole_answer: bool,
}

/// Whether the scanner stands in a string.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    Outside,
    Inside {
        is_key: bool,
    },
    /// Behind a backslash.
    Escaped {
        is_key: bool,
    },
}

/// A value being copied; it ends where its object goes on or closes.
struct Capture {
    field: Field,
    depth: u32,
    bytes: Vec<u8>,
    too_long: bool,
}

/// The key being read, as long as it can be one of ours.
#[derive(Default)]
struct Key {
    bytes: [u8; MAX_KEY_BYTES],
    len: usize,
    foreign: bool,
}

// === impl Scanner ===

impl Scanner {
    /// A scanner for fields spelled like this.
    pub(super) fn new(words: &'static Words) -> Self {
        Self {
            words,
            depth: 0,
            objects: 0,
            root: 1,
            text: Text::Outside,
            expects_key: false,
            key: Key::default(),
            in_answers: false,
            inside: None,
            announced: None,
            capture: None,
            findings: Findings::default(),
            has_whole_answer: false,
        }
    }

    /// Whether one root object, or an empty root array, has come to its end.
    pub(super) fn has_whole_answer(&self) -> bool {
        self.has_whole_answer
    }

    /// What was found so far.
    pub(super) fn findings(&self) -> &Findings {
        &self.findings
    }

    /// The token to go on with, if another one was found since this was asked last.
    pub(super) fn take_continuation(&mut self) -> Option<Resource> {
        self.findings.take_continuation()
    }

    /// Forgets a value that was left unfinished; what was found stays.
    pub(super) fn start_over(&mut self) {
        if self.depth > 0 || self.text != Text::Outside {
            self.depth = 0;
            self.text = Text::Outside;
            self.announced = None;
            self.capture = None;
        }
    }

    /// Reads the next bytes.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        let mut at = 0;
        // Where the part of these bytes begins that belongs to the value being copied.
        let mut copied_from = 0;
        while let Some(&byte) = bytes.get(at) {
            if self.text != Text::Outside {
                at = self.string(bytes, at);
                continue;
            }
            if self.depth > self.deepest_looked_at() {
                at = self.pass_over(bytes, at);
                continue;
            }
            match byte {
                b'"' => self.text = Text::Inside { is_key: self.string_begins() },
                b'{' | b'[' => self.open(byte == b'{'),
                b'}' | b']' => {
                    self.end_value(&bytes[copied_from..at]);
                    self.depth = self.depth.saturating_sub(1);
                    self.has_whole_answer |= self.depth < self.root;
                    self.expects_key = false;
                }
                b',' => {
                    self.end_value(&bytes[copied_from..at]);
                    self.expects_key = self.is_in_object();
                }
                b':' => copied_from = self.begin_value(at + 1).unwrap_or(copied_from),
                _ => {}
            }
            at += 1;
        }
        if let Some(capture) = &mut self.capture {
            capture.keep(&bytes[copied_from..]);
        }
    }

    /// The depth below which nothing is looked for in the member of a root object being read.
    fn deepest_looked_at(&self) -> u32 {
        if self.in_answers { self.root + 2 } else { self.root + u32::from(self.inside.is_some()) }
    }

    /// Passes over what lies deeper than anything looked for: all that matters is where it ends. Says where to
    /// go on.
    fn pass_over(&mut self, bytes: &[u8], from: usize) -> usize {
        let end = self.deepest_looked_at();
        let mut at = from;
        while let Some(&byte) = bytes.get(at) {
            at += 1;
            match byte {
                b'"' => {
                    self.text = Text::Inside { is_key: false };
                    while self.text != Text::Outside && at < bytes.len() {
                        at = self.string(bytes, at);
                    }
                }
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == end {
                        self.expects_key = false;
                        return at;
                    }
                }
                _ => {}
            }
        }
        at
    }

    fn string_begins(&mut self) -> bool {
        let is_key = self.expects_key;
        if is_key {
            self.key = Key::default();
        }
        is_key
    }

    /// Reads on inside a string from `at`; says where to go on.
    fn string(&mut self, bytes: &[u8], at: usize) -> usize {
        let is_key = match self.text {
            Text::Escaped { is_key } => {
                self.text = Text::Inside { is_key };
                return at + 1;
            }
            Text::Inside { is_key } => is_key,
            Text::Outside => return at,
        };
        let rest = &bytes[at..];
        let Some(length) = memchr2(b'"', b'\\', rest) else {
            if is_key {
                self.key.push(rest);
            }
            return bytes.len();
        };
        if is_key {
            self.key.push(&rest[..length]);
        }
        if rest[length] == b'\\' {
            // None of our keys is spelled with an escape.
            self.key.foreign = true;
            self.text = Text::Escaped { is_key };
        } else {
            self.text = Text::Outside;
            if is_key {
                self.key_ended();
            }
        }
        at + length + 1
    }

    fn key_ended(&mut self) {
        self.expects_key = false;
        self.announced = None;
        let Some(key) = self.key.known() else {
            if self.depth == self.root {
                self.in_answers = false;
                self.inside = None;
            }
            return;
        };
        if self.depth == self.root {
            self.in_answers = key == self.words.answers;
            self.inside = self.words.inside(key);
            self.announced = self.words.field(key);
        } else if let Some(members) = self.inside.filter(|_| self.depth == self.root + 1) {
            self.announced = field_of(members, key);
        } else if self.in_answers && self.depth == self.root + 2 {
            self.announced = field_of(self.words.answer, key);
        }
    }

    fn open(&mut self, is_object: bool) {
        if self.depth == 0 {
            self.root = if is_object { 1 } else { 2 };
            self.in_answers = false;
            self.inside = None;
        }
        self.depth = self.depth.saturating_add(1);
        if self.depth <= KNOWN_DEPTHS {
            let bit = 1_u8 << self.depth;
            self.objects = if is_object { self.objects | bit } else { self.objects & !bit };
        }
        self.expects_key = is_object && self.depth <= KNOWN_DEPTHS;
    }

    fn is_in_object(&self) -> bool {
        (1..=KNOWN_DEPTHS).contains(&self.depth) && self.objects & (1 << self.depth) != 0
    }

    /// A colon: starts to copy the value `at` this place, if its key asked for it.
    fn begin_value(&mut self, at: usize) -> Option<usize> {
        let field = self.announced.take()?;
        if self.capture.is_some() || (field.is_settled_by_first() && self.findings.has(field)) {
            return None;
        }
        let bytes = self.findings.spare();
        self.capture = Some(Capture { field, depth: self.depth, bytes, too_long: false });
        Some(at)
    }

    /// A comma or a closing bracket: the value being copied may end here, with `last` bytes.
    fn end_value(&mut self, last: &[u8]) {
        if self.capture.as_ref().is_none_or(|capture| capture.depth != self.depth) {
            return;
        }
        if let Some(mut capture) = self.capture.take() {
            capture.keep(last);
            if !capture.too_long {
                self.findings.keep(capture.field, capture.bytes);
            }
        }
    }
}

// === impl Capture ===

impl Capture {
    fn keep(&mut self, bytes: &[u8]) {
        if self.bytes.len() + bytes.len() > self.field.most_bytes() {
            self.too_long = true;
        }
        if !self.too_long {
            self.bytes.extend_from_slice(bytes);
        }
    }
}

// === impl Key ===

impl Key {
    fn push(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if end > MAX_KEY_BYTES {
            self.foreign = true;
        }
        if !self.foreign {
            self.bytes[self.len..end].copy_from_slice(bytes);
            self.len = end;
        }
    }

    /// The key, if it can be one of ours.
    fn known(&self) -> Option<&[u8]> {
        (!self.foreign).then(|| &self.bytes[..self.len])
    }
}
