//! The keys and groups and where each stands: who may be used for what, and until when not.

mod projects;
mod succession;

use std::collections::{BTreeMap, BTreeSet};

use keygate_domain::{Fault, GroupId, KeyId, KeySpec, Moment, Scope};

use crate::cooldown::Rest;
use crate::group::Group;
use crate::key::Key;
use crate::resting::RestingParts;
use crate::standing::{Block, Part, Standing, Wish};
use crate::{Budgets, Skip};

pub(crate) use projects::Naming;
pub(crate) use succession::Succession;

/// A key or a group, by position.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Owner {
    Key(usize),
    Group(usize),
}

/// Where a rest is kept.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    pub(crate) owner: Owner,
    pub(crate) part: Part,
}

impl Place {
    pub(crate) fn new(owner: Owner, part: Part) -> Self {
        Self { owner, part }
    }

    /// What a rest here takes out, in the words of verdicts.
    pub(crate) fn scope(&self) -> Scope {
        scope_of(self.owner, &self.part)
    }
}

fn scope_of(owner: Owner, part: &Part) -> Scope {
    match (owner, part) {
        (Owner::Key(_), Part::Operation(_)) => Scope::KeyRoute,
        (Owner::Key(_), _) => Scope::Key,
        (Owner::Group(_), Part::Whole) => Scope::Group,
        (Owner::Group(_), Part::Operation(_)) => Scope::GroupRoute,
        (Owner::Group(_), Part::Bucket(..) | Part::Budget(..)) => Scope::GroupBucket,
        (Owner::Group(_), Part::Sessions) => Scope::GroupSessions,
    }
}

/// What stands in a key's way, and whether it is the key's own or its group's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Obstacle<'a> {
    pub(crate) owner: Owner,
    pub(crate) block: Block<'a>,
}

impl Obstacle<'_> {
    /// When it ends by itself, and the fault it stands for.
    pub(crate) fn end(&self) -> Option<(Moment, Fault)> {
        match self.block {
            Block::Disabled(_) => None,
            Block::Resting(_, rest) => Some((rest.until, rest.fault)),
            Block::Spent(stop) => Some((stop.until, stop.fault())),
        }
    }

    /// The same in public words.
    pub(crate) fn skip(&self) -> Skip {
        match self.block {
            Block::Disabled(disabled) => Skip::Disabled { fault: disabled.fault },
            Block::Resting(Part::Budget(_, metric), rest) => {
                Skip::OverBudget { metric: *metric, until: rest.until }
            }
            Block::Spent(stop) => Skip::OverBudget { metric: stop.metric, until: stop.until },
            Block::Resting(part, rest) => Skip::Resting {
                scope: scope_of(self.owner, part),
                metric: part.metric(),
                fault: rest.fault,
                until: rest.until,
            },
        }
    }
}

/// The one of two that lasts longer.
fn longer<'a>(one: Option<Obstacle<'a>>, other: Option<Obstacle<'a>>) -> Option<Obstacle<'a>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if one.block.outlasts(&other.block) { one } else { other }),
        (one, other) => one.or(other),
    }
}

/// All keys and groups.
///
/// Behind the keys in use stand former ones, taken out by a reload: their leases have to come
/// back somewhere, and one that is put in again is not forgiven what it did before. They are no
/// group's members, are found by no id, and are never usable.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    pub(crate) keys: Vec<Key>,
    pub(crate) groups: Vec<Group>,
    /// The keys in use.
    by_id: BTreeMap<KeyId, usize>,
    /// Every name a group goes by, or went by before it became part of another.
    by_group: BTreeMap<GroupId, usize>,
    /// The group that is a project of the provider's.
    by_project: BTreeMap<GroupId, usize>,
    /// How many groups became part of another: they are empty, and only keep positions in place.
    merged: usize,
    /// When something has to be done about which rest.
    timers: BTreeSet<(Moment, Place)>,
    pub(crate) resting: RestingParts,
    pub(crate) budgets: Budgets,
}

impl Roster {
    /// Takes the keys in, in order; one that is there already is left out.
    pub(crate) fn new(specs: Vec<KeySpec>, budgets: Budgets) -> Self {
        let mut roster = Self {
            keys: Vec::with_capacity(specs.len()),
            // Room for the most there can be: nothing is moved as it grows, and room that is not used takes no memory.
            groups: Vec::with_capacity(specs.len()),
            by_id: BTreeMap::new(),
            by_group: BTreeMap::new(),
            by_project: BTreeMap::new(),
            merged: 0,
            timers: BTreeSet::new(),
            resting: RestingParts::default(),
            budgets,
        };
        for spec in specs {
            roster.add(spec);
        }
        roster
    }

