//! Looking for what nobody here made: in one group after the other, until it is found.

use keygate_actors::KeyLease;
use keygate_domain::{Fault, GroupId, Intent, Replay};

use crate::attempt::Failed;

/// The groups that have not what a request names, and of which nobody knows who has it.
#[derive(Default)]
pub(crate) struct Search {
    without_it: Vec<GroupId>,
}

impl Search {
    /// Whether another group may have what this one has not: nobody here made it, or it was forgotten. What
    /// does nothing but answer may ask for it everywhere; whoever has it is remembered. A creation is never
    /// tried out.
    pub(crate) fn helps(intent: &Intent, failed: &Failed) -> bool {
        intent.replay == Replay::Safe
            && failed.failure.fault == Fault::AffinityLost
            && !intent.references.is_empty()
            && !failed.is_preparations
    }

    /// It is not there.
    pub(crate) fn not_in(&mut self, group: GroupId) {
        self.without_it.push(group);
    }

    /// Whether it is over with this lease: the group was asked before, so all were, or `most` were.
    pub(crate) fn ends_with(&self, lease: &KeyLease, most: u32) -> bool {
        self.without_it.contains(lease.group()) || self.without_it.len() >= most as usize
    }
}
