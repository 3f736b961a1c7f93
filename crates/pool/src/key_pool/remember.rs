//! Writing down what must outlive a restart, and reading it back.

use std::sync::Arc;

use jiff::Timestamp;
use keygate_domain::{GroupId, KeySpec, Moment};

use super::KeyPool;
use crate::affinity::{Affinity, Bound};
use crate::cooldown::Rest;
use crate::group::Group;
use crate::learned::StatedLimits;
use crate::probing::Turns;
use crate::roster::{Owner, Place};
use crate::rows::Unsaved;
use crate::standing::{Disabled, Part, Standing};
use crate::state::{SavedBinding, SavedDisabled, SavedGroup, SavedPart, SavedRest, SavedStanding};
use crate::{Policy, PoolState, SpentState, state};

impl KeyPool {
    /// Makes a pool that remembers: rests, disabled keys, learned names and bindings of `state`
    /// hold again; leases and counters of the earlier life are gone.
    pub fn restore(
        life: u64,
        keys: Vec<KeySpec>,
        policy: Policy,
        seed: u64,
        state: &PoolState,
        now: Moment,
    ) -> Self {
        let mut pool = Self::new(life, keys, policy, seed, now);
        pool.remember(state);
        pool
    }

    /// Everything [`KeyPool::restore`] needs, written out whole.
    pub fn state(&self) -> PoolState {
        let mut state = PoolState::default();
        for key in 0..self.roster.keys.len() {
            self.write_owner(Owner::Key(key), &mut state);
        }
        for group in 0..self.roster.groups.len() {
            self.write_owner(Owner::Group(group), &mut state);
        }
        self.unclaimed.keys().for_each(|(id, saved)| state.put_key(id, saved.clone()));
        self.unclaimed.groups().for_each(|(id, saved)| state.put_group(id, saved.clone()));
        self.write_names(&mut state);
        self.write_order(&mut state);
        self.write_bindings(&mut state);
        state.circuits = self.breaker.save();
        state.unsaved = Unsaved::default();
        state
    }

    /// The state to keep in place of `older`, from which this pool was restored: like
    /// [`KeyPool::state`], and nothing is lost that storage was not given yet.
    pub fn state_after(&self, older: PoolState) -> PoolState {
        let mut state = self.state();
        state.follow(older);
        state
    }

    /// Brings `state`, made by [`KeyPool::state`] earlier, up to date: costs as much as changed
    /// since the last call. True if anything did.
    pub fn save_changes(&mut self, state: &mut PoolState) -> bool {
        let state::Changes { owners, gone_groups, names, order, bindings, all_bindings, everything } =
            std::mem::take(&mut self.changes);
        let circuits = std::mem::take(&mut self.breaker.is_unsaved);
        if everything {
            // Bindings one by one: those whose group goes by another name changed, too.
            self.write_bindings(state);
            *state = self.state_after(std::mem::take(state));
            return true;
        }
        let changed =
            names || order || circuits || all_bindings || !owners.is_empty() || !bindings.is_empty();
        // One of them may be in use again, and is among the owners then.
        for name in gone_groups {
            state.put_group(&name, SavedGroup::default());
        }
        for owner in owners {
            self.write_owner(owner, state);
        }
        if names {
            self.write_names(state);
        }
        if order {
            self.write_order(state);
        }
        if circuits {
            state.circuits = self.breaker.save();
        }
        if all_bindings {
            self.write_bindings(state);
        }
        for (kind, name) in bindings {
            match self.affinity.get(&kind, &name) {
                Some(bound) => state.put_binding(&kind, &name, save_binding(bound)),
                None => state.forget_binding(&kind, &name),
            }
        }
        changed
    }

