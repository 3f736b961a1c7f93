//! Who waits for a key, in which order, and until when.
//!
//! Tickets that wait for the same thing stand in one line; a line whose first ticket cannot be
//! served holds up nobody in another. Within and across lines users take turns: next is whoever
//! was served longest ago, or came longest ago if never served, and of one user the ticket that
//! is oldest. So nobody waits while another is served twice (KP-9), however many requests that
//! other has sent.
//!
//! A line is looked at when something changed that its tickets may wait for, or when it was
//! promised to be: a thousand lines of other models cost an event of one model nothing.

mod line;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keygate_domain::{BucketName, GroupId, ModelName, Moment, Operation, UserId};

pub(crate) use self::line::{Head, Line, Turn};
use self::line::{Lineup, News};
use crate::{Ask, Granted, PoolRefusal};

/// A place in the queue. `life` counts restarts of the pool, so that a notice meant for an earlier
/// life cannot touch a ticket of this one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ticket {
    /// Which life of the pool issued it.
    pub life: u64,
    /// Its number within that life.
    pub number: u64,
}

/// What became of a ticket: a key, or why none in time.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Which.
    pub ticket: Ticket,
    /// Never a further wait.
    pub outcome: Result<Granted, PoolRefusal>,
}

/// Somebody who waits.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) ask: Arc<Ask>,
    line: Line,
    /// After this moment no key is of use.
    pub(crate) until: Moment,
}

#[derive(Clone, Debug)]
struct Waiter {
    turn: Turn,
    tickets: BTreeSet<u64>,
    /// The lines it stands in, and with how many tickets.
    lines: BTreeMap<Line, usize>,
}

