//! Another list of keys, another policy, the same pool.

use std::collections::BTreeMap;
use std::sync::Arc;

use keygate_domain::{BucketName, GroupId, KeySpec, Moment};

use super::KeyPool;
use crate::lane::{LanePlace, Lanes};
use crate::roster::{Roster, Succession};
use crate::rotation::Rota;
use crate::standing::Part;
use crate::state::Changes;
use crate::{Budgets, Policy, Reloaded, carry};

impl KeyPool {
    /// Most names remembered that groups had before.
    const MOST_RENAMED: usize = 256;

    /// Every field has to say what becomes of it (see also `carry.rs`): one that is forgotten
    /// does not compile.
    #[expect(clippy::too_many_lines, reason = "it has a line for every field of the pool")]
    pub(super) fn take_over(&mut self, keys: Vec<KeySpec>, policy: Policy) -> Reloaded {
        let Self {
            // The pool lives on: so do its clock, its books and what it has to tell.
            life: _,
            now,
            ledger: _,
            last_disabling: _,
            // What is not so any more is forgotten below.
            warned: _,
            // Names; what is called so now is looked up when they are given out.
            spent_elsewhere: _,
            events: _,
            // What models count in, and how far estimates are off, are facts whatever the keys.
            buckets: _,
            estimates: _,
            // The lanes are told of all headroom below.
            slides: _,
            narrow,
            // Those who came back claim what is remembered of them below.
            unclaimed,
            jitter,
            policy: in_force,
            roster,
            lanes,
            health,
            order,
            rota,
            affinity,
            breaker,
            leases,
            gone,
            renamed,
            unsaved_spent,
            current,
            changes,
            queue,
            // A call under way goes on; the plan is made anew below.
            probing: _,
            // Who was served is told so.
            resolved: _,
        } = self;
        let before = std::mem::replace(roster, Roster::new(Vec::new(), Budgets::default()));
        let former_keys = before.keys_in_use().to_vec();
        let (next, succession) =
            before.succeeded_by(keys, policy.budgets.clone(), |id| unclaimed.project_of(id).cloned(), *now);
        let Succession { moved, groups, renamed: newly_renamed, gone: newly_gone, told } = succession;
        *roster = next;
        // A key with a lease outstanding is never forgotten, so each has its place.
        let place_of = |key: usize, group: usize| {
            let key = moved[key].unwrap_or(key);
            (key, groups[group].unwrap_or(roster.keys[key].group))
        };
        leases.rewrite(|held| carry::lease(held, place_of));
        gone.add(newly_gone);
        *current = current.and_then(|key| moved[key]);
        *health = std::mem::take(health).carried_over(|key| moved[key]);
        *order = order.carried_over(&former_keys, roster.keys_in_use(), |key| moved[key]);
        if in_force.rotation != policy.rotation {
            *rota = policy.rotation.clone().map(|rotation| Rota::new(rotation, now.wall));
        }
        if !newly_renamed.is_empty() {
            Arc::make_mut(affinity).rename(&newly_renamed);
            // Trouble of the provider is the provider's, whatever the keys.
            breaker.rename_groups(&newly_renamed);
            queue.rename_groups(&newly_renamed);
        }
        rename(renamed, newly_renamed, roster);
        let mut fresh = Lanes::new(policy.strategy, roster.keys_in_use(), jitter.draw());
        fresh.carry_over(lanes, |key| moved[key]);
        *lanes = fresh;
        refresh_all(lanes, roster, *now);
        if let Some(key) = current.filter(|key| *key < roster.in_use()) {
            // The round goes on behind the key that had its turn last.
            lanes.took(LanePlace::default(), key, true);
        }
        *in_force = policy;
        // Those who wait may have waited for what came.
        queue.stir();
        // Positions mean others: everything is written anew.
        *changes = Changes::everything();
        unsaved_spent.clear();
        narrow.clear();
        self.remember_unclaimed();
        self.brief_lanes();
        self.allow_all_anew();
        self.notice_all();
        self.tell_all_headroom();
        self.replan_probes();
        told
    }

    /// Other budgets hold for everything that was metered.
    fn allow_all_anew(&mut self) {
        for group in 0..self.roster.groups.len() {
            let metered: Vec<BucketName> = self.roster.groups[group].meters.keys().cloned().collect();
            for bucket in metered {
                self.allow_anew(group, &bucket);
            }
        }
    }
}

fn refresh_all(lanes: &mut Lanes, roster: &Roster, now: Moment) {
    let all: Vec<usize> = (0..roster.in_use()).collect();
    lanes.refresh(&Part::Whole, &all, |key, wish| roster.is_usable(key, wish, now));
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
