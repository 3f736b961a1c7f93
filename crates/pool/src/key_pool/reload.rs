//! Another list of keys, another policy, the same pool.

use std::collections::BTreeMap;
use std::sync::Arc;

use keygate_domain::{GroupId, KeySpec};

use super::KeyPool;
use crate::lane::{LaneScope, Lanes};
use crate::roster::{Roster, Succession};
use crate::standing::Part;
use crate::state::Changes;
use crate::{Policy, Reloaded, carry};

impl KeyPool {
    /// Most names remembered that groups had before.
    const MOST_RENAMED: usize = 256;

    /// Every field has to say what becomes of it (see also `carry.rs`): one that is forgotten
    /// does not compile.
    pub(super) fn take_over(&mut self, keys: Vec<KeySpec>, policy: Policy) -> Reloaded {
        let Self {
            // The pool lives on: so do its clock, its jitter, its books and what it has to tell.
            life: _,
            jitter: _,
            now,
            ledger: _,
            last_disabling: _,
            events: _,
            // What models count in is the provider's fact, whatever the keys.
            buckets: _,
            policy: in_force,
            roster,
            lanes,
            affinity,
            leases,
            gone,
            renamed,
            current,
            changes,
        } = self;
        let before = std::mem::replace(roster, Roster::new(Vec::new()));
        let (next, Succession { moved, renamed: newly_renamed, gone: newly_gone, told }) =
            before.succeeded_by(keys, *now);
        *roster = next;
        // A key with a lease outstanding is never forgotten, so each has its place.
        leases.rewrite(|held| carry::lease(held, |key| moved[key].unwrap_or(key)));
        gone.add(newly_gone);
        *current = current.and_then(|key| moved[key]);
        if !newly_renamed.is_empty() {
            Arc::make_mut(affinity).rename(&newly_renamed);
        }
        rename(renamed, newly_renamed, roster);
        *lanes = lanes_of(roster, &policy, |key, wish| roster.is_usable(key, wish, *now));
        if let Some(key) = current.filter(|key| *key < roster.in_use()) {
            // The round goes on behind the key that had its turn last.
            lanes.took(&LaneScope::default(), key, true);
        }
        *in_force = policy;
        *changes = Changes::everything();
        told
    }

    /// The name a group goes by.
    #[cfg(test)]
    pub(crate) fn name_now<'a>(&'a self, name: &'a GroupId) -> &'a GroupId {
        self.renamed.get(name).unwrap_or(name)
    }
}

/// Lanes for parts of keys are opened when somebody asks; nobody's turn is lost by that but the
/// order within one round.
fn lanes_of(
    roster: &Roster,
    policy: &Policy,
    is_usable: impl Fn(usize, &crate::standing::Wish<'_>) -> bool,
) -> Lanes {
    let mut lanes = Lanes::new(policy.strategy, roster.keys_in_use());
    let all: Vec<usize> = (0..roster.in_use()).collect();
    lanes.refresh(&Part::Whole, &all, is_usable);
    lanes
}

/// Notes names that are given up, and follows the earlier ones to where they lead by now. A name
/// that is in use again is nobody's former one.
fn rename(known: &mut BTreeMap<GroupId, GroupId>, new: BTreeMap<GroupId, GroupId>, roster: &Roster) {
    for name in known.values_mut() {
        if let Some(next) = new.get(name) {
            *name = next.clone();
        }
    }
    known.extend(new);
    known.retain(|name, _| roster.group_at(name).is_none());
    while known.len() > KeyPool::MOST_RENAMED {
        known.pop_first();
    }
}