/// All who wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    tickets: BTreeMap<u64, Waiting>,
    lines: BTreeMap<Line, Lineup>,
    users: BTreeMap<UserId, Waiter>,
    /// How many tickets each user has.
    crowd: BTreeSet<(usize, UserId)>,
    ends: BTreeSet<(Moment, u64)>,
    next_number: u64,
    next_turn: Turn,
    news: News,
    /// Whether something changed since the lines were looked at last.
    stirred: bool,
    /// No later than the earliest moment at which a line may be served: what slides without a
    /// word, a budget's window, may have room then.
    look_again: Option<Moment>,
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.tickets.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tickets.is_empty()
    }

    /// How many wait in a line.
    pub(crate) fn len_of(&self, line: &Line) -> usize {
        self.lines.get(line).map_or(0, |lineup| lineup.users.values().map(BTreeSet::len).sum())
    }

    /// How many places a user has.
    pub(crate) fn places_of(&self, user: &UserId) -> usize {
        self.users.get(user).map_or(0, |user| user.tickets.len())
    }

    /// Something that any ticket may wait for began or ended.
    pub(crate) fn stir(&mut self) {
        if !self.is_empty() {
            self.news.of_all();
            self.stirred = true;
        }
    }

    /// Something that tickets of a bucket may wait for began or ended.
    pub(crate) fn stir_bucket(&mut self, bucket: &BucketName) {
        if !self.is_empty() {
            self.news.of_bucket(bucket);
            self.stirred = true;
        }
    }

    /// Whether lines have to be looked at; only once for each change.
    pub(crate) fn settle_down(&mut self, now: Moment) -> bool {
        let is_time = self.stirred || self.look_again.is_some_and(|due| due <= now);
        if is_time {
            self.stirred = false;
        }
        is_time
    }

    /// A line cannot be served before `due`, unless something changes.
    pub(crate) fn blocked(&mut self, line: &Line, due: Moment) {
        if let Some(lineup) = self.lines.get_mut(line) {
            (lineup.looked_at, lineup.has_moved, lineup.due) = (self.news.count, false, Some(due));
            self.look_again_at(due);
        }
    }

    /// Every line was looked at that had to be.
    pub(crate) fn looked_through(&mut self) {
        self.look_again = self.lines.values().filter_map(|lineup| lineup.due).min();
    }

    fn look_again_at(&mut self, due: Moment) {
        self.look_again = Some(self.look_again.map_or(due, |earlier| earlier.min(due)));
    }

    /// When a ticket may be served, or its time is over.
    pub(crate) fn next_due(&self) -> Option<Moment> {
        let end = self.ends.first().map(|(end, _)| *end);
        end.into_iter().chain(self.look_again.filter(|_| end.is_some())).min()
    }

    /// A ticket whose time is over.
    pub(crate) fn overdue(&self, now: Moment) -> Option<u64> {
        self.ends.first().filter(|(end, _)| *end <= now).map(|(_, number)| *number)
    }

    pub(crate) fn ticket(&self, number: u64) -> Option<&Waiting> {
        self.tickets.get(&number)
    }

    /// The first ticket of a line.
    pub(crate) fn head(&self, line: &Line) -> Option<Head> {
        self.lines.get(line)?.head()
    }

    /// The first ticket of every line that has to be looked at; `bucket` is the one that a model or
    /// an operation counts in.
    pub(crate) fn heads<'a>(
        &'a self,
        bucket: impl Fn(Option<&'a ModelName>, Operation) -> &'a str,
        now: Moment,
    ) -> BTreeSet<(Head, Line)> {
        let News { of_all, of_buckets, .. } = &self.news;
        let has_news = |line: &'a Line, lineup: &Lineup| {
            let is_told = |news: &u64| *news > lineup.looked_at;
            lineup.has_moved
                || lineup.due.is_none_or(|due| due <= now)
                || is_told(of_all)
                || !of_buckets.is_empty() && of_buckets.get(line.bucket(&bucket)).is_some_and(is_told)
        };
        let lines = self.lines.iter().filter(|(line, lineup)| has_news(line, lineup));
        lines.filter_map(|(line, lineup)| Some((lineup.head()?, line.clone()))).collect()
    }

    /// Whether nobody in the line was served, or came, longer ago (KP-9).
    pub(crate) fn is_turn_of(&self, line: &Line, turn: Turn) -> bool {
        self.lines.get(line).is_none_or(|lineup| lineup.users.keys().all(|other| *other >= turn))
    }

    /// Somebody begins to wait, behind everybody of `line`, who cannot be served before `due`; or before
    /// them, if its user has waited for longer, and then it is looked at at once.
    pub(crate) fn join(
        &mut self,
        ask: &Ask,
        mut line: Line,
        until: Moment,
        mut due: Moment,
        now: Moment,
    ) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        line.alone = (!ask.tried.is_empty()).then_some(number);
        if !self.users.contains_key(&ask.user) {
            let newcomer =
                Waiter { turn: self.take_turn(), tickets: BTreeSet::new(), lines: BTreeMap::new() };
            self.users.insert(ask.user.clone(), newcomer);
        }
        if let Some(user) = self.users.get_mut(&ask.user) {
            self.crowd.remove(&(user.tickets.len(), ask.user.clone()));
            user.tickets.insert(number);
            self.crowd.insert((user.tickets.len(), ask.user.clone()));
            *user.lines.entry(line.clone()).or_default() += 1;
            let lineup = self.lines.entry(line.clone()).or_default();
            // A line that was there was looked at for whoever stands first in it.
            let was_first = lineup.head();
            lineup.users.entry(user.turn).or_default().insert(number);
            if was_first.is_some() && lineup.head() != was_first {
                due = now;
                lineup.due = Some(due);
            }
            lineup.due.get_or_insert(due);
        }
        self.look_again_at(due);
        self.ends.insert((until, number));
        self.tickets.insert(number, Waiting { ask: Arc::new(ask.clone()), line, until });
        number
    }

    /// Takes a ticket out.
    pub(crate) fn leave(&mut self, number: u64) -> Option<Waiting> {
        let waiting = self.tickets.remove(&number)?;
        self.ends.remove(&(waiting.until, number));
        self.forget(number, &waiting);
        if self.tickets.is_empty() {
            (self.news, self.stirred, self.look_again) = (News::default(), false, None);
        }
        Some(waiting)
    }

    /// Takes a ticket out that is served: its user's next turn comes after everybody else's.
    pub(crate) fn serve(&mut self, number: u64) -> Option<Waiting> {
        let waiting = self.leave(number)?;
        let turn = self.take_turn();
        if let Some(user) = self.users.get_mut(&waiting.ask.user) {
            for line in user.lines.keys() {
                let Some(lineup) = self.lines.get_mut(line) else { continue };
                if let Some(tickets) = lineup.users.remove(&user.turn) {
                    lineup.users.insert(turn, tickets);
                    (lineup.has_moved, self.stirred) = (true, true);
                }
            }
            user.turn = turn;
        }
        Some(waiting)
    }

    /// The newest ticket of the user who has most, if `user` with one more would still have fewer.
    pub(crate) fn most_to_spare(&self, user: &UserId) -> Option<u64> {
        let (count, greediest) = self.crowd.last()?;
        let own = self.users.get(user).map_or(0, |user| user.tickets.len());
        if own + 1 >= *count {
            return None;
        }
        self.users.get(greediest)?.tickets.last().copied()
    }

    /// Groups go by other names: who waits for one of them waits with those who came for it later.
    pub(crate) fn rename_groups(&mut self, renamed: &BTreeMap<GroupId, GroupId>) {
        for waiting in self.tickets.values_mut() {
            waiting.line.rename_group(renamed);
        }
        for (mut line, lineup) in std::mem::take(&mut self.lines) {
            line.rename_group(renamed);
            let known = self.lines.entry(line).or_default();
            for (turn, tickets) in lineup.users {
                known.users.entry(turn).or_default().extend(tickets);
            }
            known.has_moved = true;
        }
        self.stirred = !self.is_empty();
        for user in self.users.values_mut() {
            for (mut line, count) in std::mem::take(&mut user.lines) {
                line.rename_group(renamed);
                *user.lines.entry(line).or_default() += count;
            }
        }
    }

    fn take_turn(&mut self) -> Turn {
        self.next_turn += 1;
        self.next_turn
    }

    fn forget(&mut self, number: u64, waiting: &Waiting) {
        let (name, line) = (&waiting.ask.user, &waiting.line);
        let Some(user) = self.users.get_mut(name) else { return };
        if let Some(lineup) = self.lines.get_mut(line) {
            if let Some(tickets) = lineup.users.get_mut(&user.turn) {
                tickets.remove(&number);
                if tickets.is_empty() {
                    lineup.users.remove(&user.turn);
                }
            }
            // Whoever stood behind it may be next.
            (lineup.has_moved, self.stirred) = (true, true);
            if lineup.users.is_empty() {
                self.lines.remove(line);
            }
        }
        if let Some(count) = user.lines.get_mut(line) {
            *count -= 1;
            if *count == 0 {
                user.lines.remove(line);
            }
        }
        self.crowd.remove(&(user.tickets.len(), name.clone()));
        user.tickets.remove(&number);
        if user.tickets.is_empty() {
            self.users.remove(name);
        } else {
            self.crowd.insert((user.tickets.len(), name.clone()));
        }
    }
}
