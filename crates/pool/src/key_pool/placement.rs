//! Which group serves an ask, by what it names and by what is said of it.

use keygate_domain::{GroupId, Placement, Resource};

use super::KeyPool;
use super::choose::Ownership;
use crate::{Ask, PoolRefusal};

/// What a group is called where it is named beside resources.
const GROUP: &str = "group";

impl KeyPool {
    /// Which groups may serve an ask; `None` if nothing decides it.
    pub(super) fn ownership(&self, ask: &Ask) -> Result<Option<Ownership>, PoolRefusal> {
        let owned = self.owner_of_named(ask)?;
        match &ask.placement {
            Placement::Any => Ok(owned),
            Placement::In(group) => self.placed_in(group, owned, ask).map(Some),
            Placement::Settled(_) if owned.is_some() => Ok(owned),
            Placement::Settled(Some(group)) => self.known(group).map(|group| Some(Ownership::Only(group))),
            Placement::Settled(None) if self.roster.groups_in_use() > 1 => Err(PoolRefusal::Undecided),
            Placement::Settled(None) => Ok(None),
        }
    }

    fn placed_in(
        &self,
        group: &GroupId,
        owned: Option<Ownership>,
        ask: &Ask,
    ) -> Result<Ownership, PoolRefusal> {
        let group = self.known(group)?;
        match owned {
            Some(Ownership::Only(home)) if home != group => Err(PoolRefusal::Conflict {
                first: Resource::new(GROUP, group.as_str()),
                second: self.first_known(ask).unwrap_or_else(|| Resource::new(GROUP, home.as_str())),
            }),
            Some(preferred @ Ownership::Prefers(..)) => Ok(preferred),
            Some(Ownership::Only(_) | Ownership::Free) | None => Ok(Ownership::Only(group)),
        }
    }

    /// The group as it is called by now, if any key is in it.
    fn known(&self, group: &GroupId) -> Result<GroupId, PoolRefusal> {
        let found = self.roster.group_at(group).map(|place| &self.roster.groups[place]);
        let found = found.filter(|found| !found.members.is_empty()).map(|found| found.id.clone());
        found.ok_or_else(|| PoolRefusal::Unknown { resource: Resource::new(GROUP, group.as_str()) })
    }

    fn first_known(&self, ask: &Ask) -> Option<Resource> {
        ask.references.iter().find(|resource| self.affinity.owner(resource, self.now).is_some()).cloned()
    }
}
