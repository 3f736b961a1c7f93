//! How keys fare, and how their order moves on: what changes turns besides use and rest.

use keygate_domain::{KeyId, Role, Verdict};

use super::KeyPool;
use crate::roster::Owner;
use crate::rotation::Rota;
use crate::state::SavedOrder;
use crate::{PoolEvent, PoolState, health};

impl KeyPool {
    /// A use of a key ended: it fares better or worse for it.
    pub(super) fn judge(&mut self, key: usize, verdict: &Verdict) {
        let has_changed = match verdict {
            Verdict::Served(_) => self.health.succeeded(key, self.now),
            Verdict::Failed(failure) => health::is_blamed(failure) && self.health.failed(key, self.now),
            Verdict::Abandoned | Verdict::Unsent => false,
        };
        if has_changed {
            self.tell_health(key);
        }
    }

    /// An operator vouches for a key.
    pub(super) fn forgive(&mut self, key: usize) {
        if self.health.forgive(key) {
            self.tell_health(key);
        }
    }

    /// Lets time pass for health and order.
    pub(super) fn advance_turns(&mut self) {
        let tick = self.health.tick();
        for key in self.health.advance(self.now) {
            self.tell_health(key);
        }
        if self.health.tick() != tick {
            self.lanes.set_tick(self.health.tick());
        }
        let turns = self.rota.as_mut().map_or(0, |rota| rota.advance(self.now.wall));
        if turns > 0 {
            self.rotate(turns);
        }
    }

    /// Tells lanes that were made anew what they cannot know.
    pub(super) fn brief_lanes(&mut self) {
        for key in self.health.recovering() {
            self.lanes.set_whole_tick(key, self.health.whole_tick(key));
        }
        self.lanes.set_tick(self.health.tick());
        self.lanes.start_at(self.order, self.order.lead(self.roster.keys_in_use()).unwrap_or_default());
    }

    fn tell_health(&mut self, key: usize) {
        self.lanes.set_whole_tick(key, self.health.whole_tick(key));
        self.changes.owner(Owner::Key(key));
    }

    fn rotate(&mut self, turns: u64) {
        self.changes.order();
        if !self.order.rotate(self.roster.keys_in_use(), turns) {
            return;
        }
        let Some(lead) = self.order.lead(self.roster.keys_in_use()) else { return };
        self.lanes.start_at(self.order, lead);
        let first = &self.roster.keys[lead];
        let (first, label) = (first.id().clone(), first.label.clone());
        self.events.push(PoolEvent::OrderRotated { first, label });
    }

    // === what outlives a restart ===

    pub(super) fn write_order(&self, state: &mut PoolState) {
        let rotated_at = self.rota.as_ref().and_then(Rota::last);
        state.put_order(rotated_at.map(|rotated_at| SavedOrder { first: self.firsts(), rotated_at }));
    }

    /// The turns that came while nobody was there are made up for.
    pub(super) fn remember_turns(&mut self, state: &PoolState) {
        for (id, saved) in &state.keys {
            if let (Some(key), Some(whole_at)) = (self.roster.key_at(id), saved.whole_at) {
                self.health.remember(key, self.at(whole_at), self.now);
            }
        }
        if let (Some(rotation), Some(saved)) = (&self.policy.rotation, &state.order) {
            for key in saved.first.iter().filter_map(|id| self.roster.key_at(id)) {
                self.order.begin_with(key, self.roster.keys_in_use());
            }
            self.rota = Some(Rota::new(rotation.clone(), saved.rotated_at.min(self.now.wall)));
        }
        self.brief_lanes();
        self.advance_turns();
    }

    fn firsts(&self) -> Vec<KeyId> {
        let keys = self.roster.keys_in_use();
        let firsts = [Role::Primary, Role::Backup].map(|role| self.order.first(role, keys));
        firsts.into_iter().flatten().map(|key| keys[key].id().clone()).collect()
    }
}
