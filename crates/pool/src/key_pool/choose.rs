//! Choosing a key and granting it.

use std::cell::RefCell;

use keygate_domain::{Access, ApiKey, ClientId, GroupId, Keepsake, KeyId, LeaseId, Moment, Spend};

use super::{KeyPool, wish};
use crate::lane::Lane;
use crate::leases::Held;
use crate::narrow::NarrowGroups;
use crate::roster::Roster;
use crate::standing::Wish;
use crate::tried::TriedKeys;
use crate::{Ask, Granted, Lease, PoolRefusal, Skip, invariants};

/// Which groups may serve an ask, by the owners of what it names.
#[derive(Clone, Debug)]
pub(super) enum Ownership {
    /// Any.
    Free,
    /// Only this one (KP-11).
    Only(GroupId),
    /// Any; elsewhere than here an equal resource has to be made first.
    Prefers(GroupId, Keepsake),
}

impl Ownership {
    /// The only group that may serve.
    pub(super) fn bound_to(&self) -> Option<&GroupId> {
        match self {
            Self::Only(group) => Some(group),
            Self::Free | Self::Prefers(..) => None,
        }
    }

    /// The group that owns what the ask names.
    pub(super) fn home(&self) -> Option<&GroupId> {
        match self {
            Self::Only(group) | Self::Prefers(group, _) => Some(group),
            Self::Free => None,
        }
    }
}

impl KeyPool {
    /// Most skipped keys told with a lease: each is a look at a key that is not needed otherwise.
    const MOST_SKIPPED: usize = 4;
    /// Up to so many keys are compared one by one.
    const FEW: usize = 64;

    pub(super) fn choose_and_grant(&mut self, ask: &Ask) -> Result<Granted, PoolRefusal> {
        let on_behalf_of = self.on_behalf_of(ask);
        let ownership = match self.ownership(ask)? {
            Some(ownership) => ownership,
            None if ask.access == Access::OwnCredential => return Ok(Granted::NotOurs),
            None => Ownership::Free,
        };
        self.refresh_headroom();
        let spend = self.to_reserve(ask);
        let wish = wish(&self.buckets, ask.model.as_ref(), ask.operation, ask.opens_session, spend);
        let scope = self.roster.resting.scope_of(&wish);
        let (roster, now) = (&self.roster, self.now);
        let place = self.lanes.open(&scope, || {
            let resting = roster.resting.in_the_way_of(&scope.wish());
            resting.flat_map(|(_, place)| roster.members(&place.owner).iter().copied())
        });
        let tried = TriedKeys::find(&ask.tried, roster, &wish, now);
        let lane = self.lanes.lane(place);
        self.narrow.advance(wish.bucket.unwrap_or_default(), now);
        let (key, too_narrow) = self.choose(lane, &ownership, &tried, &wish);
        note_narrow(&mut self.narrow, roster, &wish, too_narrow, now);
        let key = key.ok_or_else(|| self.refusal(lane, &wish, ownership.bound_to()));
        let key = self.past_breaker(&wish, key)?;
        self.fetch(key);
        debug_assert!(invariants::may_be_leased(self, key, &wish), "{}", invariants::KP_3.sentence);
        let skipped = self.skipped(lane, &wish, &tried, key);
        let (usable, of_keys) = (lane.usable.count(), self.roster.in_use());
        let is_free = ownership.home() != Some(&self.roster.group_of(key).id);
        self.lanes.took(place, key, is_free);
        let mut lease = self.grant(key, ask, spend, ownership, skipped);
        lease.is_trial = self.is_trial(ask, lease.id.number);
        (lease.on_behalf_of, lease.usable, lease.of_keys) = (on_behalf_of, usable, of_keys);
        Ok(Granted::Lease(lease))
    }

    /// Whoever shows no token of its own acts for the client that what it names was made for.
    fn on_behalf_of(&self, ask: &Ask) -> Option<ClientId> {
        if ask.access.needs_token() {
            return None;
        }
        let mut known = ask.references.iter().filter_map(|resource| self.affinity.owner(resource, self.now));
        known.next().map(|bound| bound.client.clone())
    }

