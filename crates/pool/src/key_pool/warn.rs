//! Warnings: told once when they are noticed, shown for as long as they hold.

use std::collections::BTreeSet;

use keygate_domain::GroupId;

use super::KeyPool;
use crate::PoolEvent;
use crate::learned::{KeyPlace, Warning};

impl KeyPool {
    /// Most warnings told at once, when all groups are looked at; status shows the others, too.
    const MOST_TOLD: usize = 32;

    /// Tells what is to be warned of in a group and was not told before.
    pub(super) fn notice(&mut self, group: usize) {
        for warning in self.news_of(group) {
            self.events.push(PoolEvent::Noticed(self.with_counts(warning)));
        }
    }

    /// The same for every group, after all of them changed.
    pub(super) fn notice_all(&mut self) {
        let roster = &self.roster;
        self.warned.retain(|group, _| roster.is_name_in_use(group));
        let mut news = Vec::new();
        for group in 0..self.roster.groups.len() {
            news.append(&mut self.news_of(group));
        }
        for warning in news.into_iter().take(Self::MOST_TOLD) {
            self.events.push(PoolEvent::Noticed(self.with_counts(warning)));
        }
    }

    /// What was not warned of before; it counts as told by this.
    fn news_of(&mut self, group: usize) -> Vec<Warning> {
        let mut warnings = self.warnings_of(group);
        let id = &self.roster.groups[group].id;
        let told = self.warned.remove(id).unwrap_or_default();
        let topics: BTreeSet<Warning> = warnings.iter().cloned().map(Warning::topic).collect();
        if !topics.is_empty() {
            self.warned.insert(id.clone(), topics);
        }
        warnings.retain(|warning| !told.contains(&warning.clone().topic()));
        warnings
    }

    /// Everything that is to be warned of.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        let all: Vec<Warning> =
            (0..self.roster.groups.len()).flat_map(|group| self.warnings_of(group)).collect();
        let is_one_project = |warning: &Warning| matches!(warning, Warning::OneProject { .. });
        if !all.iter().any(is_one_project) {
            return all;
        }
        let counts = self.counts();
        all.into_iter().map(|warning| counted(warning, counts)).collect()
    }

    /// How many groups the pool is, which [`KeyPool::warnings_of`] leaves open, is filled in later: to
    /// count them takes a look at all.
    fn warnings_of(&self, position: usize) -> Vec<Warning> {
        let group = &self.roster.groups[position];
        if group.members.is_empty() {
            return Vec::new();
        }
        let mut found = Vec::new();
        found.extend(self.one_project(position));
        found.extend(self.several_projects(position));
        found.extend(self.declared_apart(position));
        found.extend(group.limits.all().filter_map(|(bucket, metric, stated)| {
            let configured = self.configured_allowance(position, bucket).limit(metric)?;
            let (group, bucket) = (group.id.clone(), bucket.clone());
            (configured != stated).then_some(Warning::BudgetDiffers {
                group,
                bucket,
                metric,
                configured,
                stated,
            })
        }));
        found
    }

    fn one_project(&self, position: usize) -> Option<Warning> {
        let group = &self.roster.groups[position];
        let is_declared = group.members.iter().all(|key| self.roster.keys[*key].is_declared);
        if is_declared || group.members.len() < 2 {
            return None;
        }
        let keys = group.members.iter().map(|key| self.key_place(*key)).collect();
        Some(Warning::OneProject { group: group.id.clone(), keys, budgets: 0, configured: 0 })
    }

    fn several_projects(&self, position: usize) -> Option<Warning> {
        let group = &self.roster.groups[position];
        let named = group.members.iter().filter_map(|key| {
            let project = self.roster.keys[*key].project.as_ref()?;
            Some((*key, project))
        });
        let named: Vec<(usize, &GroupId)> = named.collect();
        let (_, first) = named.first()?;
        if named.iter().all(|(_, project)| project == first) {
            return None;
        }
        let keys = named.into_iter().map(|(key, project)| (self.key_place(key), project.clone())).collect();
        Some(Warning::SeveralProjects { group: group.id.clone(), keys })
    }

    fn declared_apart(&self, position: usize) -> Option<Warning> {
        let group = &self.roster.groups[position];
        let project = group.project.as_ref().filter(|_| group.is_declared)?;
        let home = self.roster.home_of(project).filter(|home| *home != position)?;
        let same_as = &self.roster.groups[home];
        (same_as.is_declared && !same_as.members.is_empty()).then(|| Warning::DeclaredApart {
            group: group.id.clone(),
            same_as: same_as.id.clone(),
            project: project.clone(),
        })
    }

    fn key_place(&self, index: usize) -> KeyPlace {
        let key = &self.roster.keys[index];
        KeyPlace { index, id: key.id().clone(), label: key.label.clone() }
    }

    fn with_counts(&self, warning: Warning) -> Warning {
        if matches!(warning, Warning::OneProject { .. }) { counted(warning, self.counts()) } else { warning }
    }

    /// How many groups the keys in use are, and how many by the configuration.
    fn counts(&self) -> (usize, usize) {
        let keys = self.roster.keys_in_use();
        let declared: BTreeSet<usize> =
            keys.iter().filter(|key| key.is_declared).map(|key| key.group).collect();
        let alone = keys.iter().filter(|key| !key.is_declared).count();
        (self.roster.groups_in_use(), declared.len() + alone)
    }
}

fn counted(mut warning: Warning, counts: (usize, usize)) -> Warning {
    if let Warning::OneProject { budgets, configured, .. } = &mut warning {
        (*budgets, *configured) = counts;
    }
    warning
}