    fn write_owner(&self, owner: Owner, state: &mut PoolState) {
        match owner {
            Owner::Key(key) => {
                let whole_at = self.health.whole_at(key).map(|at| at.wall);
                let key = &self.roster.keys[key];
                let project = key.project.clone();
                let probing = key.probing.as_deref().map(Turns::save);
                let saved = SavedStanding { whole_at, project, probing, ..save_standing(&key.standing) };
                state.put_key(key.id(), saved);
            }
            Owner::Group(group) => {
                let group = &self.roster.groups[group];
                let saved = save_group(group);
                state.put_group(&group.id, saved);
            }
        }
    }

    fn write_names(&self, state: &mut PoolState) {
        for (model, bucket) in self.buckets.learned() {
            state.put_bucket(model, bucket);
        }
    }

    fn write_bindings(&self, state: &mut PoolState) {
        let noted =
            state.bindings.iter().flat_map(|(kind, names)| names.keys().map(move |name| (kind, name)));
        let gone = noted.filter(|(kind, name)| self.affinity.get(kind, name).is_none());
        let gone: Vec<_> = gone.map(|(kind, name)| (kind.clone(), name.clone())).collect();
        for (kind, name) in gone {
            state.forget_binding(&kind, &name);
        }
        for ((kind, name), bound) in self.affinity.all() {
            state.put_binding(kind, name, save_binding(bound));
        }
    }

    /// Takes an earlier life's state in. What it says of keys and groups that are gone waits for
    /// them.
    pub(super) fn remember(&mut self, state: &PoolState) {
        for (model, bucket) in &state.buckets {
            self.buckets.learn(model, bucket);
        }
        // Which groups there are depends on whose project is told first: in the order of the
        // configuration, as after a reload.
        for key in 0..self.roster.in_use() {
            let saved = state.keys.get(self.roster.keys[key].id());
            if let Some(project) = saved.and_then(|saved| saved.project.as_ref()) {
                self.put_in_project(key, project);
            }
        }
        for (id, saved) in &state.keys {
            match self.roster.key_at(id) {
                Some(key) => self.remember_standing(Owner::Key(key), saved),
                None => self.unclaimed.put_key(id, saved),
            }
        }
        for (id, saved) in &state.groups {
            match self.roster.group_at(id) {
                Some(position) => self.remember_group(position, saved),
                None => self.unclaimed.put_group(id, saved),
            }
        }
        self.affinity = Arc::new(self.read_bindings(state));
        self.remember_turns(state);
        self.remember_spent(&state.spent);
        let now = self.now;
        self.breaker.remember(&state.circuits, &self.policy.cooldowns.overloaded, |wall| at(now, wall));
        self.notice_all();
    }

    /// Gives keys and groups that were put in again what is remembered of them.
    pub(super) fn remember_unclaimed(&mut self) {
        if self.unclaimed.is_empty() {
            return;
        }
        for key in 0..self.roster.in_use() {
            let id = self.roster.keys[key].id().clone();
            let Some(mut saved) = self.unclaimed.take_key(&id) else { continue };
            saved.forget_what_is_over(self.now.wall);
            self.remember_standing(Owner::Key(key), &saved);
            if let Some(whole_at) = saved.whole_at {
                self.health.remember(key, self.at(whole_at), self.now);
            }
        }
        let names = self.roster.groups.iter().map(|group| &group.id);
        let names: Vec<GroupId> = names.chain(self.roster.projects()).cloned().collect();
        for id in names {
            let Some(position) = self.roster.group_at(&id) else { continue };
            if let Some(mut saved) = self.unclaimed.take_group(&id) {
                saved.standing.forget_what_is_over(self.now.wall);
                self.remember_group(position, &saved);
            }
            let meters = self.unclaimed.take_meters(&id);
            self.remember_spent(&SpentState { meters });
        }
    }

    fn remember_group(&mut self, position: usize, saved: &SavedGroup) {
        let group = &mut self.roster.groups[position];
        group.tier = saved.tier.or(group.tier);
        group.limits.absorb(StatedLimits::restored(&saved.limits));
        self.remember_standing(Owner::Group(position), &saved.standing);
    }

