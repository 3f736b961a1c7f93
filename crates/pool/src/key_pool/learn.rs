//! What an answer says besides the fault: buckets, projects, tiers and limits.

use keygate_domain::{Failure, Fault, GroupId, Hint};

use super::KeyPool;
use crate::PoolEvent;
use crate::learned::Statement;
use crate::leases::Held;
use crate::roster::{Naming, Owner};

impl KeyPool {
    /// Takes in what the answer says besides the fault.
    pub(super) fn learn(&mut self, held: &Held, failure: &Failure) {
        let hint = &failure.hint;
        if let (Some(model), Some(bucket)) = (&held.model, &hint.bucket)
            && let Some(before) = self.buckets.learn(model, bucket)
        {
            self.changes.names();
            // Those who wait for the model wait for another bucket.
            self.queue.stir();
            self.share_budgets(&before, bucket);
            self.share_rests(&before, bucket);
            self.share_circuit(&before, bucket);
        }
        // What a caller brought about may be told in the caller's own words.
        if matches!(failure.fault, Fault::Caller | Fault::AffinityLost) {
            return;
        }
        let is_named = hint.group.as_ref().is_some_and(|project| self.learn_project(held.key, project));
        let group = self.roster.keys[held.key].group;
        let has_tier = self.learn_tier(group, hint);
        let is_limited = self.learn_limit(group, held, hint);
        if is_named || has_tier || is_limited {
            self.notice(group);
        }
    }

    /// The provider named the project of a key. True if that is news.
    fn learn_project(&mut self, key: usize, project: &GroupId) -> bool {
        let group = &self.roster.groups[self.roster.keys[key].group];
        let (name, known) = (group.id.clone(), group.project.clone());
        if !self.put_in_project(key, project) {
            return false;
        }
        // An earlier life may have known this project by keys that are gone.
        self.remember_unclaimed();
        if known.as_ref() != Some(project) && name != *project {
            self.events.push(PoolEvent::GroupNamed { group: name, name: project.clone() });
        }
        true
    }

    /// Puts a key in the group of its project. True if anything changed.
    pub(super) fn put_in_project(&mut self, key: usize, project: &GroupId) -> bool {
        match self.roster.name_project(key, project) {
            Naming::Known => return false,
            Naming::Noted => {}
            Naming::Renamed { group, was } => self.group_renamed(group, &was),
            Naming::Same { from, into } => self.merge_groups(from, into),
        }
        self.changes.owner(Owner::Key(key));
        true
    }

    fn learn_tier(&mut self, position: usize, hint: &Hint) -> bool {
        let group = &mut self.roster.groups[position];
        let Some(tier) = hint.tier.filter(|tier| group.tier != Some(*tier)) else { return false };
        group.tier = Some(tier);
        self.changes.owner(Owner::Group(position));
        self.events.push(PoolEvent::TierLearned { group: group.id.clone(), tier });
        true
    }

    fn learn_limit(&mut self, position: usize, held: &Held, hint: &Hint) -> bool {
        let Some(limit) = hint.limit else { return false };
        let bucket = self.buckets.of(held.model.as_ref(), held.operation);
        let metric = hint.metric;
        let group = &mut self.roster.groups[position];
        match group.limits.state(&bucket, metric, limit, self.now.wall) {
            Statement::Known => false,
            Statement::Confirmed => {
                self.changes.owner(Owner::Group(position));
                false
            }
            Statement::News { before } => {
                self.changes.owner(Owner::Group(position));
                let group = group.id.clone();
                self.allow_anew(position, &bucket);
                self.events.push(PoolEvent::LimitLearned { group, bucket, metric, limit, before });
                true
            }
        }
    }
}
