//! Who owns what the provider keeps: resource → group and client.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keygate_domain::{Binding, ClientId, GroupId, Keepsake, Moment, Resource};

/// A resource's owner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Bound {
    pub(crate) group: GroupId,
    pub(crate) client: ClientId,
    pub(crate) expires: Moment,
    /// With a portable one, another group will do.
    pub(crate) keepsake: Option<Keepsake>,
    /// Its place in the order of arrival.
    number: u64,
}

/// A resource as it is kept: kinds read back from storage are not `'static`.
pub(crate) type ResourceName = (Cow<'static, str>, Arc<str>);

/// The owners of all resources known. Bounded: the oldest are forgotten first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Affinity {
    by_kind: BTreeMap<Cow<'static, str>, BTreeMap<Arc<str>, Bound>>,
    arrivals: BTreeMap<u64, ResourceName>,
    expiries: BTreeSet<(Moment, u64)>,
    keepsake_bytes: usize,
    arrived: u64,
}

impl Affinity {
    /// Most resources known.
    pub(crate) const MOST: usize = 50_000;
    /// Most bytes of keepsakes.
    pub(crate) const MOST_KEEPSAKE_BYTES: usize = 64 * 1024 * 1024;

    /// The owner of a resource, while the provider keeps it.
    pub(crate) fn owner(&self, resource: &Resource, now: Moment) -> Option<&Bound> {
        self.get(resource.kind, &resource.name).filter(|bound| bound.expires > now)
    }

    /// The owner as it is kept, even if it expired.
    pub(crate) fn get(&self, kind: &str, name: &str) -> Option<&Bound> {
        self.by_kind.get(kind)?.get(name)
    }

    /// Notes an owner. A live binding of another client stays as it is: nobody takes a
    /// resource over by making one of the same name. True if it was noted.
    pub(crate) fn bind(&mut self, group: &GroupId, client: &ClientId, binding: Binding, now: Moment) -> bool {
        let owner = self.owner(&binding.resource, now).map(|bound| bound.client.clone());
        let is_foreign = owner.as_ref().is_some_and(|owner| owner != client && !owner.is_nobody());
        // What is nobody's stays so: whoever uses it first does not take it from the others.
        let client = owner.as_ref().unwrap_or(client);
        if is_foreign || binding.lifetime.is_zero() {
            return false;
        }
        let name = (Cow::Borrowed(binding.resource.kind), binding.resource.name);
        let expires = now.after(binding.lifetime);
        self.insert(name, group.clone(), client.clone(), expires, binding.keepsake);
        true
    }

    /// Notes that a group has a thing of which nobody knows who made it. What is known stays as it is.
    /// True if it was noted.
    pub(crate) fn find(&mut self, group: &GroupId, binding: Binding, now: Moment) -> bool {
        if self.owner(&binding.resource, now).is_some() {
            return false;
        }
        self.bind(group, &ClientId::nobody(), binding, now)
    }

    /// Forgets a thing that is no more, if it was this group's. True if it was known.
    pub(crate) fn unbind(&mut self, group: &GroupId, resource: &Resource) -> bool {
        let is_its = self.get(resource.kind, &resource.name).is_some_and(|bound| bound.group == *group);
        if is_its {
            self.remove(&(Cow::Borrowed(resource.kind), Arc::clone(&resource.name)));
        }
        is_its
    }

    /// The groups in which there is something of a kind that is this client's.
    pub(crate) fn groups_with(&self, kind: &str, client: &ClientId, now: Moment) -> BTreeSet<GroupId> {
        let of_kind = self.by_kind.get(kind).into_iter().flat_map(BTreeMap::values);
        let theirs = of_kind.filter(|bound| bound.client == *client && bound.expires > now);
        theirs.map(|bound| bound.group.clone()).collect()
    }

