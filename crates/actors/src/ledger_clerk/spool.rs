//! What the clerk does next with rows. Pure: it is handed the time and says a step.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use keygate_domain::{LedgerRow, Moment};

/// How long rows gather. With the writing itself they must be on disk within a second.
const GATHERING: Duration = Duration::from_millis(300);

/// Most rows of one write.
pub(super) const MOST_ROWS: usize = 4_000;

/// The pause before the database is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The next step. One at a time: the next is asked for when the last has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Enter these into the database. Ends with [`Spool::entered`] or [`Spool::refused`].
    Enter(Arc<[LedgerRow]>),
    /// Put these into the journal. Ends with [`Spool::journaled`] or [`Spool::not_journaled`].
    Journal(Arc<[LedgerRow]>),
    /// Enter what the journal holds. Ends with [`Spool::replayed`] or [`Spool::refused`].
    Replay,
    /// Nothing before then.
    WaitUntil(Moment),
    /// Nothing at all.
    Rest,
}

/// Rows that wait, and what is known of the database.
#[derive(Debug)]
pub(super) struct Spool {
    waiting: VecDeque<LedgerRow>,
    /// When the first that waits came.
    since: Option<Moment>,
    /// What is under way.
    batch: Option<Arc<[LedgerRow]>>,
    /// When the database is tried again; it could not be written to, or the journal may hold something.
    try_again: Option<Moment>,
    /// The journal cannot be written to either, until then.
    no_journal_until: Option<Moment>,
    is_in_a_hurry: bool,
}

impl Spool {
    /// An empty one. What the journal holds comes first.
    pub(super) fn new(now: Moment) -> Self {
        Self {
            waiting: VecDeque::new(),
            since: None,
            batch: None,
            try_again: Some(now),
            no_journal_until: None,
            is_in_a_hurry: false,
        }
    }

    pub(super) fn add(&mut self, row: LedgerRow, now: Moment) {
        self.waiting.push_back(row);
        self.since.get_or_insert(now);
    }

    /// No more gathering and no more pauses: somebody waits for it.
    pub(super) fn hurry(&mut self, now: Moment) {
        self.is_in_a_hurry = true;
        self.try_again = self.try_again.map(|_| now);
    }

    /// Nobody waits for it any more.
    pub(super) fn calm(&mut self) {
        self.is_in_a_hurry = false;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.batch.is_none()
    }

    pub(super) fn next(&mut self, now: Moment) -> Step {
        if self.try_again.is_some_and(|then| then <= now) {
            return Step::Replay;
        }
        if let Some(batch) = &self.batch {
            return match self.no_journal_until.filter(|then| *then > now) {
                Some(then) => Step::WaitUntil(self.or_sooner(then)),
                None => Step::Journal(Arc::clone(batch)),
            };
        }
        let Some(since) = self.since else { return self.try_again.map_or(Step::Rest, Step::WaitUntil) };
        let due = since.after(GATHERING);
        if due > now && self.waiting.len() < MOST_ROWS && !self.is_in_a_hurry {
            return Step::WaitUntil(self.or_sooner(due));
        }
        let most = self.waiting.len().min(MOST_ROWS);
        let batch: Arc<[LedgerRow]> = self.waiting.drain(..most).collect();
        self.batch = Some(Arc::clone(&batch));
        self.since = (!self.waiting.is_empty()).then_some(now);
        if self.try_again.is_some() { Step::Journal(batch) } else { Step::Enter(batch) }
    }

    fn or_sooner(&self, then: Moment) -> Moment {
        self.try_again.map_or(then, |try_again| try_again.min(then))
    }

    /// The batch is in the database.
    pub(super) fn entered(&mut self) -> usize {
        self.batch.take().map_or(0, |batch| batch.len())
    }

    /// The database cannot be written to.
    pub(super) fn refused(&mut self, now: Moment) {
        self.try_again = Some(now.after(RETRY));
    }

    /// The first `rows` of the batch are in the journal; what it had no room for waits on.
    pub(super) fn journaled(&mut self, rows: usize, now: Moment) -> usize {
        let Some(batch) = self.batch.take() else { return 0 };
        let rows = rows.min(batch.len());
        self.no_journal_until = None;
        if rows < batch.len() {
            self.batch = Some(batch[rows..].into());
            self.no_journal_until = Some(now.after(RETRY));
        }
        rows
    }

    /// The journal cannot be written to either.
    pub(super) fn not_journaled(&mut self, now: Moment) {
        self.no_journal_until = Some(now.after(RETRY));
    }

