//! Questions of those who put a list together (which groups have a part of it, and whose its items are), and of
//! those who look for what was lost.

use std::collections::BTreeSet;

use keygate_domain::{ClientId, GroupId, Keepsake, Moment, Resource};

use super::KeyPool;

/// Whose something is, for one client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    /// The client's.
    Own,
    /// Another client's.
    Others,
    /// Nobody here knows.
    Nobodys,
}

impl KeyPool {
    /// The groups with keys, in the order of the configuration; with a `client`, those only in which
    /// something of `kind` is its own.
    pub fn groups_having(&mut self, kind: &str, client: Option<&ClientId>, now: Moment) -> Vec<GroupId> {
        self.advance(now);
        let holding = client.map(|client| self.affinity.groups_with(kind, client, self.now));
        let mut seen = BTreeSet::new();
        let in_use = self.roster.keys_in_use().iter().map(|key| key.group);
        let groups = in_use.filter(|group| seen.insert(*group)).map(|group| &self.roster.groups[group].id);
        groups.filter(|id| holding.as_ref().is_none_or(|holding| holding.contains(*id))).cloned().collect()
    }

    /// Whose each of these is.
    pub fn whose(&mut self, resources: &[Resource], client: &ClientId, now: Moment) -> Vec<Whose> {
        self.advance(now);
        let whose = |resource: &Resource| match self.affinity.owner(resource, self.now) {
            Some(bound) if bound.client == *client => Whose::Own,
            Some(bound) if !bound.client.is_nobody() => Whose::Others,
            Some(_) | None => Whose::Nobodys,
        };
        resources.iter().map(whose).collect()
    }

    /// What is kept of a resource.
    pub fn keepsake_of(&mut self, resource: &Resource, now: Moment) -> Option<Keepsake> {
        self.advance(now);
        self.affinity.owner(resource, self.now)?.keepsake.clone()
    }

    /// The group that has a thing, if anybody knows; with a `client`, if it is not another client's.
    pub fn group_of(
        &mut self,
        resource: &Resource,
        client: Option<&ClientId>,
        now: Moment,
    ) -> Option<GroupId> {
        self.advance(now);
        let bound = self.affinity.owner(resource, self.now)?;
        let is_anothers = client.is_some_and(|client| bound.client != *client && !bound.client.is_nobody());
        (!is_anothers).then(|| bound.group.clone())
    }
}
