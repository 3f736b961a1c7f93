//! What an earlier process knew of keys and groups that are not configured now.
//!
//! Kept for the day they are put in again: a key that was disabled is not forgiven because the
//! gateway was restarted without it.

use std::collections::BTreeMap;

use keygate_domain::{BucketName, GroupId, KeyId};

use crate::budget::SavedMeter;
use crate::state::{SavedGroup, SavedStanding};

/// Memories that nobody has claimed yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unclaimed {
    keys: BTreeMap<KeyId, SavedStanding>,
    groups: BTreeMap<GroupId, SavedGroup>,
    meters: BTreeMap<(GroupId, BucketName), SavedMeter>,
}

impl Unclaimed {
    /// Most memories of a kind; storage goes on to know the others until the next restart.
    const MOST: usize = 1024;

    pub(crate) fn put_key(&mut self, id: &KeyId, saved: &SavedStanding) {
        put(&mut self.keys, id, saved);
    }

    pub(crate) fn put_group(&mut self, id: &GroupId, saved: &SavedGroup) {
        put(&mut self.groups, id, saved);
    }

    pub(crate) fn put_meter(&mut self, saved: &SavedMeter) {
        put(&mut self.meters, &(saved.group.clone(), saved.bucket.clone()), saved);
    }

    /// The project of a key.
    pub(crate) fn project_of(&self, id: &KeyId) -> Option<&GroupId> {
        self.keys.get(id)?.project.as_ref()
    }

    pub(crate) fn take_key(&mut self, id: &KeyId) -> Option<SavedStanding> {
        self.keys.remove(id)
    }

    pub(crate) fn take_group(&mut self, id: &GroupId) -> Option<SavedGroup> {
        self.groups.remove(id)
    }

    pub(crate) fn take_meters(&mut self, group: &GroupId) -> Vec<SavedMeter> {
        self.meters.extract_if(.., |(of, _), _| of == group).map(|(_, meter)| meter).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.groups.is_empty() && self.meters.is_empty()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = (&KeyId, &SavedStanding)> {
        self.keys.iter()
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = (&GroupId, &SavedGroup)> {
        self.groups.iter()
    }

    pub(crate) fn meters(&self) -> impl Iterator<Item = &SavedMeter> {
        self.meters.values()
    }
}

fn put<K: Ord + Clone, V: Clone>(memories: &mut BTreeMap<K, V>, name: &K, memory: &V) {
    if memories.len() < Unclaimed::MOST || memories.contains_key(name) {
        memories.insert(name.clone(), memory.clone());
    }
}