    /// Who owns what the ask names; `None` if nothing of it is known.
    pub(super) fn owner_of_named(&self, ask: &Ask) -> Result<Option<Ownership>, PoolRefusal> {
        let mut owned = None;
        let mut is_hard = false;
        for resource in &ask.references {
            if let Some(group) = resource.as_part() {
                return Ok(Some(Ownership::Only(group)));
            }
            let Some(bound) = self.affinity.owner(resource, self.now) else {
                if ask.access.needs_reference() {
                    return Err(PoolRefusal::Unknown { resource: resource.clone() });
                }
                continue;
            };
            let is_anothers = bound.client != ask.client && !bound.client.is_nobody();
            if ask.access.needs_token() && is_anothers {
                return Err(PoolRefusal::Foreign { resource: resource.clone() });
            }
            is_hard |= !bound.keepsake.as_ref().is_some_and(Keepsake::is_portable);
            let (first, first_bound) = *owned.get_or_insert((resource, bound));
            if first_bound.group != bound.group {
                return Err(PoolRefusal::Conflict { first: first.clone(), second: resource.clone() });
            }
        }
        Ok(owned.map(|(_, bound)| match &bound.keepsake {
            Some(keepsake) if !is_hard => Ownership::Prefers(bound.group.clone(), keepsake.clone()),
            _ => Ownership::Only(bound.group.clone()),
        }))
    }

    /// The key whose turn it is: of groups that did not fail this request if possible, and of
    /// the preferred group if possible. Tells besides which groups turned out to have too little room.
    pub(super) fn choose(
        &self,
        lane: &Lane,
        ownership: &Ownership,
        tried: &TriedKeys,
        wish: &Wish<'_>,
    ) -> (Option<usize>, Vec<usize>) {
        let keys = &self.roster.keys;
        let too_narrow = RefCell::new(Vec::new());
        let fits = |key: usize| {
            let has_room = self.roster.has_room_for(key, wish, self.now);
            if !has_room {
                too_narrow.borrow_mut().push(keys[key].group);
            }
            has_room
        };
        let rank = |key: usize| tried.rank(key, keys[key].group).filter(|_| fits(key));
        let in_turn = |at: u8| self.next_in_turn(lane, wish, |key| fits(key) && rank(key) == Some(at));
        let mut ranks = if tried.is_empty() { 0..1 } else { 0..TriedKeys::RANKS };
        let key = match ownership {
            Ownership::Free if tried.is_empty() => self.next_in_turn(lane, wish, fits),
            Ownership::Free => ranks.find_map(in_turn),
            Ownership::Only(group) => self.best_of_group(lane, group, rank),
            Ownership::Prefers(group, _) => ranks.find_map(|at| {
                let at_home = |key| rank(key).filter(|rank| *rank == at);
                self.best_of_group(lane, group, at_home).or_else(|| in_turn(at))
            }),
        };
        (key, too_narrow.into_inner())
    }

