//! What waits to be written, in its order.

use std::collections::VecDeque;
use std::sync::Arc;

/// Pages that wait to be written. Bounded by the rows on them: what comes while it is full is
/// dropped and counted, so that trouble that lasts costs rows and not memory.
#[derive(Debug)]
pub(crate) struct Spool<T> {
    pages: VecDeque<(Arc<T>, usize)>,
    rows: usize,
    most_rows: usize,
    dropped: u64,
}

impl<T> Spool<T> {
    /// An empty one for this many rows.
    pub(crate) fn of(most_rows: usize) -> Self {
        Self { pages: VecDeque::new(), rows: 0, most_rows, dropped: 0 }
    }

    /// Puts a page of so many rows behind the others. A page is kept whole or not at all; one that
    /// nothing waits before is always kept.
    pub(crate) fn push(&mut self, page: T, rows: usize) {
        if !self.pages.is_empty() && self.rows + rows > self.most_rows {
            self.dropped += rows as u64;
            return;
        }
        self.rows += rows;
        self.pages.push_back((Arc::new(page), rows));
    }

    /// The page that is to be written next; it stays until it is.
    pub(crate) fn first(&self) -> Option<Arc<T>> {
        self.pages.front().map(|(page, _)| Arc::clone(page))
    }

    /// The first page is written.
    pub(crate) fn done(&mut self) {
        if let Some((_, rows)) = self.pages.pop_front() {
            self.rows -= rows;
        }
    }

    /// How many rows were dropped since this was asked last.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_written_in_their_order_and_stay_until_they_are() {
        let mut spool = Spool::of(10);
        for page in ['a', 'b', 'c'] {
            spool.push(page, 3);
        }
        let mut written = Vec::new();
        while let Some(page) = spool.first() {
            assert_eq!(spool.first(), Some(Arc::clone(&page)), "it is tried again");
            written.push(*page);
            spool.done();
        }
        assert_eq!(written, ['a', 'b', 'c']);
        assert_eq!(spool.take_dropped(), 0);
    }

    #[test]
    fn what_does_not_fit_is_counted_to_the_row() {
        let mut spool = Spool::of(10);
        for page in 0..100 {
            spool.push(page, 3);
        }
        assert_eq!(spool.take_dropped(), 97 * 3);
        assert_eq!(spool.take_dropped(), 0, "it is told once");
        spool.done();
        spool.push(100, 3);
        let left: Vec<_> = spool.pages.iter().map(|(page, _)| **page).collect();
        assert_eq!(left, [1, 2, 100], "the oldest are kept");
    }

    #[test]
    fn a_page_that_is_larger_than_all_is_written_too() {
        let mut spool = Spool::of(10);
        spool.push('a', 50);
        spool.push('b', 1);
        assert_eq!(spool.first().as_deref(), Some(&'a'));
        assert_eq!(spool.take_dropped(), 1);
    }
}