    fn add(&mut self, spec: KeySpec) {
        if self.by_id.contains_key(spec.secret.id()) {
            return;
        }
        let position = self.keys.len();
        let id = Group::id_for(&spec);
        let group = *self.by_group.entry(id.clone()).or_insert_with(|| {
            self.groups.push(Group::new(id));
            self.groups.len() - 1
        });
        let found = &mut self.groups[group];
        found.members.push(position);
        found.is_declared |= spec.group.is_some();
        found.allowance = found.allowance.or(spec.allowance);
        self.by_id.insert(spec.secret.id().clone(), position);
        self.keys.push(Key::new(spec, group));
    }

    /// How many keys are in use; they stand first.
    pub(crate) fn in_use(&self) -> usize {
        self.by_id.len()
    }

    /// The keys in use, in the order of the configuration.
    pub(crate) fn keys_in_use(&self) -> &[Key] {
        &self.keys[..self.in_use()]
    }

    /// How many groups the keys in use make.
    pub(crate) fn groups_in_use(&self) -> usize {
        self.groups.iter().filter(|group| !group.members.is_empty()).count()
    }

    /// Former keys whose leases are not all back.
    pub(crate) fn draining(&self) -> usize {
        self.keys[self.in_use()..].iter().filter(|key| key.counts.in_flight > 0).count()
    }

    /// Whether a key in use, or a group of such keys, is meant.
    pub(crate) fn is_owner_in_use(&self, owner: Owner) -> bool {
        match owner {
            Owner::Key(key) => key < self.in_use(),
            Owner::Group(group) => !self.groups[group].members.is_empty(),
        }
    }

    /// The position of a key.
    pub(crate) fn key_at(&self, id: &KeyId) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// The position of a group, by any name it goes or went by, the provider's included.
    pub(crate) fn group_at(&self, id: &GroupId) -> Option<usize> {
        let mut position = self.by_group.get(id).or_else(|| self.by_project.get(id)).copied()?;
        while let Some(next) = self.groups[position].merged_into {
            position = next;
        }
        Some(position)
    }

    /// Whether a group goes by this name, and not by another by now.
    pub(crate) fn is_name_in_use(&self, id: &GroupId) -> bool {
        self.group_at(id).is_some_and(|position| self.groups[position].id == *id)
    }

    /// The group of a key.
    pub(crate) fn group_of(&self, key: usize) -> &Group {
        &self.groups[self.keys[key].group]
    }

    /// The keys that a rest of `owner` concerns.
    pub(crate) fn members<'a>(&'a self, owner: &'a Owner) -> &'a [usize] {
        match owner {
            Owner::Key(key) => std::slice::from_ref(key),
            Owner::Group(group) => &self.groups[*group].members,
        }
    }

    pub(crate) fn standing(&self, owner: Owner) -> &Standing {
        match owner {
            Owner::Key(key) => &self.keys[key].standing,
            Owner::Group(group) => &self.groups[group].standing,
        }
    }

    pub(crate) fn standing_mut(&mut self, owner: Owner) -> &mut Standing {
        match owner {
            Owner::Key(key) => &mut self.keys[key].standing,
            Owner::Group(group) => &mut self.groups[group].standing,
        }
    }

