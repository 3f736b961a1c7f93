//! What waits to be written down. Pure: it is handed the time.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use keygate_domain::{AuditEntry, Moment};

/// How long further failed logins of an address are one entry.
const MINUTE: Duration = Duration::from_mins(1);

/// Most entries that wait for a disk in trouble.
const MOST_WAITING: usize = 1024;

/// Most addresses whose failed logins are counted apart; those of all others are one entry.
const MOST_PEERS: usize = 512;

/// Most entries written at once.
const MOST_AT_ONCE: usize = 128;

/// Somebody showed a token that nobody knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StrangeLogin {
    /// From there.
    pub peer: IpAddr,
    /// To open this.
    pub path: String,
    /// In this request.
    pub request_id: String,
}

/// A minute of failed logins, the first of which is written already.
struct OpenMinute {
    /// The second, with the number of those that followed.
    more: Option<AuditEntry>,
    ends_at: Moment,
}

/// What waits.
#[derive(Default)]
pub(crate) struct Gathering {
    waiting: VecDeque<AuditEntry>,
    /// By address; `None` are the many.
    minutes: BTreeMap<Option<IpAddr>, OpenMinute>,
    lost: u64,
}

impl Gathering {
    /// Puts an entry behind those that wait. One too many is counted and no more.
    pub(crate) fn add(&mut self, entry: AuditEntry) {
        if self.waiting.len() < MOST_WAITING {
            self.waiting.push_back(entry);
        } else {
            self.lost += 1;
        }
    }

    /// Puts down a failed login. The first of a minute waits to be written and is given back to be told; those
    /// that follow are counted until the minute is over.
    pub(crate) fn failed_login(
        &mut self,
        peer: IpAddr,
        entry: AuditEntry,
        now: Moment,
    ) -> Option<AuditEntry> {
        let peer = Some(peer.to_canonical());
        let place =
            if self.minutes.contains_key(&peer) || self.minutes.len() < MOST_PEERS { peer } else { None };
        let entry = match place {
            Some(_) => entry,
            None => AuditEntry {
                peer: None,
                request_id: None,
                details: "from many addresses".to_owned(),
                ..entry
            },
        };
        let Some(minute) = self.minutes.get_mut(&place) else {
            self.minutes.insert(place, OpenMinute { more: None, ends_at: now.after(MINUTE) });
            self.add(entry.clone());
            return Some(entry);
        };
        match &mut minute.more {
            Some(more) => more.count += 1,
            None => minute.more = Some(entry),
        }
        None
    }

    /// So much more was lost on the way here.
    pub(crate) fn lose(&mut self, count: u64) {
        self.lost += count;
    }

    /// How much was lost, once there is room to say so.
    pub(crate) fn take_lost(&mut self) -> Option<u64> {
        let has_room = self.waiting.len() < MOST_WAITING;
        (self.lost > 0 && has_room).then(|| std::mem::take(&mut self.lost))
    }

    /// Ends the minutes that are over.
    pub(crate) fn advance(&mut self, now: Moment) {
        let over: Vec<_> = self
            .minutes
            .iter()
            .filter(|(_, minute)| minute.ends_at.mono <= now.mono)
            .map(|(peer, _)| *peer)
            .collect();
        for peer in over {
            if let Some(more) = self.minutes.remove(&peer).and_then(|ended| ended.more) {
                self.add(more);
            }
        }
    }

    /// Ends all minutes: the house is closing.
    pub(crate) fn close(&mut self) {
        for (_, minute) in std::mem::take(&mut self.minutes) {
            minute.more.into_iter().for_each(|more| self.add(more));
        }
    }

    /// When the next minute ends.
    pub(crate) fn next_end(&self) -> Option<Moment> {
        self.minutes.values().map(|minute| minute.ends_at).min_by_key(|end| end.mono)
    }

    /// What is to be written next; nothing if nothing is.
    pub(crate) fn batch(&self) -> Vec<AuditEntry> {
        self.waiting.iter().take(MOST_AT_ONCE).cloned().collect()
    }

    /// The first `count` are written.
    pub(crate) fn written(&mut self, count: usize) {
        self.waiting.drain(..count.min(self.waiting.len()));
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use keygate_domain::AuditAction;

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment { mono: Duration::ZERO, wall: Timestamp::UNIX_EPOCH }.after(Duration::from_secs(seconds))
    }

    fn entry(id: &str) -> AuditEntry {
        AuditEntry::new(id, 0, "unknown", AuditAction::LoginFailed, "/v1")
    }

    fn peer(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    #[test]
    fn further_failed_logins_of_an_address_within_a_minute_are_one_entry() {
        let mut gathering = Gathering::default();
        assert!(gathering.failed_login(peer(1), entry("a"), at(0)).is_some(), "the first is told at once");
        assert!(gathering.failed_login(peer(1), entry("b"), at(59)).is_none());
        assert!(gathering.failed_login(peer(1), entry("b2"), at(59)).is_none());
        assert!(gathering.failed_login(peer(2), entry("c"), at(59)).is_some());
        gathering.advance(at(59));
        let counts = |batch: Vec<AuditEntry>| batch.into_iter().map(|e| (e.id, e.count)).collect::<Vec<_>>();
        let firsts = [("a".to_owned(), 1), ("c".to_owned(), 1)];
        assert_eq!(counts(gathering.batch()), firsts, "the first of each is not lost with the process");
        assert_eq!(gathering.next_end().map(|end| end.mono), Some(at(60).mono));
        gathering.advance(at(60));
        assert_eq!(counts(gathering.batch())[2..], [("b".to_owned(), 2)]);
        assert!(gathering.failed_login(peer(1), entry("d"), at(61)).is_some(), "another minute");
        gathering.close();
        assert_eq!(gathering.batch().len(), 4);
        assert_eq!(gathering.next_end(), None);
    }

    #[test]
    fn a_flood_of_addresses_is_one_entry_more() {
        let mut gathering = Gathering::default();
        for number in 0..2_000 {
            gathering.failed_login(peer(number), entry(&number.to_string()), at(0));
        }
        gathering.close();
        let mut told = Vec::new();
        while !gathering.batch().is_empty() {
            let batch = gathering.batch();
            gathering.written(batch.len());
            told.extend(batch);
        }
        assert_eq!(told.len(), MOST_PEERS + 2);
        assert_eq!(told.iter().map(|entry| entry.count).sum::<i64>(), 2_000);
        let many = told.iter().filter(|entry| entry.details == "from many addresses");
        assert_eq!(many.map(|entry| entry.count).sum::<i64>(), 2_000 - i64::try_from(MOST_PEERS).unwrap());
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut gathering = Gathering::default();
        for number in 0..MOST_WAITING + 3 {
            gathering.add(entry(&number.to_string()));
        }
        gathering.lose(2);
        assert_eq!(gathering.take_lost(), None, "there is no room to say so yet");
        gathering.written(1);
        assert_eq!(gathering.take_lost(), Some(5));
        assert_eq!(gathering.take_lost(), None);
    }
}