    fn remember_standing(&mut self, owner: Owner, saved: &SavedStanding) {
        if let Some(disabled) = &saved.disabled {
            self.last_disabling = disabled.fault.or(self.last_disabling);
            self.roster.standing_mut(owner).disabled = Some(Box::new(Disabled {
                fault: disabled.fault,
                reason: disabled.reason.clone().into(),
                since: self.at(disabled.since),
            }));
            self.refresh(&Place::new(owner, Part::Whole));
        }
        self.remember_probing(owner, saved.probing.as_ref());
        for rest in &saved.rests {
            let place = Place::new(owner, read_part(&rest.part));
            self.roster.put_rest(&place, self.read_rest(rest), self.now);
            self.refresh(&place);
        }
    }

    fn read_rest(&self, saved: &SavedRest) -> Rest {
        Rest {
            until: self.at(saved.until),
            since: self.at(saved.since),
            fault: saved.fault,
            reason: saved.reason.clone().into(),
            may_be_providers: saved.may_be_providers,
            level: saved.level,
            next_level: saved.next_level,
            first_lease_after: 0,
            over: saved.until <= self.now.wall,
        }
    }

    fn read_bindings(&self, state: &PoolState) -> Affinity {
        let mut affinity = Affinity::default();
        for (kind, names) in &state.bindings {
            for (name, saved) in names {
                if saved.expires > self.now.wall {
                    let name = (kind.clone().into(), name.clone());
                    let (group, client) = (self.name_now(&saved.group), saved.client.clone());
                    let expires = self.at(saved.expires);
                    affinity.insert(name, group, client, expires, saved.keepsake.clone());
                }
            }
        }
        affinity.make_room();
        affinity
    }

    /// The moment at which the wall clock shows, or showed, `wall`.
    pub(super) fn at(&self, wall: Timestamp) -> Moment {
        at(self.now, wall)
    }
}

fn at(now: Moment, wall: Timestamp) -> Moment {
    Moment { wall, mono: now.at_wall(wall).mono }
}

fn save_standing(standing: &Standing) -> SavedStanding {
    let disabled = standing.disabled.as_ref();
    SavedStanding {
        disabled: disabled.map(|disabled| SavedDisabled {
            fault: disabled.fault,
            reason: disabled.reason.to_string(),
            since: disabled.since.wall,
        }),
        rests: standing.remembered().filter_map(|(part, rest)| save_rest(part, rest)).collect(),
        whole_at: None,
        project: None,
        probing: None,
    }
}

/// Budgets are saved by what was used of them, see [`crate::SpentState`].
fn save_rest(part: &Part, rest: &Rest) -> Option<SavedRest> {
    Some(SavedRest {
        part: match part {
            Part::Budget(..) => return None,
            Part::Whole => SavedPart::Whole,
            Part::Operation(operation) => SavedPart::Operation(operation.to_string()),
            Part::Bucket(bucket, metric) => SavedPart::Bucket(bucket.clone(), *metric),
            Part::Sessions => SavedPart::Sessions,
        },
        until: rest.until.wall,
        since: rest.since.wall,
        fault: rest.fault,
        reason: rest.reason.to_string(),
        may_be_providers: rest.may_be_providers,
        level: rest.level,
        next_level: rest.next_level,
    })
}

fn read_part(saved: &SavedPart) -> Part {
    match saved {
        SavedPart::Whole => Part::Whole,
        SavedPart::Operation(operation) => Part::Operation(operation.clone().into()),
        SavedPart::Bucket(bucket, metric) => Part::Bucket(bucket.clone(), *metric),
        SavedPart::Sessions => Part::Sessions,
    }
}

fn save_group(group: &Group) -> SavedGroup {
    SavedGroup { standing: save_standing(&group.standing), tier: group.tier, limits: group.limits.save() }
}

fn save_binding(bound: &Bound) -> SavedBinding {
    SavedBinding {
        group: bound.group.clone(),
        client: bound.client.clone(),
        expires: bound.expires.wall,
        keepsake: bound.keepsake.clone(),
    }
}
