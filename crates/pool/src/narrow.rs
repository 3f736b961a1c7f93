//! Groups that have room for a request, but had none for one as large as was asked for.
//!
//! While budgets of tokens are nearly used up, most groups are like that: to ask each of them again
//! for every request would be a look at every key. What is noted here holds until something
//! leaves the group's windows, or its meter moves. It is only a note: whatever is not in it is
//! looked up, so it may be forgotten at any time.

use std::collections::{BTreeMap, BTreeSet};

use keygate_domain::{BucketName, Moment, Spend};

use crate::budget::Room;
use crate::key_set::KeySet;

/// The narrow groups of one bucket.
#[derive(Clone, Debug)]
pub(crate) struct Narrow {
    groups: KeySet,
    rooms: BTreeMap<usize, (Room, Moment)>,
    by_tokens: BTreeSet<(u64, usize)>,
    slides: BTreeSet<(Moment, usize)>,
}

impl Narrow {
    fn new(groups: usize) -> Self {
        Self {
            groups: KeySet::new(groups),
            rooms: BTreeMap::new(),
            by_tokens: BTreeSet::new(),
            slides: BTreeSet::new(),
        }
    }

    /// Whether nothing is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }

    /// The groups of which nothing is known.
    pub(crate) fn others(&self) -> impl Iterator<Item = usize> + '_ {
        self.groups.missing()
    }

    /// Whether a group may have room for this much, as far as is known.
    pub(crate) fn may_fit(&self, group: usize, spend: &Spend) -> bool {
        !self.groups.contains(group) || self.rooms.get(&group).is_none_or(|(room, _)| room.may_fit(spend))
    }

    /// The narrow groups that have room for this much all the same.
    pub(crate) fn with_room_for(&self, spend: &Spend) -> impl Iterator<Item = usize> + use<'_> {
        let spend = *spend;
        let roomy = self.by_tokens.range((spend.input_tokens, 0)..).map(|(_, group)| *group);
        roomy.filter(move |group| self.may_fit(*group, &spend))
    }

    /// When which group's windows slide, the first first: until then it has no more room.
    pub(crate) fn slides(&self) -> impl Iterator<Item = (Moment, usize)> + '_ {
        self.slides.iter().copied()
    }

    fn put(&mut self, group: usize, room: Room, until: Moment) {
        self.forget(group);
        // A group that came later than this note was begun is looked up every time.
        if self.groups.set(group, true) {
            self.rooms.insert(group, (room, until));
            self.by_tokens.insert((room.tokens, group));
            self.slides.insert((until, group));
        }
    }

    fn forget(&mut self, group: usize) {
        let Some((room, until)) = self.rooms.remove(&group) else { return };
        self.groups.set(group, false);
        self.by_tokens.remove(&(room.tokens, group));
        self.slides.remove(&(until, group));
    }
}

/// The narrow groups of all buckets.
#[derive(Clone, Debug, Default)]
pub(crate) struct NarrowGroups(BTreeMap<BucketName, Narrow>);

impl NarrowGroups {
    /// Most buckets noted.
    const MOST: usize = 16;

    /// What is known of a bucket.
    pub(crate) fn of(&self, bucket: &str) -> Option<&Narrow> {
        self.0.get(bucket).filter(|narrow| !narrow.is_empty())
    }

    /// Lets time pass for a bucket.
    pub(crate) fn advance(&mut self, bucket: &str, now: Moment) {
        let Some(narrow) = self.0.get_mut(bucket) else { return };
        while let Some((_, group)) = narrow.slides.first().copied().filter(|(slide, _)| *slide <= now) {
            narrow.forget(group);
        }
    }

    /// A group of `groups` has no more room than this until then.
    pub(crate) fn note(&mut self, bucket: &str, groups: usize, group: usize, room: Room, until: Moment) {
        if !self.0.contains_key(bucket) {
            if self.0.len() >= Self::MOST {
                self.0.clear();
            }
            self.0.insert(BucketName::new(bucket), Narrow::new(groups));
        }
        if let Some(narrow) = self.0.get_mut(bucket) {
            narrow.put(group, room, until);
        }
    }

    /// Something was counted, or other limits hold: who knows how much room there is.
    pub(crate) fn moved(&mut self, bucket: &str, group: usize) {
        if let Some(narrow) = self.0.get_mut(bucket) {
            narrow.forget(group);
        }
    }

    /// Positions mean other groups.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Everything noted that still holds at `now`, for the invariants.
    pub(crate) fn all(&self, now: Moment) -> impl Iterator<Item = (&BucketName, usize, Room)> {
        self.0.iter().flat_map(move |(bucket, narrow)| {
            let holding = narrow.rooms.iter().filter(move |(_, (_, until))| *until > now);
            holding.map(move |(group, (room, _))| (bucket, *group, *room))
        })
    }
}
