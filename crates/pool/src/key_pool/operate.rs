//! What operators do to keys by hand.

use std::collections::BTreeSet;

use keygate_domain::{KeyId, Moment};

use super::KeyPool;
use crate::roster::{Owner, Place};
use crate::standing::{Disabled, Part};
use crate::{PoolEvent, invariants};

impl KeyPool {
    /// Ends the rests of keys (all, or those named) and of their groups, and brings failed keys
    /// back. Keys taken out by [`KeyPool::disable`] stay out. Returns how many keys gained.
    pub fn reset(&mut self, ids: Option<&[KeyId]>, now: Moment) -> usize {
        self.advance(now);
        let gained = self.reset_keys(ids);
        self.attend();
        invariants::assert_holds(self);
        gained
    }

    /// Takes a key out until [`KeyPool::enable`]. False if there is no such key.
    pub fn disable(&mut self, id: &KeyId, now: Moment) -> bool {
        self.advance(now);
        let known = self.roster.key_at(id).map(|key| self.disable_by_operator(key)).is_some();
        self.attend();
        known
    }

    /// Brings a disabled key back, and its group if that is disabled. False if there is no such key.
    pub fn enable(&mut self, id: &KeyId, now: Moment) -> bool {
        self.advance(now);
        let known = self.roster.key_at(id).map(|key| self.enable_key(key)).is_some();
        self.attend();
        known
    }

    fn reset_keys(&mut self, ids: Option<&[KeyId]>) -> usize {
        let keys: Vec<usize> = match ids {
            Some(ids) => ids.iter().filter_map(|id| self.roster.key_at(id)).collect(),
            None => (0..self.roster.in_use()).collect(),
        };
        let groups: BTreeSet<usize> = keys.iter().map(|key| self.roster.keys[*key].group).collect();
        let mut gained = BTreeSet::new();
        if ids.is_none() {
            self.forget_trouble();
        }
        for group in groups {
            self.forget_limits(group);
            if self.reset_owner(Owner::Group(group)) {
                gained.extend(self.roster.groups[group].members.iter().copied());
            }
        }
        for key in keys {
            self.forgive(key);
            if self.reset_owner(Owner::Key(key)) {
                gained.insert(key);
            }
        }
        gained.len()
    }

    /// Ends every rest and brings it back if a fault disabled it. True if it gained by that.
    fn reset_owner(&mut self, owner: Owner) -> bool {
        let parts: Vec<Part> =
            self.roster.standing(owner).remembered().map(|(part, _)| part.clone()).collect();
        let mut gained = false;
        // What was used of a budget stays used, whatever an operator wishes.
        for part in parts.into_iter().filter(|part| !matches!(part, Part::Budget(..))) {
            gained |= self.end_rest(&Place::new(owner, part));
        }
        self.ask_no_more_after(owner);
        let failed = self.roster.standing(owner).disabled.as_ref().is_some_and(|it| it.fault.is_some());
        if failed {
            self.bring_back(owner);
        }
        gained || failed
    }

    pub(super) fn disable_by_operator(&mut self, key: usize) {
        let owner = Owner::Key(key);
        let reason = "disabled by an operator";
        let disabled = Disabled { fault: None, reason: reason.into(), since: self.now };
        let before = self.roster.standing_mut(owner).disabled.replace(Box::new(disabled));
        self.changes.owner(owner);
        self.ask_no_more_after(owner);
        self.refresh(&Place::new(owner, Part::Whole));
        if before.is_none_or(|before| before.fault.is_some()) {
            let key = &self.roster.keys[key];
            let (id, label) = (key.id().clone(), key.label.clone());
            self.events.push(PoolEvent::KeyDisabled { id, label, fault: None, reason: reason.into() });
        }
    }

    pub(super) fn enable_key(&mut self, key: usize) {
        self.bring_back(Owner::Group(self.roster.keys[key].group));
        self.bring_back(Owner::Key(key));
    }

    /// Makes a disabled key or group usable. True if it was disabled.
    pub(super) fn take_back(&mut self, owner: Owner) -> bool {
        let was_out = self.roster.standing_mut(owner).disabled.take().is_some();
        if was_out {
            self.changes.owner(owner);
            self.refresh(&Place::new(owner, Part::Whole));
        }
        was_out
    }

    fn bring_back(&mut self, owner: Owner) {
        self.ask_no_more_after(owner);
        if !self.take_back(owner) {
            return;
        }
        self.events.push(match owner {
            Owner::Key(key) => {
                let key = &self.roster.keys[key];
                PoolEvent::KeyEnabled { id: key.id().clone(), label: key.label.clone() }
            }
            Owner::Group(group) => PoolEvent::GroupEnabled { group: self.roster.groups[group].id.clone() },
        });
    }
}
