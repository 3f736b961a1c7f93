//! What is used under a lease that goes on: a session of a quarter of an hour must not hide its tokens from the
//! minute until it ends.

use keygate_domain::{BucketName, LeaseId, Moment, Spend, Verdict};

use super::KeyPool;
use crate::leases::Held;

impl KeyPool {
    /// Notes that `more` was used under a lease that goes on. It counts from now on, in the place of what was
    /// reserved for its tokens; its end counts only what was not told by then.
    pub fn used_so_far(&mut self, lease: LeaseId, more: Spend, now: Moment) {
        self.advance(now);
        let is_of_this_life = lease.life == self.life;
        let Some(held) = self.leases.held(lease.number).filter(|_| is_of_this_life).cloned() else { return };
        if held.reserved == Spend::default() {
            return;
        }
        self.count_more(&held, lease.number, more);
        if let Some(held) = self.leases.held_mut(lease.number) {
            held.reserved = tokenless(held.reserved);
            held.told = sum(held.told, more);
        }
    }

    /// Counts what is left to tell at the end of a lease that told what was used as it went. Returns what its
    /// reservation is to be corrected to.
    pub(super) fn count_untold(
        &mut self,
        held: &Held,
        lease: u64,
        verdict: Option<&Verdict>,
    ) -> Option<Spend> {
        if held.told == Spend::default() {
            return None;
        }
        let Some(Verdict::Served(total)) = verdict else { return None };
        let left = Spend {
            requests: 0,
            input_tokens: total.input_tokens.saturating_sub(held.told.input_tokens),
            output_tokens: total.output_tokens.saturating_sub(held.told.output_tokens),
        };
        self.count_more(held, lease, left);
        Some(held.reserved)
    }

    fn count_more(&mut self, held: &Held, lease: u64, more: Spend) {
        let bucket = self.bucket_of(held);
        let (groups, budgets) = (&mut self.roster.groups, &self.roster.budgets);
        let Some(meter) = groups[held.group].meters.get_mut(&bucket) else { return };
        meter.release_tokens(&super::spend::reservation(held, lease), budgets);
        meter.count(&Spend { requests: 0, ..more }, self.now, budgets);
        self.meter_moved(held.group, &bucket);
    }

    /// Where a lease counts by now.
    pub(super) fn bucket_of(&mut self, held: &Held) -> BucketName {
        match &held.bucket {
            (bucket, changes) if *changes == self.buckets.changes() => bucket.clone(),
            _ => self.buckets.of(held.model.as_ref(), held.operation),
        }
    }
}

fn tokenless(spend: Spend) -> Spend {
    Spend { requests: spend.requests, ..Spend::default() }
}

fn sum(one: Spend, other: Spend) -> Spend {
    Spend {
        requests: one.requests,
        input_tokens: one.input_tokens.saturating_add(other.input_tokens),
        output_tokens: one.output_tokens.saturating_add(other.output_tokens),
    }
}
