//! What the bookkeeper does next. Pure: it is handed the time and says a step.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use keygate_domain::{Moment, ProviderName};
use keygate_pool::{StateRow, Urgency};

use super::spool::Spool;

/// How long what is not urgent gathers before it is fetched. With the writing itself it must be on
/// disk within a second.
const GATHERING: Duration = Duration::from_millis(500);

/// The pause after a write. What happened meanwhile is one write then, and who changes without
/// end does not have its thread taken up by fetching.
const BREATH: Duration = Duration::from_millis(20);

/// The pause after a write that failed.
const RETRY: Duration = Duration::from_secs(1);

/// Most rows fetched at once: a fetch is work on the thread that requests wait for.
pub(crate) const MOST_ROWS: usize = 256;

/// Most rows that wait to be written. Changes of pools wait where they happened, so this is for what
/// nobody can be asked for again.
const MOST_WAITING: usize = 100_000;

/// Rows on their way to the disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Batch {
    pub(crate) provider: ProviderName,
    pub(crate) rows: Vec<StateRow>,
}

/// The next step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step<D> {
    /// Write these. Ends with [`Agenda::written`] or [`Agenda::not_written`].
    Write(Arc<Batch>),
    /// Fetch what changed there. Ends with [`Agenda::fetched`].
    Fetch(ProviderName, D),
    /// Nothing before then.
    WaitUntil(Moment),
    /// Nothing at all.
    Rest,
}

/// What is to be fetched and written. `D` is a door that changes are fetched at.
///
/// It holds no more than one fetch and the last words of each provider; what changes while the
/// disk is slow stays where it changed, as names of rows, and is fetched as it is by then.
#[derive(Debug)]
pub(crate) struct Agenda<D> {
    to_fetch: BTreeMap<ProviderName, (Moment, D)>,
    to_write: Spool<Batch>,
    not_before: Option<Moment>,
}

impl<D> Default for Agenda<D> {
    fn default() -> Self {
        Self { to_fetch: BTreeMap::new(), to_write: Spool::of(MOST_WAITING), not_before: None }
    }
}

impl<D: Clone> Agenda<D> {
    /// Something changed there.
    pub(crate) fn changed(&mut self, provider: ProviderName, urgency: Urgency, door: D, now: Moment) {
        let due = match urgency {
            Urgency::Nothing => return,
            Urgency::Soon => now.after(GATHERING),
            Urgency::AtOnce => now,
        };
        let known = self.to_fetch.get(&provider).map(|(due, _)| *due);
        let due = known.map_or(due, |known| known.min(due));
        self.to_fetch.insert(provider, (due, door));
    }

    /// Rows that nobody has to be asked for.
    pub(crate) fn given(&mut self, batch: Batch) {
        if !batch.rows.is_empty() {
            let rows = batch.rows.len();
            self.to_write.push(batch, rows);
        }
    }

    /// The next step. One at a time: the next is asked for when the last has ended.
    pub(crate) fn next(&mut self, now: Moment) -> Step<D> {
        let due = match (self.to_write.first(), self.to_fetch.values().map(|(due, _)| *due).min()) {
            (Some(_), _) => now,
            (None, Some(due)) => due,
            (None, None) => return Step::Rest,
        };
        let due = self.not_before.map_or(due, |not_before| due.max(not_before));
        if due > now {
            return Step::WaitUntil(due);
        }
        if let Some(batch) = self.to_write.first() {
            return Step::Write(batch);
        }
        let first = self.to_fetch.iter().min_by_key(|(_, (due, _))| *due).map(|(provider, _)| *provider);
        let fetched = first.and_then(|provider| Some((provider, self.to_fetch.remove(&provider)?)));
        fetched.map_or(Step::Rest, |(provider, (_, door))| Step::Fetch(provider, door))
    }

    /// What was fetched. As many rows as may be are perhaps not all of them.
    pub(crate) fn fetched(&mut self, batch: Batch, door: D, now: Moment) {
        if batch.rows.len() >= MOST_ROWS {
            self.changed(batch.provider, Urgency::AtOnce, door, now);
        }
        self.given(batch);
    }

    /// The write succeeded.
    pub(crate) fn written(&mut self, now: Moment) {
        self.to_write.done();
        self.not_before = Some(now.after(BREATH));
    }

    /// The write failed; it is tried again.
    pub(crate) fn not_written(&mut self, now: Moment) {
        self.not_before = Some(now.after(RETRY));
    }

