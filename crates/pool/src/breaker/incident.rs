//! Faults of one quota bucket that name no quota and no key, since it was served last.

use std::collections::BTreeMap;
use std::time::Duration;

use keygate_domain::{GroupId, Moment};

/// Within this time groups must meet such faults to agree (product §2).
const WINDOW: Duration = Duration::from_secs(10);

/// Which groups met them, and when. A success ends the incident.
#[derive(Clone, Debug, Default)]
pub(crate) struct Incident {
    met: BTreeMap<GroupId, Met>,
}

/// When a group met them.
#[derive(Clone, Copy, Debug)]
struct Met {
    first: Moment,
    last: Moment,
}

impl Incident {
    /// Notes that `group` met one. Groups that met none for the length of the window are
    /// forgotten.
    pub(super) fn note(&mut self, group: GroupId, now: Moment) {
        self.met.retain(|_, met| met.last.until(now) <= WINDOW);
        self.met.entry(group).or_insert(Met { first: now, last: now }).last = now;
    }

    /// Groups go by other names; those that become one met it together.
    pub(super) fn rename_groups(&mut self, renamed: &BTreeMap<GroupId, GroupId>) {
        for (group, met) in std::mem::take(&mut self.met) {
            let group = renamed.get(&group).cloned().unwrap_or(group);
            let known = self.met.entry(group).or_insert(met);
            *known = Met { first: known.first.min(met.first), last: known.last.max(met.last) };
        }
    }

    /// When it began; what was put to rest before is not of this incident.
    pub(crate) fn began(&self) -> Option<Moment> {
        self.met.values().map(|met| met.first).min()
    }

    /// When something was noted last.
    pub(super) fn latest(&self) -> Option<Moment> {
        self.met.values().map(|met| met.last).max()
    }

    /// The groups.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &GroupId> {
        self.met.keys()
    }

    /// Whether a group met it.
    pub(crate) fn has_met(&self, group: &GroupId) -> bool {
        self.met.contains_key(group)
    }

    /// How many groups.
    pub(crate) fn size(&self) -> usize {
        self.met.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        let start = Moment { mono: Duration::ZERO, wall: "2026-07-01T12:00:00Z".parse().unwrap() };
        start.after(Duration::from_secs(seconds))
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let mut incident = Incident::default();
        incident.note("a".into(), at(0));
        incident.note("b".into(), at(10));
        assert_eq!((incident.size(), incident.began()), (2, Some(at(0))));
        incident.note("b".into(), at(11));
        assert_eq!((incident.size(), incident.began()), (1, Some(at(10))));
        assert!(incident.has_met(&"b".into()) && !incident.has_met(&"a".into()));
    }

    #[test]
    fn it_began_with_the_first_that_a_group_met() {
        let mut incident = Incident::default();
        for second in [0, 8, 16] {
            incident.note("a".into(), at(second));
        }
        assert_eq!((incident.began(), incident.latest()), (Some(at(0)), Some(at(16))));
    }
}