    /// The usable key whose turn it is among those `wanted`. Where little is left of budgets, the few
    /// that may have room are compared instead of looking for them among all.
    fn next_in_turn(&self, lane: &Lane, wish: &Wish<'_>, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        let Some(narrow) = wish.bucket.and_then(|bucket| self.narrow.of(bucket)) else {
            return lane.turns.next(&lane.usable, wanted);
        };
        let groups = &self.roster.groups;
        let may_have_room = narrow.others().chain(narrow.with_room_for(&wish.spend));
        let keys = may_have_room.filter_map(|group| groups.get(group)).flat_map(|group| &group.members);
        let usable = keys.copied().filter(|key| lane.usable.contains(*key));
        let few: Vec<usize> = usable.take(Self::FEW + 1).collect();
        if few.len() > Self::FEW {
            let may_fit = |key: usize| narrow.may_fit(self.roster.keys[key].group, &wish.spend);
            return lane.turns.next(&lane.usable, |key| may_fit(key) && wanted(key));
        }
        let few = few.into_iter().filter(|key| wanted(*key));
        few.map(|key| (lane.turns.rank(key), key)).min().map(|(_, key)| key)
    }

    /// The usable key of a group that comes first, first by `rank`.
    fn best_of_group(
        &self,
        lane: &Lane,
        group: &GroupId,
        rank: impl Fn(usize) -> Option<u8>,
    ) -> Option<usize> {
        let group = &self.roster.groups[self.roster.group_at(group)?];
        let usable = group.members.iter().copied().filter(|key| lane.usable.contains(*key));
        usable.filter_map(|key| Some(((rank(key)?, lane.turns.rank(key)), key))).min().map(|(_, key)| key)
    }

    fn grant(
        &mut self,
        key: usize,
        ask: &Ask,
        spend: Spend,
        ownership: Ownership,
        skipped: Vec<(KeyId, Skip)>,
    ) -> Lease {
        let bucket = self.buckets.of(ask.model.as_ref(), ask.operation);
        self.note_use(key, ask);
        let is_rotation = self.current.replace(key) != Some(key);
        let counts_in = (bucket.clone(), self.buckets.changes());
        let held = Held::new(key, self.roster.keys[key].group, ask, counts_in, spend, self.now);
        self.reserve(&held, self.leases.next_number());
        let number = self.leases.add(held);
        let found = &mut self.roster.keys[key];
        found.counts.attempts += 1;
        found.counts.in_flight += 1;
        self.ledger.attempts += 1;
        self.ledger.in_flight += 1;
        let (secret, label): (ApiKey, _) = (found.secret.clone(), found.label.clone());
        let group = self.roster.group_of(key).id.clone();
        debug_assert!(
            invariants::stays_with_its_owner(ownership.bound_to(), &group),
            "{}",
            invariants::KP_11.sentence
        );
        let is_owners = ownership.bound_to().is_some();
        let away = match ownership {
            Ownership::Prefers(owner, keepsake) if owner != group => Some(keepsake),
            Ownership::Free | Ownership::Only(_) | Ownership::Prefers(..) => None,
        };
        let id = LeaseId { life: self.life, number };
        Lease {
            id,
            key: secret,
            index: key,
            label,
            group,
            bucket: ask.model.is_some().then_some(bucket),
            away,
            is_owners,
            on_behalf_of: None,
            skipped,
            usable: 0,
            of_keys: 0,
            is_rotation,
            is_trial: false,
        }
    }

    /// Status shows a key by what it is in use for; operations that are neither a model's nor
    /// open a session do not count there.
    fn note_use(&mut self, key: usize, ask: &Ask) {
        if ask.model.is_some() || ask.opens_session {
            let group = self.roster.keys[key].group;
            let found = &mut self.roster.groups[group];
            found.used_for(ask.operation, ask.model.as_ref(), ask.opens_session, self.now);
        }
    }

    fn skipped(&self, lane: &Lane, wish: &Wish<'_>, tried: &TriedKeys, chosen: usize) -> Vec<(KeyId, Skip)> {
        if lane.usable.is_full() && tried.is_empty() {
            return Vec::new();
        }
        let keys = &self.roster.keys;
        let earlier = tried.keys().filter(|key| *key != chosen && lane.usable.contains(*key));
        let earlier =
            earlier.filter_map(|key| Some((keys[key].id().clone(), tried.skip(key, keys[key].group)?)));
        let out = lane.turns.passed_over(&lane.usable, chosen).filter_map(|key| {
            let obstacle = self.roster.obstacle(key, wish, self.now)?;
            Some((keys[key].id().clone(), obstacle.skip()))
        });
        earlier.chain(out).take(Self::MOST_SKIPPED).collect()
    }
}

/// Notes how much room groups have that had too little for `wish`.
pub(super) fn note_narrow(
    narrow: &mut NarrowGroups,
    roster: &Roster,
    wish: &Wish<'_>,
    mut groups: Vec<usize>,
    now: Moment,
) {
    let Some(bucket) = wish.bucket else { return };
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        let Some(meter) = roster.groups[group].meters.get(bucket) else { continue };
        if let Some(until) = meter.next_slide(&roster.budgets, now) {
            let room = meter.room(&roster.budgets, now);
            narrow.note(bucket, roster.groups.len(), group, room, until);
        }
    }
}