    /// How many rows were dropped, because too many waited, since this was asked last.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        self.to_write.take_dropped()
    }

    /// No more gathering and no more pauses: the house is closing.
    pub(crate) fn hurry(&mut self, now: Moment) {
        self.not_before = None;
        self.to_fetch.values_mut().for_each(|(due, _)| *due = now);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    const GOOGLE: ProviderName = ProviderName::new("google");
    const ANAM: ProviderName = ProviderName::new("anam");

    fn at(millis: u64) -> Moment {
        Moment { mono: Duration::ZERO, wall: Timestamp::UNIX_EPOCH }.after(Duration::from_millis(millis))
    }

    fn batch(provider: ProviderName, rows: usize) -> Batch {
        let row = StateRow { part: "key".into(), name: "a".to_owned(), value: None };
        Batch { provider, rows: vec![row; rows] }
    }

    #[test]
    fn what_is_urgent_is_fetched_at_once_and_the_rest_gathers() {
        let mut agenda = Agenda::default();
        assert_eq!(agenda.next(at(0)), Step::Rest);
        agenda.changed(GOOGLE, Urgency::Soon, 'g', at(0));
        agenda.changed(GOOGLE, Urgency::Soon, 'g', at(400));
        assert_eq!(agenda.next(at(400)), Step::WaitUntil(at(500)), "later changes do not put it off");
        agenda.changed(ANAM, Urgency::AtOnce, 'a', at(400));
        assert_eq!(agenda.next(at(400)), Step::Fetch(ANAM, 'a'));
        agenda.fetched(batch(ANAM, 0), 'a', at(400));
        assert_eq!(agenda.next(at(500)), Step::Fetch(GOOGLE, 'g'));
        agenda.fetched(batch(GOOGLE, 1), 'g', at(500));
        assert_eq!(agenda.next(at(500)), Step::Write(Arc::new(batch(GOOGLE, 1))));
        agenda.written(at(510));
        assert_eq!(agenda.next(at(510)), Step::Rest);
    }

    #[test]
    fn what_gathers_is_not_forgotten_when_it_becomes_urgent_while_it_is_fetched() {
        let mut agenda = Agenda::default();
        agenda.changed(GOOGLE, Urgency::Soon, 'g', at(0));
        assert_eq!(agenda.next(at(500)), Step::Fetch(GOOGLE, 'g'));
        agenda.changed(GOOGLE, Urgency::AtOnce, 'g', at(500));
        agenda.fetched(batch(GOOGLE, 0), 'g', at(501));
        assert_eq!(agenda.next(at(501)), Step::Fetch(GOOGLE, 'g'));
    }

    #[test]
    fn a_full_fetch_is_followed_by_another() {
        let mut agenda = Agenda::default();
        agenda.changed(GOOGLE, Urgency::AtOnce, 'g', at(0));
        assert_eq!(agenda.next(at(0)), Step::Fetch(GOOGLE, 'g'));
        agenda.fetched(batch(GOOGLE, MOST_ROWS), 'g', at(0));
        assert!(matches!(agenda.next(at(0)), Step::Write(_)));
        agenda.written(at(5));
        assert_eq!(agenda.next(at(5)), Step::WaitUntil(at(25)), "it takes a breath");
        assert_eq!(agenda.next(at(25)), Step::Fetch(GOOGLE, 'g'));
    }

    #[test]
    fn what_could_not_be_written_comes_first_and_nothing_is_fetched_meanwhile() {
        let mut agenda = Agenda::default();
        agenda.given(batch(GOOGLE, 1));
        assert!(matches!(agenda.next(at(0)), Step::Write(_)));
        agenda.not_written(at(0));
        agenda.changed(ANAM, Urgency::AtOnce, 'a', at(0));
        assert_eq!(agenda.next(at(0)), Step::WaitUntil(at(1000)));
        assert_eq!(agenda.next(at(1000)), Step::Write(Arc::new(batch(GOOGLE, 1))));
        agenda.written(at(1000));
        assert_eq!(agenda.next(at(1020)), Step::Fetch(ANAM, 'a'));
    }

    #[test]
    fn a_closing_house_waits_for_nothing() {
        let mut agenda = Agenda::default();
        agenda.given(batch(GOOGLE, 1));
        agenda.not_written(at(0));
        agenda.changed(ANAM, Urgency::Soon, 'a', at(0));
        agenda.hurry(at(1));
        assert!(matches!(agenda.next(at(1)), Step::Write(_)));
        agenda.written(at(1));
        agenda.hurry(at(1));
        assert_eq!(agenda.next(at(1)), Step::Fetch(ANAM, 'a'));
    }
}
