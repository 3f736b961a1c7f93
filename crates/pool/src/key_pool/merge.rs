//! Groups that turn out to be one: all that is known of both goes over to the one that stays.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keygate_domain::{BucketName, GroupId};

use super::KeyPool;
use super::spend::spent_row_name;
use crate::StateRow;
use crate::learned::Warning;
use crate::roster::{Owner, Place};
use crate::standing::Part;

impl KeyPool {
    /// Most rows of what was used under names that groups go by no longer, while nobody takes them out
    /// of storage. What is left there counts twice after a restart, and never too little.
    const MOST_SPENT_ELSEWHERE: usize = 1 << 16;

    /// Everything of `from` is of `into` from here on.
    pub(super) fn merge_groups(&mut self, from: usize, into: usize) {
        self.share_limits(from, into);
        let metered = self.meter_alike(from, into);
        self.count_running(&metered, [from, into]);
        self.roster.merge(from, into, self.now);
        self.leases.move_group(from, into);
        self.go_by_another_name(&self.roster.groups[from].id.clone(), into);
        // Positions mean others.
        self.narrow.clear();
        for bucket in &metered {
            self.allow_anew(into, bucket);
        }
        self.refresh(&Place::new(Owner::Group(into), Part::Whole));
        self.slides.forget(into);
        self.tell_headroom(into);
        self.queue.stir();
    }

    /// A group goes by another name from here on.
    pub(super) fn group_renamed(&mut self, group: usize, was: &GroupId) {
        self.go_by_another_name(was, group);
        let limited = self.roster.groups[group].meters.iter().filter(|(_, meter)| meter.is_limited());
        for bucket in limited.map(|(bucket, _)| bucket.clone()).collect::<Vec<_>>() {
            self.meter_moved(group, &bucket);
        }
    }

    /// The limits of both hold for each, so that each counts what the other has to.
    fn share_limits(&mut self, from: usize, into: usize) {
        let groups = &mut self.roster.groups;
        let allowance = groups[into].allowance.stricter(groups[from].allowance);
        let (ours, theirs) = (groups[into].limits.clone(), groups[from].limits.clone());
        groups[into].limits.absorb(theirs);
        groups[into].allowance = allowance;
        groups[from].allowance = allowance;
        groups[from].limits.absorb(ours);
    }

    /// Makes both count the same of every bucket that either used. Returns these.
    fn meter_alike(&mut self, from: usize, into: usize) -> BTreeSet<BucketName> {
        let buckets = [from, into].map(|group| self.roster.groups[group].meters.keys().cloned());
        let metered: BTreeSet<BucketName> = buckets.into_iter().flatten().collect();
        for (group, bucket) in
            [from, into].into_iter().flat_map(|group| metered.iter().map(move |b| (group, b)))
        {
            self.allow_anew(group, bucket);
        }
        metered
    }

    /// What runs was not counted as such by the group that had no limit of it.
    fn count_running(&mut self, metered: &BTreeSet<BucketName>, groups: [usize; 2]) {
        for (number, held) in self.leases.all() {
            if !groups.contains(&held.group) || held.reserved.requests == 0 {
                continue;
            }
            let bucket = self.buckets.name(held.model.as_ref(), held.operation);
            if let Some(bucket) = metered.get(bucket)
                && let Some(meter) = self.roster.groups[held.group].meters.get_mut(bucket)
            {
                meter.is_running(number, held.expires);
            }
        }
    }

    /// Whatever knows a group by its earlier name learns the one of `group`.
    fn go_by_another_name(&mut self, was: &GroupId, group: usize) {
        let is = self.roster.groups[group].id.clone();
        if self.affinity.has_any_of(was) {
            for name in Arc::make_mut(&mut self.affinity).hand_over(was, &is) {
                self.changes.binding(name);
            }
        }
        let renamed = BTreeMap::from([(was.clone(), is.clone())]);
        self.breaker.rename_groups(&renamed);
        self.queue.rename_groups(&renamed);
        self.renamed.values_mut().filter(|name| *name == was).for_each(|name| name.clone_from(&is));
        let told = self.warned.remove(was).unwrap_or_default();
        let told: Vec<Warning> = told.into_iter().map(|warning| warning.of_group(&is)).collect();
        self.warned.entry(is).or_default().extend(told);
        self.changes.group_gone(was.clone());
        self.changes.owner(Owner::Group(group));
        let buckets = self.roster.groups[group].meters.keys().cloned();
        for bucket in buckets {
            if self.spent_elsewhere.len() < Self::MOST_SPENT_ELSEWHERE {
                self.spent_elsewhere.insert((was.clone(), bucket));
            }
        }
    }

    /// Rows of storage that say what was used under a name that is gone.
    pub(super) fn take_rows_that_moved(&mut self, most: usize) -> Vec<StateRow> {
        let names = std::iter::from_fn(|| self.spent_elsewhere.pop_first()).take(most);
        let names: Vec<(GroupId, BucketName)> = names.collect();
        // A group may have come into being under that name since.
        let gone = names.into_iter().filter(|(group, _)| !self.roster.is_name_in_use(group));
        let row = |(group, bucket): (GroupId, BucketName)| StateRow {
            part: "spent".into(),
            name: spent_row_name(&group, &bucket),
            value: None,
        };
        gone.map(row).collect()
    }

    /// The name that a group goes by, whichever it went by when it was told.
    pub(crate) fn name_now(&self, name: &GroupId) -> GroupId {
        let name = self.renamed.get(name).unwrap_or(name);
        self.roster.group_at(name).map_or_else(|| name.clone(), |group| self.roster.groups[group].id.clone())
    }
}
