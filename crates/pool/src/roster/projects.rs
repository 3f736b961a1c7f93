//! Which keys are one project of the provider's, and the groups that makes of them.
//!
//! The provider names the project of a key, now and then. A key with no declared group belongs to
//! the group of its project from then on: to the declared one whose keys were named so, else to one
//! that is called like the project. Declared groups stay as they are.

use keygate_domain::{GroupId, Moment};

use super::{Owner, Place, Roster};
use crate::carry;
use crate::group::Group;
use crate::standing::Part;

/// What follows from the name of a key's project.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Naming {
    /// Nothing: it was known.
    Known,
    /// It is noted, and no group changes.
    Noted,
    /// The key's group is called like the project from here on.
    Renamed { group: usize, was: GroupId },
    /// Two groups are one.
    Same { from: usize, into: usize },
}

impl Roster {
    /// The provider named the project of a key. Says what has to become of the groups.
    pub(crate) fn name_project(&mut self, position: usize, project: &GroupId) -> Naming {
        let key = &mut self.keys[position];
        // A key without a declared group goes by the first word: what was counted together cannot be
        // told apart again.
        if key.project.as_ref() == Some(project) || (key.project.is_some() && !key.is_declared) {
            return Naming::Known;
        }
        key.project = Some(project.clone());
        let (own, is_declared) = (key.group, key.is_declared);
        if !is_declared {
            return self.name_undeclared(own, project);
        }
        // A declaration that holds no more has no say in whose the project is.
        if position < self.in_use() { self.name_declared(own, project) } else { Naming::Noted }
    }

    fn name_declared(&mut self, own: usize, project: &GroupId) -> Naming {
        let group = &mut self.groups[own];
        if group.project.get_or_insert_with(|| project.clone()) != project {
            return Naming::Noted;
        }
        match self.by_project.get(project).copied() {
            // The keys of this project that are declared nowhere belong here.
            Some(home) if home != own && !self.groups[home].is_declared => {
                self.by_project.insert(project.clone(), own);
                Naming::Same { from: home, into: own }
            }
            Some(_) => Naming::Noted,
            None => {
                self.by_project.insert(project.clone(), own);
                Naming::Noted
            }
        }
    }

    fn name_undeclared(&mut self, own: usize, project: &GroupId) -> Naming {
        let home = self.by_project.get(project).copied().or_else(|| self.group_at(project));
        if let Some(home) = home.filter(|home| *home != own) {
            self.by_project.insert(project.clone(), home);
            self.groups[home].project.get_or_insert_with(|| project.clone());
            return Naming::Same { from: own, into: home };
        }
        let group = &mut self.groups[own];
        group.project = Some(project.clone());
        let was = std::mem::replace(&mut group.id, project.clone());
        self.by_group.insert(project.clone(), own);
        self.by_project.insert(project.clone(), own);
        Naming::Renamed { group: own, was }
    }

    /// The projects that are known.
    pub(crate) fn projects(&self) -> impl Iterator<Item = &GroupId> {
        self.by_project.keys()
    }

    /// The group that is `project`.
    pub(crate) fn home_of(&self, project: &GroupId) -> Option<usize> {
        self.by_project.get(project).copied()
    }

    /// Two groups are one: nothing that rests is let off by that, nothing that was used is given back,
    /// and nothing learned is lost. Who knows the old name finds the new group.
    pub(crate) fn merge(&mut self, from: usize, into: usize, now: Moment) {
        let merged = [from, into].map(Owner::Group);
        let parts_of = |roster: &Self, owner: Owner| -> Vec<Part> {
            roster.standing(owner).remembered().map(|(part, _)| part.clone()).collect()
        };
        for owner in merged {
            for part in parts_of(self, owner) {
                self.uncount(&Place::new(owner, part));
            }
        }
        let shell = Group { merged_into: Some(into), ..Group::new(self.groups[from].id.clone()) };
        let mut earlier = std::mem::replace(&mut self.groups[from], shell);
        let members = std::mem::take(&mut earlier.members);
        let former = (self.in_use()..self.keys.len()).filter(|key| self.keys[*key].group == from);
        for key in members.iter().copied().chain(former).collect::<Vec<_>>() {
            self.keys[key].group = into;
        }
        let group = &mut self.groups[into];
        group.members.extend(members);
        group.members.sort_unstable();
        group.allowance = group.allowance.stricter(earlier.allowance);
        carry::group(group, earlier, &self.budgets, now);
        for part in parts_of(self, merged[1]) {
            self.count(&Place::new(merged[1], part));
        }
        self.merged += 1;
    }

    /// Forgets timer and count of a rest that is about to change.
    fn uncount(&mut self, place: &Place) {
        self.stop_timer(place);
        let running = self.standing(place.owner).rest(&place.part).filter(|rest| !rest.over);
        if let Some(until) = running.map(|rest| rest.until) {
            self.resting.ended(place, until);
        }
    }

    fn count(&mut self, place: &Place) {
        self.start_timer(place);
        let running = self.standing(place.owner).rest(&place.part).filter(|rest| !rest.over);
        if let Some(until) = running.map(|rest| rest.until) {
            self.resting.began(place, until);
        }
    }
}
