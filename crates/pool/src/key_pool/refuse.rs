//! Why nobody can serve an ask, and when that changes.

use std::time::Duration;

use keygate_domain::{Fault, GroupId, Moment};

use super::KeyPool;
use crate::PoolRefusal;
use crate::lane::Lane;
use crate::roster::Owner;
use crate::standing::{Block, Wish};

/// When a key is free again, and what for it was not.
type Return = (Moment, Fault);

impl KeyPool {
    /// The refusal of an ask that [`KeyPool::choose`] found no key for.
    pub(super) fn refusal(&self, lane: &Lane, wish: &Wish<'_>, bound_to: Option<&GroupId>) -> PoolRefusal {
        let Some(owner) = bound_to else {
            let next = self.next_of_all(lane, wish);
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

    fn told(&self, next: Option<Return>, is_any_usable: bool, disabling: Option<Fault>) -> PoolRefusal {
        match next {
            Some((until, last_fault)) => {
                let retry_after = self.now.until(until).max(Duration::from_millis(1));
                PoolRefusal::Resting { retry_after, last_fault }
            }
            None if is_any_usable => PoolRefusal::NothingLeft,
            None => PoolRefusal::Disabled { last_fault: disabling.unwrap_or(Fault::Unreachable) },
        }
    }

    /// When the first key comes back, and what it is out for (KP-6).
    ///
    /// Goes through the rests in the order of their ends. A key that rests for several things
    /// comes back with the last of them; once that is no later than the next end, nobody can
    /// come back earlier.
    fn next_of_all(&self, lane: &Lane, wish: &Wish<'_>) -> Option<Return> {
        let mut first: Option<Return> = None;
        for (end, place) in self.roster.resting.in_the_way_of(wish) {
            if first.is_some_and(|first| first.0 <= end) {
                break;
            }
            let back = match place.owner {
                Owner::Key(key) => self.return_of(key, wish),
                Owner::Group(group) => self.return_of_group(group, wish, first),
            };
            first = earlier(first, back);
        }
        self.next_with_room(lane, wish, first)
    }

    /// The same with groups of which nothing rests, and which have no room for as much as `wish`
    /// draws: a choice that was in vain noted all of them.
    fn next_with_room(&self, lane: &Lane, wish: &Wish<'_>, mut first: Option<Return>) -> Option<Return> {
        let Some(narrow) = wish.bucket.and_then(|bucket| self.narrow.of(bucket)) else { return first };
        for (slide, group) in narrow.slides() {
            if first.is_some_and(|first| first.0 <= slide) {
                break;
            }
            if self.roster.groups[group].members.iter().any(|key| lane.usable.contains(*key)) {
                let overspent = self.roster.overspent(group, wish, self.now);
                first = earlier(first, overspent.and_then(|obstacle| obstacle.end()));
            }
        }
        first
    }

    /// When the first key of a group returns; `None` also if that is later than `unless_before`.
    fn return_of_group(
        &self,
        group: usize,
        wish: &Wish<'_>,
        unless_before: Option<Return>,
    ) -> Option<Return> {
        let of_all = match self.roster.group_obstacle(group, wish, self.now) {
            Some(obstacle) => Some(obstacle.end()?),
            None => None,
        };
        if of_all.zip(unless_before).is_some_and(|(of_all, other)| of_all.0 >= other.0) {
            return None;
        }
        let mut first = None;
        for key in self.roster.groups[group].members.iter().copied().filter(|key| *key < self.roster.in_use())
        {
            let Some(own) = self.roster.own_obstacle(Owner::Key(key), wish, self.now) else {
                // None of the others can be earlier than all of them.
                return of_all;
            };
            let back = own.end().map(|own| of_all.filter(|of_all| of_all.0 > own.0).unwrap_or(own));
            first = earlier(first, back);
        }
        first
    }

    /// When a resting key returns, and what it rests for.
    fn return_of(&self, key: usize, wish: &Wish<'_>) -> Option<Return> {
        if key >= self.roster.in_use() {
            return None;
        }
        self.roster.obstacle(key, wish, self.now)?.end()
    }

    fn fault_that_disabled(&self, key: usize, wish: &Wish<'_>) -> Option<Fault> {
        match self.roster.obstacle(key, wish, self.now)?.block {
            Block::Disabled(disabled) => disabled.fault,
            Block::Resting(..) | Block::Spent(_) => None,
        }
    }
}

/// The earlier one; of two at the same time the first.
fn earlier(one: Option<Return>, other: Option<Return>) -> Option<Return> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other.0 < one.0 { other } else { one }),
        (one, other) => one.or(other),
    }
}
