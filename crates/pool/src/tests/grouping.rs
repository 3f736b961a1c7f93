//! "Which keys are one group?", answered a second time, by names alone.

use std::collections::{BTreeMap, BTreeSet};

use keygate_domain::KeySpec;

use super::reference::{Reference, group_of};

impl Reference {
    /// The group of each configured key, by what is configured and by what is known of projects.
    pub(super) fn grouping(&mut self, specs: &[KeySpec]) -> BTreeMap<usize, String> {
        self.homes.clear();
        self.named.clear();
        let keys: Vec<usize> = specs.iter().map(|spec| self.key(spec.secret.id())).collect();
        let mut groups: BTreeMap<usize, String> =
            keys.iter().copied().zip(specs.iter().map(group_of)).collect();
        for (key, spec) in keys.iter().zip(specs) {
            self.declared[*key] = spec.group.is_some();
        }
        let declared: BTreeSet<String> =
            specs.iter().filter(|spec| spec.group.is_some()).map(group_of).collect();
        for key in keys {
            let Some(project) = self.projects[key].clone() else { continue };
            let own = groups[&key].clone();
            if let Some((from, to)) = self.find_home(&own, self.declared[key], &project, &declared) {
                groups.values_mut().filter(|group| **group == from).for_each(|group| group.clone_from(&to));
            }
        }
        groups
    }

    /// The provider named a key's project.
    pub(crate) fn name_project(&mut self, key: usize, project: &str) {
        let known = self.projects[key].as_deref();
        if known == Some(project) || (known.is_some() && !self.declared[key]) {
            return;
        }
        self.projects[key] = Some(project.to_owned());
        if self.declared[key] && !self.in_use.contains(&key) {
            return;
        }
        let declared = self.in_use.iter().filter(|key| self.declared[**key]);
        let declared = declared.map(|key| self.groups[*key].clone()).collect();
        let own = self.groups[key].clone();
        if let Some((from, to)) = self.find_home(&own, self.declared[key], project, &declared) {
            self.rename(&from, &to);
        }
    }

    /// Which group becomes which by the name of a project.
    fn find_home(
        &mut self,
        own: &str,
        is_declared: bool,
        project: &str,
        declared: &BTreeSet<String>,
    ) -> Option<(String, String)> {
        let home = self.homes.get(project).cloned();
        if is_declared {
            let named = self.named.entry(own.to_owned()).or_insert_with(|| project.to_owned());
            if named != project {
                return None;
            }
            let moves = home.as_ref().filter(|home| **home != own && !declared.contains(*home)).cloned();
            if home.is_none() || moves.is_some() {
                self.homes.insert(project.to_owned(), own.to_owned());
            }
            return moves.map(|from| (from, own.to_owned()));
        }
        let home = home.unwrap_or_else(|| project.to_owned());
        self.named.entry(home.clone()).or_insert_with(|| project.to_owned());
        self.homes.insert(project.to_owned(), home.clone());
        Some((own.to_owned(), home))
    }

    pub(super) fn rename(&mut self, name: &str, target: &str) {
        let known = self.groups.iter_mut().chain(self.facts.iter_mut().map(|fact| &mut fact.group));
        let known = known.chain(self.owned.iter_mut().map(|owned| &mut owned.group));
        known.filter(|known| *known == name).for_each(|known| target.clone_into(known));
    }

    pub(super) fn names_in_use_no_more(&self, after: &BTreeMap<usize, String>) -> BTreeSet<String> {
        let facts = self.facts.iter().map(|fact| &fact.group);
        let owned = self.owned.iter().map(|owned| &owned.group);
        let all = self.groups.iter().chain(facts).chain(owned);
        all.filter(|name| !name.is_empty() && !after.values().any(|group| group == *name)).cloned().collect()
    }

    /// The name by which a group goes that was called so.
    pub(super) fn name_now(&self, name: &str) -> String {
        if self.groups.iter().any(|group| group == name) {
            return name.to_owned();
        }
        let is_of_key = |key: &&usize| !self.declared[**key] && name == format!("key:{}", self.ids[**key]);
        let of_key = self.in_use.iter().find(is_of_key).map(|key| &self.groups[*key]);
        of_key.or_else(|| self.homes.get(name)).cloned().unwrap_or_else(|| name.to_owned())
    }
}
