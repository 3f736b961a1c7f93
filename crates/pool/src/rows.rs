//! What a pool remembers, row by row, as storage keeps it.
//!
//! One row for each key, group, model, budget and binding. A request changes one or two of them, and only
//! those are written: the whole state of 10,000 keys would be megabytes a second.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keygate_domain::{BucketName, GroupId, KeyId, ModelName};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::PoolState;
use crate::affinity::{Affinity, ResourceName};
use crate::state::{SavedBinding, SavedGroup, SavedOrder, SavedStanding};

/// One row of a pool's memory. Holds no secret: keys are named by id, credentials by their sum.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateRow {
    /// What it is about: `key`, `group`, `order`, `spent`, `model` or `binding`.
    pub part: Cow<'static, str>,
    /// Which of them.
    pub name: String,
    /// What is remembered, as JSON; `None` if there is nothing to remember any more.
    pub value: Option<String>,
}

/// A row that cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("the row `{part}` `{name}` of a pool's memory cannot be understood")]
pub struct UnreadableRow {
    /// What it is about.
    pub part: String,
    /// Which of them.
    pub name: String,
    /// What is wrong with its value; `None` for a part that is not known.
    #[source]
    pub why: Option<serde_json::Error>,
}

/// How soon what changed should be on disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Urgency {
    /// Nothing changed.
    #[default]
    Nothing,
    /// Within a second: counters, bindings, what was learned.
    Soon,
    /// Now: rests, and keys that were disabled or brought back.
    AtOnce,
}

/// Which row.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum RowName {
    Key(KeyId),
    Group(GroupId),
    Order,
    Model(ModelName),
    Binding(ResourceName),
}

/// The rows that storage has not been given yet. No part of what is remembered, so two states
/// that differ in it only are equal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unsaved {
    at_once: BTreeSet<RowName>,
    soon: BTreeSet<RowName>,
    bindings: BTreeSet<RowName>,
}

impl PartialEq for Unsaved {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Unsaved {
    /// Most bindings named here. Beyond it those that are gone are struck off, which harms
    /// nobody: what storage still has of them is not taken back in once it has expired.
    const MOST_BINDINGS: usize = 2 * Affinity::MOST;

    fn row(&mut self, name: RowName, urgency: Urgency) {
        match (urgency, &name) {
            (Urgency::AtOnce, _) => self.at_once.insert(name),
            (_, RowName::Binding(_)) => self.bindings.insert(name),
            (_, _) => self.soon.insert(name),
        };
    }

    fn pop(&mut self) -> Option<RowName> {
        let parts = [&mut self.at_once, &mut self.soon, &mut self.bindings];
        parts.into_iter().find_map(BTreeSet::pop_first)
    }
}

impl PoolState {
    /// Reads what storage kept.
    ///
    /// # Errors
    /// [`UnreadableRow`] names the first row that this version does not understand.
    pub fn from_rows(rows: impl IntoIterator<Item = StateRow>) -> Result<Self, UnreadableRow> {
        let mut state = Self::default();
        for StateRow { part, name, value } in rows {
            let Some(value) = value else { continue };
            let taken = state.take_in(&part, &name, &value);
            taken.map_err(|why| UnreadableRow { part: part.into_owned(), name, why })?;
        }
        Ok(state)
    }

    fn take_in(&mut self, part: &str, name: &str, value: &str) -> Result<(), Option<serde_json::Error>> {
        match part {
            "key" => drop(self.keys.insert(name.into(), read(value)?)),
            "group" => drop(self.groups.insert(name.into(), read(value)?)),
            "order" => self.order = Some(read(value)?),
            "spent" => self.spent.meters.push(read(value)?),
            "model" => drop(self.buckets.insert(name.into(), read(value)?)),
            "binding" => {
                let (kind, name) = name.split_once('/').ok_or(None)?;
                self.bindings.entry(kind.to_owned()).or_default().insert(name.into(), read(value)?);
            }
            _ => return Err(None),
        }
        Ok(())
    }

    /// How soon storage should be given what changed.
    pub fn unsaved(&self) -> Urgency {
        let Unsaved { at_once, soon, bindings } = &self.unsaved;
        match (at_once.is_empty(), soon.is_empty() && bindings.is_empty()) {
            (false, _) => Urgency::AtOnce,
            (true, false) => Urgency::Soon,
            (true, true) => Urgency::Nothing,
        }
    }

    /// The rows that changed since they were taken last, `most` of them at once, those in a hurry
    /// first. Each is whole as it is now, so that the last one taken is right whatever became of
    /// those before.
    pub fn take_unsaved(&mut self, most: usize) -> Vec<StateRow> {
        let names: Vec<RowName> = std::iter::from_fn(|| self.unsaved.pop()).take(most).collect();
        names.into_iter().filter_map(|name| self.row(name)).collect()
    }

    /// Takes the place of `older`: what that had not given to storage is still to be given, and so
    /// is what this one knows otherwise.
    pub(crate) fn follow(&mut self, older: Self) {
        let mut differ: Vec<RowName> = Vec::new();
        differ.extend(differing(&self.keys, &older.keys).map(RowName::Key));
        differ.extend(differing(&self.groups, &older.groups).map(RowName::Group));
        differ.extend((self.order != older.order).then_some(RowName::Order));
        differ.extend(differing(&self.buckets, &older.buckets).map(RowName::Model));
        for (kind, names) in &older.bindings {
            // Gone, or bound to a group that goes by another name.
            let other = names.iter().filter(|(name, saved)| self.binding(kind, name) != Some(saved));
            differ.extend(other.map(|(name, _)| RowName::Binding((kind.clone().into(), name.clone()))));
        }
        self.unsaved = older.unsaved;
        for name in differ {
            self.unsaved.row(name, Urgency::Soon);
        }
    }