    /// Puts an owner in the place of the one known.
    pub(crate) fn insert(
        &mut self,
        name: ResourceName,
        group: GroupId,
        client: ClientId,
        expires: Moment,
        keepsake: Option<Keepsake>,
    ) {
        self.remove(&name);
        self.arrived += 1;
        let number = self.arrived;
        self.keepsake_bytes += size_of_keepsake(keepsake.as_ref());
        self.expiries.insert((expires, number));
        self.arrivals.insert(number, name.clone());
        let bound = Bound { group, client, expires, keepsake, number };
        self.by_kind.entry(name.0).or_default().insert(name.1, bound);
    }

    /// Forgets the oldest if there are too many; returns which.
    pub(crate) fn make_room(&mut self) -> Vec<ResourceName> {
        let mut gone = Vec::new();
        while self.len() > Self::MOST || self.keepsake_bytes > Self::MOST_KEEPSAKE_BYTES {
            let Some(name) = self.arrivals.first_key_value().map(|(_, name)| name.clone()) else { break };
            self.remove(&name);
            gone.push(name);
        }
        gone
    }

    /// Forgets what the provider keeps no longer; returns which.
    pub(crate) fn expire(&mut self, now: Moment) -> Vec<ResourceName> {
        let mut gone = Vec::new();
        while let Some((expires, number)) = self.expiries.first().copied() {
            if expires > now {
                break;
            }
            self.expiries.pop_first();
            if let Some(name) = self.arrivals.get(&number).cloned() {
                self.remove(&name);
                gone.push(name);
            }
        }
        gone
    }

    fn remove(&mut self, (kind, name): &ResourceName) {
        let Some(of_kind) = self.by_kind.get_mut(kind) else { return };
        let Some(bound) = of_kind.remove(name) else { return };
        if of_kind.is_empty() {
            self.by_kind.remove(kind);
        }
        self.keepsake_bytes -= size_of_keepsake(bound.keepsake.as_ref());
        self.expiries.remove(&(bound.expires, bound.number));
        self.arrivals.remove(&bound.number);
    }

    /// What belonged to the groups named belongs to the groups they became.
    pub(crate) fn rename(&mut self, renamed: &BTreeMap<GroupId, GroupId>) {
        for bound in self.by_kind.values_mut().flat_map(BTreeMap::values_mut) {
            if let Some(name) = renamed.get(&bound.group) {
                bound.group = name.clone();
            }
        }
    }

    /// Whether a group owns anything.
    pub(crate) fn has_any_of(&self, group: &GroupId) -> bool {
        self.by_kind.values().flat_map(BTreeMap::values).any(|bound| bound.group == *group)
    }

    /// What belonged to one group belongs to another. Returns what did.
    pub(crate) fn hand_over(&mut self, from: &GroupId, to: &GroupId) -> Vec<ResourceName> {
        let mut moved = Vec::new();
        for (kind, of_kind) in &mut self.by_kind {
            for (name, bound) in of_kind.iter_mut().filter(|(_, bound)| bound.group == *from) {
                bound.group.clone_from(to);
                moved.push((kind.clone(), name.clone()));
            }
        }
        moved
    }

    /// When the next binding expires.
    pub(crate) fn next_expiry(&self) -> Option<Moment> {
        self.expiries.first().map(|(expires, _)| *expires)
    }

    /// How many resources are known.
    pub(crate) fn len(&self) -> usize {
        self.arrivals.len()
    }

    /// All bindings, oldest first.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&ResourceName, &Bound)> {
        self.arrivals.values().filter_map(|name| Some((name, self.get(&name.0, &name.1)?)))
    }
}

