//! Puts off reading events that say nothing that a later one will not say again.
//!
//! A stream repeats its usage in every event, and only the last one counts; to read each of them
//! costs more than to pass it on. So an event is looked over for the words that matter: with none
//! but the usage it waits, unread, until a later one takes its place or the answer ends.

use aho_corasick::{AhoCorasick, Input, Match, Span, packed};

use super::events::Events;
use super::findings::Findings;
use super::words::{Field, Words};

/// Longer pieces are read at once: keeping them costs memory.
const MOST_BYTES: usize = 8 * 1024;

/// What a piece of a stream is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Glance {
    /// Nothing that is looked for.
    Nothing,
    /// Another usage.
    Usage,
    /// It has to be read.
    News,
}

/// Looks over `piece`, which stands at the beginning of an event; what is `found` already tells
/// which words are news.
pub(super) fn glance(words: &Words, piece: &[u8], found: &Findings) -> Glance {
    let is_whole = piece.starts_with(b"data:") && (piece.ends_with(b"\n\n") || piece.ends_with(b"\r\n\r\n"));
    if !is_whole || piece.len() > MOST_BYTES {
        return Glance::News;
    }
    let mut glance = Glance::Nothing;
    let mut at = 0;
    while let Some(word) = words.searcher.find_from(piece, at) {
        at = word.end();
        match words.root.get(word.pattern().as_usize()) {
            Some((_, Field::Usage)) => glance = Glance::Usage,
            Some((_, field)) if field.is_settled_by_first() && found.has(*field) => {}
            Some(_) | None => return Glance::News,
        }
    }
    glance
}

/// Finds the members of a root object, numbered in their order, and what else is to be read.
#[derive(Debug)]
pub(super) struct Searcher {
    /// Looks at 16 bytes or more in one step; none where the processor cannot.
    by_blocks: Option<packed::Searcher>,
    by_bytes: AhoCorasick,
}

impl Searcher {
    pub(super) fn of(words: &Words) -> Self {
        let members = words.root.iter().map(|(word, _)| *word);
        let inner = words.inner.iter().map(|(word, _)| *word);
        let answer = words.answer.iter().map(|(word, _)| *word);
        let others = words.arguments.iter().copied().chain(inner).chain(answer);
        let quoted: Vec<_> = members.chain(others).map(|word| [b"\"", word, b"\""].concat()).collect();
        #[expect(clippy::expect_used, reason = "a few short words make a small searcher")]
        let by_bytes = AhoCorasick::new(&quoted).expect("a few short words can be searched for");
        Self { by_blocks: packed::Searcher::new(&quoted), by_bytes }
    }

    /// The next word from `at` on. No word is a part of another, so both ways find the same.
    fn find_from(&self, piece: &[u8], at: usize) -> Option<Match> {
        match &self.by_blocks {
            Some(searcher) => searcher.find_in(piece, Span::from(at..piece.len())),
            None => self.by_bytes.find(Input::new(piece).range(at..)),
        }
    }
}

/// The events that wait to be read.
#[derive(Default)]
pub(super) struct Unread {
    /// The one before the latest, in case the latest only looked as if it told a usage.
    earlier: Vec<u8>,
    latest: Vec<u8>,
}

impl Unread {
    /// Keeps `piece`, and the one before it.
    pub(super) fn put(&mut self, piece: &[u8]) {
        std::mem::swap(&mut self.latest, &mut self.earlier);
        self.latest.clear();
        self.latest.extend_from_slice(piece);
    }

    /// Has them read after all.
    pub(super) fn read_by(&mut self, events: &mut Events) {
        for piece in [&mut self.earlier, &mut self.latest] {
            events.read(piece);
            piece.clear();
        }
    }
}