    fn row(&self, name: RowName) -> Option<StateRow> {
        let (part, value, name) = match name {
            RowName::Key(id) => ("key", json(self.keys.get(&id)), id.to_string()),
            RowName::Group(id) => ("group", json(self.groups.get(&id)), id.to_string()),
            RowName::Order => ("order", json(self.order.as_ref()), String::new()),
            RowName::Model(id) => ("model", json(self.buckets.get(&id)), id.to_string()),
            RowName::Binding((kind, name)) => {
                ("binding", json(self.binding(&kind, &name)), format!("{kind}/{name}"))
            }
        };
        Some(StateRow { part: Cow::Borrowed(part), name, value: value.ok()? })
    }

    // === what changes it, each noting the row ===

    pub(crate) fn put_key(&mut self, id: &KeyId, saved: SavedStanding) {
        let old = self.keys.get(id);
        if old.map_or(saved.is_clean(), |old| *old == saved) {
            return;
        }
        let urgency = urgency(old.unwrap_or(&SavedStanding::default()), &saved);
        self.unsaved.row(RowName::Key(id.clone()), urgency);
        if saved.is_clean() {
            self.keys.remove(id);
        } else {
            self.keys.insert(id.clone(), saved);
        }
    }

    pub(crate) fn put_group(&mut self, id: &GroupId, saved: SavedGroup) {
        let old = self.groups.get(id);
        if old.map_or(saved.is_clean(), |old| *old == saved) {
            return;
        }
        let urgency = urgency(&old.unwrap_or(&SavedGroup::default()).standing, &saved.standing);
        self.unsaved.row(RowName::Group(id.clone()), urgency);
        if saved.is_clean() {
            self.groups.remove(id);
        } else {
            self.groups.insert(id.clone(), saved);
        }
    }

    /// Where the order stands.
    pub(crate) fn put_order(&mut self, order: Option<SavedOrder>) {
        if self.order != order {
            self.unsaved.row(RowName::Order, Urgency::Soon);
            self.order = order;
        }
    }

    /// A name of a model's bucket; once learned it is never taken back.
    pub(crate) fn put_bucket(&mut self, model: &ModelName, bucket: &BucketName) {
        if self.buckets.get(model) != Some(bucket) {
            self.unsaved.row(RowName::Model(model.clone()), Urgency::Soon);
            self.buckets.insert(model.clone(), bucket.clone());
        }
    }

    pub(crate) fn put_binding(&mut self, kind: &str, name: &Arc<str>, saved: SavedBinding) {
        if self.binding(kind, name) == Some(&saved) {
            return;
        }
        self.binding_changed(kind, name);
        if let Some(names) = self.bindings.get_mut(kind) {
            names.insert(name.clone(), saved);
        } else {
            self.bindings.insert(kind.to_owned(), [(name.clone(), saved)].into());
        }
    }

    pub(crate) fn forget_binding(&mut self, kind: &str, name: &Arc<str>) {
        let Some(names) = self.bindings.get_mut(kind) else { return };
        let was_known = names.remove(name).is_some();
        if names.is_empty() {
            self.bindings.remove(kind);
        }
        if was_known {
            self.binding_changed(kind, name);
        }
    }

    fn binding_changed(&mut self, kind: &str, name: &Arc<str>) {
        let name = RowName::Binding((kind.to_owned().into(), name.clone()));
        self.unsaved.row(name, Urgency::Soon);
        if self.unsaved.bindings.len() > Unsaved::MOST_BINDINGS {
            let mut noted = std::mem::take(&mut self.unsaved.bindings);
            noted.retain(|name| match name {
                RowName::Binding((kind, name)) => self.binding(kind, name).is_some(),
                RowName::Key(_) | RowName::Group(_) | RowName::Order | RowName::Model(_) => true,
            });
            self.unsaved.bindings = noted;
        }
    }

    fn binding(&self, kind: &str, name: &str) -> Option<&SavedBinding> {
        self.bindings.get(kind)?.get(name)
    }
}

fn urgency(old: &SavedStanding, new: &SavedStanding) -> Urgency {
    if new.is_out_like(old) { Urgency::Soon } else { Urgency::AtOnce }
}

/// The names under which two maps hold something else.
fn differing<'a, K: Ord + Clone, V: PartialEq>(
    one: &'a BTreeMap<K, V>,
    other: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = K> + use<'a, K, V> {
    let changed = one.iter().filter(|(name, value)| other.get(name) != Some(value)).map(|(name, _)| name);
    let gone = other.keys().filter(|name| !one.contains_key(name));
    changed.chain(gone).cloned()
}

fn read<T: DeserializeOwned>(value: &str) -> Result<T, Option<serde_json::Error>> {
    serde_json::from_str(value).map_err(Some)
}

fn json(value: Option<&impl Serialize>) -> serde_json::Result<Option<String>> {
    value.map(serde_json::to_string).transpose()
}
