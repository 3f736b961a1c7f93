//! One roster follows another: keys and groups change places and keep what is known of them.

use std::collections::{BTreeMap, BTreeSet};

use keygate_domain::{GroupId, KeyId, KeySpec, Moment};

use super::{Naming, Owner, Place, Roster};
use crate::group::Group;
use crate::key::{Key, KeyUse};
use crate::standing::{Part, Standing};
use crate::{Budgets, KeyName, Reloaded, carry};

/// What changed from one roster to the next.
pub(crate) struct Succession {
    /// Where each key stands now, by its former position; `None` for one that is forgotten.
    pub(crate) moved: Vec<Option<usize>>,
    /// Where each group stands now, likewise.
    pub(crate) groups: Vec<Option<usize>>,
    /// Groups that go by another name.
    pub(crate) renamed: BTreeMap<GroupId, GroupId>,
    /// What became of the leases of keys that are forgotten.
    pub(crate) gone: KeyUse,
    /// The difference in the words of operators.
    pub(crate) told: Reloaded,
}

impl Roster {
    /// Most former keys remembered, and most groups without a key; the latest stay. A key whose
    /// leases are not back is remembered in any case.
    const MOST_FORMER: usize = 256;

    /// Makes the roster of `specs`, which takes over everything this one knows. `project_of` tells
    /// what is remembered of keys that this one does not know.
    pub(crate) fn succeeded_by(
        self,
        specs: Vec<KeySpec>,
        budgets: Budgets,
        project_of: impl Fn(&KeyId) -> Option<GroupId>,
        now: Moment,
    ) -> (Self, Succession) {
        let were_in_use = self.in_use();
        // Timers and counts of what rests follow from the standings.
        let Self {
            keys,
            groups,
            by_id: _,
            by_group: _,
            by_project: _,
            merged: _,
            timers: _,
            resting: _,
            budgets: _,
        } = self;
        let mut next = Self::new(specs, budgets);
        let named = keys.iter().filter_map(|key| Some((key.id(), key.project.as_ref()?)));
        let named: BTreeMap<&KeyId, &GroupId> = named.collect();
        next.put_projects_together(|id| named.get(id).copied().cloned().or_else(|| project_of(id)), now);
        let renamed = renamed_groups(&keys, &groups, &next);
        let names: Vec<GroupId> = groups.iter().map(|group| name_now(&renamed, &group.id).clone()).collect();
        let mut succession = Succession {
            moved: Vec::new(),
            groups: Vec::new(),
            renamed,
            gone: KeyUse::default(),
            told: Reloaded::default(),
        };
        let mut is_new = vec![true; next.in_use()];
        for (position, key) in keys.into_iter().enumerate() {
            let stays_at = next.key_at(key.id());
            match stays_at {
                Some(place) if position < were_in_use => {
                    is_new[place] = false;
                    succession.told.kept += 1;
                }
                None if position < were_in_use => succession.told.removed.push(name_of(&key)),
                Some(_) | None => {}
            }
            succession.moved.push(match stays_at {
                Some(place) => {
                    carry::key(&mut next.keys[place], key);
                    Some(place)
                }
                None => next.remember_former(key, &names, &mut succession.gone),
            });
        }
        let added = next.keys_in_use().iter().zip(is_new).filter(|(_, is_new)| *is_new);
        succession.told.added = added.map(|(key, _)| name_of(key)).collect();
        for (group, name) in groups.into_iter().zip(names) {
            if group.merged_into.is_some() {
                succession.groups.push(None);
                continue;
            }
            let was = group.id.clone();
            let place = next.take_group_over(group, &name, now);
            // One that is a project goes to the group of that project, also where its keys go apart.
            let is = place.map(|place| next.groups[place].id.clone()).filter(|is| *is != was);
            succession.renamed.extend(is.map(|is| (was, is)));
            succession.groups.push(place);
        }
        next.count_anew();
        (next, succession)
    }

    /// Groups the keys by what is known of their projects, in the order of the configuration.
    fn put_projects_together(&mut self, project_of: impl Fn(&KeyId) -> Option<GroupId>, now: Moment) {
        for key in 0..self.in_use() {
            let Some(project) = project_of(self.keys[key].id()) else { continue };
            if let Naming::Same { from, into } = self.name_project(key, &project) {
                self.merge(from, into, now);
            }
        }
    }

    /// Puts a key that is in use no longer behind the others.
    fn remember_former(&mut self, key: Key, names: &[GroupId], gone: &mut KeyUse) -> Option<usize> {
        let former = self.keys.len() - self.in_use();
        if former >= Self::MOST_FORMER && key.counts.in_flight == 0 {
            gone.add(key.counts);
            return None;
        }
        let group = self.group_or_new(&names[key.group]);
        self.keys.push(Key { group, ..key });
        Some(self.keys.len() - 1)
    }

    fn take_group_over(&mut self, group: Group, name: &GroupId, now: Moment) -> Option<usize> {
        let without_keys = self.groups.len() - self.groups_in_use() - self.merged;
        if self.group_at(name).is_none() && without_keys >= Self::MOST_FORMER {
            return None;
        }
        let position = self.group_or_new(name);
        carry::group(&mut self.groups[position], group, &self.budgets, now);
        Some(position)
    }

    fn group_or_new(&mut self, name: &GroupId) -> usize {
        self.group_at(name).unwrap_or_else(|| {
            self.groups.push(Group::new(name.clone()));
            self.by_group.insert(name.clone(), self.groups.len() - 1);
            self.groups.len() - 1
        })
    }

    /// Sets the timers of everything that rests or rested lately, and counts it.
    fn count_anew(&mut self) {
        let keys = self.keys.iter().enumerate().map(|(at, key)| (Owner::Key(at), &key.standing));
        let groups = self.groups.iter().enumerate().map(|(at, group)| (Owner::Group(at), &group.standing));
        let parts_of = |(owner, standing): (Owner, &Standing)| -> Vec<(Owner, Part)> {
            standing.remembered().map(|(part, _)| (owner, part.clone())).collect()
        };
        let places: Vec<(Owner, Part)> = keys.chain(groups).flat_map(parts_of).collect();
        for (owner, part) in places {
            self.start_timer(&Place::new(owner, part));
        }
        self.resting = self.count_resting();
    }
}

/// The groups whose keys all went over to one other group while nothing else came in their
/// place. The provider's project is the same as before: what is known of it, and what belongs to
/// it, goes along.
fn renamed_groups(keys: &[Key], groups: &[Group], next: &Roster) -> BTreeMap<GroupId, GroupId> {
    let mut went_to: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for key in keys {
        if let Some(place) = next.key_at(key.id()) {
            went_to.entry(key.group).or_default().insert(next.keys[place].group);
        }
    }
    let renamed = went_to.into_iter().filter_map(|(group, targets)| {
        let before = &groups[group].id;
        let only = targets.first().filter(|_| targets.len() == 1 && !next.is_name_in_use(before))?;
        Some((before.clone(), next.groups[*only].id.clone()))
    });
    renamed.collect()
}

fn name_now<'a>(renamed: &'a BTreeMap<GroupId, GroupId>, name: &'a GroupId) -> &'a GroupId {
    renamed.get(name).unwrap_or(name)
}

fn name_of(key: &Key) -> KeyName {
    KeyName { id: key.id().clone(), label: key.label.clone() }
}