    /// The journal is empty and the database can be written to: what waits for the journal goes there instead.
    pub(super) fn replayed(&mut self, now: Moment) {
        self.try_again = None;
        self.no_journal_until = None;
        let Some(batch) = self.batch.take() else { return };
        for row in batch.iter().rev() {
            self.waiting.push_front(row.clone());
        }
        self.since = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn at(millis: u64) -> Moment {
        Moment { mono: Duration::ZERO, wall: Timestamp::UNIX_EPOCH }.after(Duration::from_millis(millis))
    }

    fn row(id: &str) -> LedgerRow {
        LedgerRow { id: id.to_owned(), ..LedgerRow::default() }
    }

    fn spool(rows: &[&str]) -> Spool {
        let mut spool = Spool::new(at(0));
        assert_eq!(spool.next(at(0)), Step::Replay, "what an earlier process left comes first");
        spool.replayed(at(0));
        for id in rows {
            spool.add(row(id), at(0));
        }
        spool
    }

    fn ids(rows: &[LedgerRow]) -> Vec<&str> {
        rows.iter().map(|row| row.id.as_str()).collect()
    }

    #[test]
    fn rows_gather_for_a_moment_and_are_entered_together() {
        let mut spool = spool(&["a"]);
        assert_eq!(spool.next(at(0)), Step::WaitUntil(at(300)));
        spool.add(row("b"), at(200));
        let Step::Enter(rows) = spool.next(at(300)) else { panic!() };
        assert_eq!(ids(&rows), ["a", "b"]);
        assert_eq!(spool.entered(), 2);
        assert_eq!(spool.next(at(300)), Step::Rest);
    }

    #[test]
    fn many_rows_do_not_gather() {
        let mut spool = spool(&vec!["a"; MOST_ROWS + 1]);
        let Step::Enter(rows) = spool.next(at(0)) else { panic!() };
        assert_eq!(rows.len(), MOST_ROWS);
        spool.entered();
        assert_eq!(spool.next(at(0)), Step::WaitUntil(at(300)));
    }

    #[test]
    fn what_the_database_refuses_goes_to_the_journal_until_it_can_be_replayed() {
        let mut spool = spool(&["a"]);
        assert!(matches!(spool.next(at(300)), Step::Enter(_)));
        spool.refused(at(300));
        let Step::Journal(rows) = spool.next(at(300)) else { panic!() };
        assert_eq!(ids(&rows), ["a"]);
        assert_eq!(spool.journaled(1, at(310)), 1);
        spool.add(row("b"), at(400));
        assert!(matches!(spool.next(at(700)), Step::Journal(_)), "the database is not tried with each row");
        spool.journaled(1, at(700));
        assert_eq!(spool.next(at(700)), Step::WaitUntil(at(1300)));
        assert_eq!(spool.next(at(1300)), Step::Replay);
        spool.refused(at(1300));
        assert_eq!(spool.next(at(2300)), Step::Replay);
        spool.replayed(at(2300));
        assert_eq!(spool.next(at(2300)), Step::Rest);
    }

    #[test]
    fn what_not_even_the_journal_takes_waits_and_is_entered_first() {
        let mut spool = spool(&["a", "b", "c"]);
        assert!(matches!(spool.next(at(300)), Step::Enter(_)));
        spool.refused(at(300));
        assert!(matches!(spool.next(at(300)), Step::Journal(_)));
        assert_eq!(spool.journaled(1, at(300)), 1, "it had room for one");
        assert_eq!(spool.next(at(300)), Step::WaitUntil(at(1300)));
        assert_eq!(spool.next(at(1300)), Step::Replay);
        spool.refused(at(1300));
        let Step::Journal(rows) = spool.next(at(1300)) else { panic!() };
        assert_eq!(ids(&rows), ["b", "c"]);
        spool.not_journaled(at(1300));
        spool.add(row("d"), at(1400));
        assert_eq!(spool.next(at(2300)), Step::Replay);
        spool.replayed(at(2300));
        let Step::Enter(rows) = spool.next(at(2600)) else { panic!() };
        assert_eq!(ids(&rows), ["b", "c", "d"]);
    }

    #[test]
    fn a_closing_house_waits_for_nothing() {
        let mut spool = spool(&["a"]);
        spool.hurry(at(1));
        assert!(matches!(spool.next(at(1)), Step::Enter(_)));
        spool.refused(at(1));
        assert!(matches!(spool.next(at(1)), Step::Journal(_)));
        spool.journaled(1, at(1));
        assert!(spool.is_empty());
    }
}