fn size_of_keepsake(keepsake: Option<&Keepsake>) -> usize {
    keepsake.map_or(0, |keepsake| keepsake.bytes().len())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use jiff::Timestamp;

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment { mono: Duration::ZERO, wall: Timestamp::UNIX_EPOCH }.after(Duration::from_secs(seconds))
    }

    fn binding(name: &str, lifetime: u64, keepsake: usize) -> Binding {
        Binding {
            resource: Resource::new("session", name),
            lifetime: Duration::from_secs(lifetime),
            keepsake: (keepsake > 0).then(|| Keepsake::new(Bytes::from(vec![7; keepsake])).unwrap()),
        }
    }

    fn owner(affinity: &Affinity, name: &str, now: Moment) -> Option<String> {
        affinity.owner(&Resource::new("session", name), now).map(|bound| bound.group.to_string())
    }

    #[test]
    fn a_binding_ends_with_its_resource() {
        let mut affinity = Affinity::default();
        assert!(affinity.bind(&"g".into(), &"c".into(), binding("s", 60, 10), at(0)));
        assert_eq!(owner(&affinity, "s", at(59)), Some("g".to_owned()));
        assert_eq!(owner(&affinity, "s", at(60)), None);
        assert_eq!(affinity.next_expiry(), Some(at(60)));
        assert_eq!(affinity.expire(at(60)).len(), 1);
        assert_eq!((affinity.len(), affinity.keepsake_bytes), (0, 0));
        assert_eq!(affinity.next_expiry(), None);
    }

    #[test]
    fn what_was_found_is_nobodys_until_it_ends() {
        let mut affinity = Affinity::default();
        assert!(affinity.find(&"g".into(), binding("s", 60, 0), at(0)));
        assert!(!affinity.find(&"h".into(), binding("s", 600, 0), at(1)), "it is known");
        assert!(affinity.bind(&"g".into(), &"ann".into(), binding("s", 90, 0), at(1)));
        let owner = affinity.owner(&Resource::new("session", "s"), at(80)).unwrap();
        assert!(owner.client.is_nobody() && owner.group == "g".into(), "its end moved, no more");
        assert!(affinity.bind(&"g".into(), &"ann".into(), binding("t", 60, 0), at(0)));
        assert!(!affinity.find(&"h".into(), binding("t", 60, 0), at(0)));
        assert_eq!(affinity.groups_with("session", &"ann".into(), at(1)), ["g".into()].into());
        assert!(affinity.groups_with("session", &"ben".into(), at(1)).is_empty());
    }

    #[test]
    fn what_is_gone_is_forgotten_by_its_owner_only() {
        let mut affinity = Affinity::default();
        affinity.bind(&"g".into(), &"ann".into(), binding("s", 60, 0), at(0));
        let resource = Resource::new("session", "s");
        assert!(!affinity.unbind(&"h".into(), &resource));
        assert!(affinity.unbind(&"g".into(), &resource) && !affinity.unbind(&"g".into(), &resource));
        assert_eq!((affinity.len(), affinity.next_expiry()), (0, None));
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let mut affinity = Affinity::default();
        for number in 0..Affinity::MOST + 3 {
            affinity.bind(&"g".into(), &"c".into(), binding(&number.to_string(), 60, 0), at(0));
            affinity.make_room();
        }
        assert_eq!(affinity.len(), Affinity::MOST);
        assert_eq!(owner(&affinity, "2", at(1)), None);
        assert_eq!(owner(&affinity, "3", at(1)), Some("g".to_owned()));
    }

    #[test]
    fn the_oldest_go_when_keepsakes_weigh_too_much() {
        let mut affinity = Affinity::default();
        let fit = Affinity::MOST_KEEPSAKE_BYTES / Keepsake::MAX_BYTES;
        for number in 0..=fit {
            let binding = binding(&number.to_string(), 60, Keepsake::MAX_BYTES);
            affinity.bind(&"g".into(), &"c".into(), binding, at(0));
        }
        assert_eq!(affinity.make_room().len(), 1);
        assert_eq!(owner(&affinity, "0", at(1)), None);
        assert_eq!(affinity.len(), fit);
    }

    #[test]
    fn nobody_takes_over_a_live_resource_of_another_client() {
        let mut affinity = Affinity::default();
        affinity.bind(&"g".into(), &"ann".into(), binding("s", 60, 0), at(0));
        assert!(!affinity.bind(&"h".into(), &"ben".into(), binding("s", 60, 0), at(1)));
        assert_eq!(owner(&affinity, "s", at(1)), Some("g".to_owned()));
        assert!(affinity.bind(&"h".into(), &"ben".into(), binding("s", 60, 0), at(61)));
        assert_eq!(owner(&affinity, "s", at(62)), Some("h".to_owned()));
        assert_eq!(affinity.len(), 1);
    }
}
