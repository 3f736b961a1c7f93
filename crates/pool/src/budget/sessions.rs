//! Sessions that go on after the answer that opened them.

use std::sync::Arc;
use std::time::Duration;

use keygate_domain::Moment;

/// Most sessions remembered beyond the time they were thought to take.
const MOST_OVERDUE: usize = 256;

/// For how long their ends are still worth hearing of.
const OVERDUE_FOR: Duration = Duration::from_hours(24);

/// The sessions of one group and bucket. Each takes a place until it is said to have ended, or until it is
/// thought to be over; an end frees the place of its own session and nobody else's, once.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Sessions(Vec<Session>);

#[derive(Clone, PartialEq, Eq, Debug)]
struct Session {
    /// Until when it takes a place.
    ends: Moment,
    /// Its name at the provider, if the answer that opened it told one.
    name: Option<Arc<str>>,
}

impl Sessions {
    pub(super) fn open(&mut self, name: Option<Arc<str>>, ends: Moment) {
        self.0.push(Session { ends, name });
    }

    /// When each of those that run is thought to be over.
    pub(super) fn running(&self, now: Moment) -> impl Iterator<Item = Moment> + '_ {
        self.0.iter().map(|session| session.ends).filter(move |ends| *ends > now)
    }

    /// A session ended. False if it was not known, or had ended before.
    pub(super) fn end(&mut self, name: &str) -> bool {
        let known = self.0.iter().position(|session| session.name.as_deref() == Some(name));
        known.map(|place| self.0.swap_remove(place)).is_some()
    }

    /// Forgets those whose end nobody will tell any more.
    pub(super) fn forget_old(&mut self, now: Moment) {
        let is_over = |session: &Session| session.ends <= now;
        self.0.retain(|session| {
            !is_over(session) || (session.name.is_some() && session.ends.after(OVERDUE_FOR) > now)
        });
        let mut overdue = self.0.iter().filter(|session| is_over(session)).count();
        self.0.retain(|session| {
            let is_one_too_many = overdue > MOST_OVERDUE && is_over(session);
            overdue -= usize::from(is_one_too_many);
            !is_one_too_many
        });
    }

    /// Those of another group are this one's too: the groups are one.
    pub(super) fn absorb(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Each with its end, to be kept.
    pub(super) fn all(&self) -> impl Iterator<Item = (Moment, Option<&str>)> {
        self.0.iter().map(|session| (session.ends, session.name.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment { mono: Duration::ZERO, wall: Timestamp::UNIX_EPOCH }.after(Duration::from_secs(seconds))
    }

    #[test]
    fn an_end_frees_its_own_place_once() {
        let mut sessions = Sessions::default();
        sessions.open(Some("a".into()), at(60));
        sessions.open(Some("b".into()), at(60));
        sessions.open(None, at(60));
        assert!(sessions.end("a"));
        assert!(!sessions.end("a"));
        assert!(!sessions.end("c"));
        assert_eq!(sessions.running(at(0)).count(), 2);
    }

    #[test]
    fn who_outlives_its_time_frees_nobody_elses_place() {
        let mut sessions = Sessions::default();
        sessions.open(Some("old".into()), at(60));
        sessions.open(Some("new".into()), at(120));
        sessions.forget_old(at(90));
        assert_eq!(sessions.running(at(90)).count(), 1);
        assert!(sessions.end("old"), "it ended late");
        assert_eq!(sessions.running(at(90)).count(), 1, "the other goes on");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut sessions = Sessions::default();
        sessions.open(None, at(1));
        for number in 0..1000 {
            sessions.open(Some(number.to_string().into()), at(number));
        }
        sessions.forget_old(at(2000));
        assert_eq!(sessions.0.len(), MOST_OVERDUE);
        assert!(!sessions.end("743") && sessions.end("744"), "the oldest go");
        sessions.forget_old(at(2000 + 24 * 3600));
        assert!(sessions.0.is_empty());
    }
}
