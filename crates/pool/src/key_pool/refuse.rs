//! Why nobody can serve an ask, and when that changes.

use std::time::Duration;

use keygate_domain::{Fault, GroupId, Moment};

use super::KeyPool;
use crate::PoolRefusal;
use crate::lane::Lane;
use crate::standing::{Block, Wish};

impl KeyPool {
    /// The refusal of an ask that [`KeyPool::choose`] found no key for.
    pub(super) fn refusal(&self, lane: &Lane, wish: &Wish<'_>, bound_to: Option<&GroupId>) -> PoolRefusal {
        let Some(owner) = bound_to else {
            let next = self.next_of_all(wish);
            return self.told(next, lane.usable.count() > 0, self.last_disabling);
        };
        let Some(group) = self.roster.group_at(owner) else {
            // The owner of what was asked for is not in the pool any more.
            return PoolRefusal::Disabled { last_fault: Fault::AffinityLost };
        };
        let members = &self.roster.groups[group].members;
        let next = members.iter().filter_map(|key| self.return_of(*key, wish)).min();
        let is_any_usable = members.iter().any(|key| lane.usable.contains(*key));
        let disabling = members.iter().filter_map(|key| self.fault_that_disabled(*key, wish)).next_back();
        self.told(next, is_any_usable, disabling)
    }

    fn told(
        &self,
        next: Option<(Moment, Fault)>,
        is_any_usable: bool,
        disabling: Option<Fault>,
    ) -> PoolRefusal {
        match next {
            Some((until, last_fault)) => {
                let retry_after = self.now.until(until).max(Duration::from_millis(1));
                PoolRefusal::Resting { retry_after, last_fault }
            }
            None if is_any_usable => PoolRefusal::NothingLeft,
            None => PoolRefusal::Disabled { last_fault: disabling.unwrap_or(Fault::Unreachable) },
        }
    }

    /// The first end of a rest that leaves some key without any obstacle (KP-6). Goes through
    /// the rests in the order of their ends, so it rarely looks further than the first.
    fn next_of_all(&self, wish: &Wish<'_>) -> Option<(Moment, Fault)> {
        if self.is_measured(wish) {
            // How much fits at the end of a rest is another question than whether anything does.
            let keys = 0..self.roster.in_use();
            return keys.filter_map(|key| self.return_of(key, wish)).min_by_key(|(until, _)| *until);
        }
        let relevant = self.roster.ending().filter(|(_, place, _)| place.part.concerns(wish));
        let mut freeing = relevant.filter(|(until, place, _)| {
            let keys = self.roster.members(&place.owner);
            keys.iter().any(|key| self.roster.is_usable(*key, wish, *until))
        });
        freeing.next().map(|(until, _, rest)| (until, rest.fault))
    }

    /// When a resting key returns, and what it rests for.
    fn return_of(&self, key: usize, wish: &Wish<'_>) -> Option<(Moment, Fault)> {
        match self.roster.obstacle(key, wish, self.now)?.block {
            Block::Disabled(_) => None,
            Block::Resting(_, rest) => Some((rest.until, rest.fault)),
            Block::Spent(stop) => Some((stop.until, stop.fault())),
        }
    }

    fn fault_that_disabled(&self, key: usize, wish: &Wish<'_>) -> Option<Fault> {
        match self.roster.obstacle(key, wish, self.now)?.block {
            Block::Disabled(disabled) => disabled.fault,
            Block::Resting(..) | Block::Spent(_) => None,
        }
    }
}