    /// What stands in a key's way longest, its own or its group's.
    pub(crate) fn obstacle(&self, key: usize, wish: &Wish<'_>, now: Moment) -> Option<Obstacle<'_>> {
        let of_group = self.group_obstacle(self.keys[key].group, wish, now);
        longer(self.own_obstacle(Owner::Key(key), wish, now), of_group)
    }

    /// What stands in the way of all keys of a group longest.
    pub(crate) fn group_obstacle(&self, group: usize, wish: &Wish<'_>, now: Moment) -> Option<Obstacle<'_>> {
        longer(self.own_obstacle(Owner::Group(group), wish, now), self.overspent(group, wish, now))
    }

    /// What stands in the way and is the owner's alone.
    pub(crate) fn own_obstacle(&self, owner: Owner, wish: &Wish<'_>, now: Moment) -> Option<Obstacle<'_>> {
        Some(Obstacle { owner, block: self.standing(owner).block(wish, now)? })
    }

    /// Whether its group's budgets have room for what `wish` draws.
    pub(crate) fn has_room_for(&self, key: usize, wish: &Wish<'_>, now: Moment) -> bool {
        self.overspent(self.keys[key].group, wish, now).is_none()
    }

    /// A group's budget that has no room for what `wish` draws.
    pub(crate) fn overspent(&self, group: usize, wish: &Wish<'_>, now: Moment) -> Option<Obstacle<'_>> {
        let meter = self.groups[group].meters.get(wish.bucket?)?;
        let stop = meter.stop_for(&wish.spend, &self.budgets, now)?;
        Some(Obstacle { owner: Owner::Group(group), block: Block::Spent(stop) })
    }

    /// Whether a key can be used for `wish`.
    pub(crate) fn is_usable(&self, key: usize, wish: &Wish<'_>, now: Moment) -> bool {
        key < self.in_use() && self.obstacle(key, wish, now).is_none()
    }

    /// Whether something that stood in the way of `wish` after `since` is over.
    pub(crate) fn rested_since(&self, key: usize, wish: &Wish<'_>, since: Moment, now: Moment) -> bool {
        self.keys[key].standing.rested_since(wish, since, now)
            || self.group_of(key).standing.rested_since(wish, since, now)
    }

    /// Where a rest at `place` can be kept: there, or at the whole when too much of the owner
    /// rests already.
    pub(crate) fn place_for(&mut self, place: &Place) -> Place {
        if let Some(over) = self.standing(place.owner).in_the_way_of(&place.part) {
            self.end_rest(&Place::new(place.owner, over));
        }
        Place::new(place.owner, self.standing(place.owner).place_for(place.part.clone()))
    }

    /// Begins or prolongs a rest.
    pub(crate) fn put_rest(&mut self, place: &Place, rest: Rest, now: Moment) -> Moment {
        self.stop_timer(place);
        let standing = self.standing_mut(place.owner);
        let was_running_until = standing.rest(&place.part).filter(|rest| !rest.over).map(|rest| rest.until);
        let is_running = !rest.over;
        let until = standing.put(place.part.clone(), rest, now);
        if is_running && was_running_until != Some(until) {
            self.resting.began(place, until);
            if let Some(end) = was_running_until {
                self.resting.ended(place, end);
            }
        }
        self.start_timer(place);
        until
    }

    /// Ends a rest before its time and forgets it; `None` if there was none.
    pub(crate) fn end_rest(&mut self, place: &Place) -> Option<Rest> {
        self.stop_timer(place);
        let rest = self.standing_mut(place.owner).forget(&place.part)?;
        if !rest.over {
            self.resting.ended(place, rest.until);
        }
        Some(rest)
    }

    /// The next rest whose time has come: one that is over now, or one to be forgotten.
    pub(crate) fn pop_due(&mut self, now: Moment) -> Option<Due> {
        if self.timers.first()?.0 > now {
            return None;
        }
        let (_, place) = self.timers.pop_first()?;
        let rest = self.standing_mut(place.owner).rest_mut(&place.part)?;
        if rest.over {
            self.standing_mut(place.owner).forget(&place.part);
            return Some(Due::Forgotten(place));
        }
        rest.over = true;
        let (fault, until) = (rest.fault, rest.until);
        self.resting.ended(&place, until);
        self.start_timer(&place);
        Some(Due::Over(place, fault))
    }

    /// When [`Roster::pop_due`] has something next.
    pub(crate) fn next_due(&self) -> Option<Moment> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// The rests that are running, the one that ends first first.
    pub(crate) fn ending(&self) -> impl Iterator<Item = (Moment, &Place, &Rest)> {
        self.timers.iter().filter_map(|(due, place)| {
            let rest = self.standing(place.owner).rest(&place.part)?;
            (!rest.over).then_some((*due, place, rest))
        })
    }

    /// What rests, gathered anew; for the invariants.
    pub(crate) fn count_resting(&self) -> RestingParts {
        let mut counted = RestingParts::default();
        let keys = self.keys.iter().enumerate().map(|(at, key)| (Owner::Key(at), &key.standing));
        let groups = self.groups.iter().enumerate().map(|(at, group)| (Owner::Group(at), &group.standing));
        for (owner, standing) in keys.chain(groups) {
            for (part, rest) in standing.remembered().filter(|(_, rest)| !rest.over) {
                counted.began(&Place::new(owner, part.clone()), rest.until);
            }
        }
        counted
    }

    fn start_timer(&mut self, place: &Place) {
        if let Some(rest) = self.standing(place.owner).rest(&place.part) {
            let due = rest.due();
            self.timers.insert((due, place.clone()));
        }
    }

    fn stop_timer(&mut self, place: &Place) {
        if let Some(rest) = self.standing(place.owner).rest(&place.part) {
            let entry = (rest.due(), place.clone());
            self.timers.remove(&entry);
        }
    }
}

/// A rest whose time has come.
pub(crate) enum Due {
    /// It is over; it was for this fault.
    Over(Place, Fault),
    /// It is over for so long that it is forgotten.
    Forgotten(Place),
}
