//! Ending a lease, and what a failure takes out of the pool.

use keygate_domain::{BucketName, Failure, Fault, LeaseId, Moment, Scope, Verdict};

use super::KeyPool;
use crate::cooldown::{self, Rest};
use crate::leases::Held;
use crate::roster::{Owner, Place};
use crate::standing::{Disabled, Part};
use crate::{PoolEvent, Settled, invariants};

impl KeyPool {
    /// Ends a lease; one that is not outstanding in this life changes nothing (KP-8).
    pub(super) fn end_lease(&mut self, lease: LeaseId, verdict: Verdict) -> Settled {
        let known = if lease.life == self.life { self.leases.end(lease.number) } else { None };
        let Some(held) = known else { return Settled::Stale };
        // Whoever is to blame: what the provider refused has not been used up.
        self.settle_budget(&held, lease.number, Some(&verdict));
        let verdict = self.weigh(&held, lease.number, verdict);
        self.roster.keys[held.key].counts.in_flight -= 1;
        self.ledger.in_flight -= 1;
        self.count(&held, &verdict);
        self.judge(held.key, &verdict);
        match verdict {
            Verdict::Served(_) => self.succeeded(&held, lease.number),
            Verdict::Failed(failure) => return self.failed(&held, lease.number, &failure),
            Verdict::Abandoned | Verdict::Unsent => {}
        }
        Settled::Ended
    }

    fn count(&mut self, held: &Held, verdict: &Verdict) {
        let counts = &mut self.roster.keys[held.key].counts;
        let (of_key, of_pool) = match verdict {
            Verdict::Served(_) => (&mut counts.served, &mut self.ledger.settled),
            Verdict::Failed(failure) if failure.takes_out() => {
                (&mut counts.refused, &mut self.ledger.settled)
            }
            Verdict::Failed(_) => (&mut counts.failed, &mut self.ledger.settled),
            Verdict::Abandoned => (&mut counts.lost, &mut self.ledger.lost),
            Verdict::Unsent => (&mut counts.unsent, &mut self.ledger.refunded),
        };
        *of_key += 1;
        *of_pool += 1;
    }

    /// A success ends no rest (KP-4), but what fails next starts with a short one again.
    fn succeeded(&mut self, held: &Held, lease: u64) {
        let bucket = self.buckets.name(held.model.as_ref(), held.operation);
        let wish = held.wish(bucket);
        for owner in [Owner::Key(held.key), Owner::Group(self.roster.keys[held.key].group)] {
            if self.roster.standing_mut(owner).succeeded(&wish, lease) {
                self.changes.owner(owner);
            }
        }
        self.proved_by_use(held.key);
    }

    fn failed(&mut self, held: &Held, lease: u64, failure: &Failure) -> Settled {
        self.learn(held, failure);
        let (key, group) = (Owner::Key(held.key), Owner::Group(self.roster.keys[held.key].group));
        let operation = || Part::Operation(held.operation.0.into());
        let place = match failure.scope {
            Scope::Nothing => return Settled::Ended,
            Scope::Key | Scope::Group if is_for_humans(failure) => {
                return self.disable_for(if failure.scope == Scope::Key { key } else { group }, failure);
            }
            Scope::Key => Place::new(key, Part::Whole),
            Scope::KeyRoute => Place::new(key, operation()),
            Scope::Group => Place::new(group, Part::Whole),
            Scope::GroupRoute => Place::new(group, operation()),
            Scope::GroupBucket => {
                let bucket = self.buckets.of(held.model.as_ref(), held.operation);
                Place::new(group, Part::Bucket(bucket, failure.hint.metric))
            }
            Scope::GroupSessions => Place::new(group, Part::Sessions),
        };
        self.rest_for(&place, lease, failure)
    }

    fn rest_for(&mut self, place: &Place, lease: u64, failure: &Failure) -> Settled {
        let place = self.roster.place_for(place);
        let before = self.roster.standing(place.owner).rest(&place.part).cloned();
        let level = before.as_ref().map_or(0, |rest| rest.level_after(lease));
        let until = cooldown::until(
            failure.fault,
            &failure.hint,
            level,
            &self.policy.cooldowns,
            &mut self.jitter,
            self.now,
        );
        let rest = Rest {
            until,
            since: self.now,
            fault: failure.fault,
            reason: failure.hint.reason.into(),
            may_be_providers: failure.hint.may_be_providers,
            level,
            next_level: level.saturating_add(1),
            first_lease_after: self.leases.first_to_come(),
            over: false,
        };
        let until = self.roster.put_rest(&place, rest, self.now);
        debug_assert!(
            invariants::ends_no_earlier(before.as_ref().map(|rest| rest.until), until),
            "{}",
            invariants::KP_4.sentence
        );
        self.changes.owner(place.owner);
        self.refresh(&place);
        if self.is_news(before.as_ref(), failure.fault, until) {
            self.tell_rested(&place);
        }
        Settled::Rested { scope: place.scope(), fault: failure.fault, until }
    }

    /// Answers to requests sent side by side all tell of one incident; it is told once, unless
    /// a later answer makes it notably longer or another one.
    fn is_news(&self, before: Option<&Rest>, fault: Fault, until: Moment) -> bool {
        before.filter(|rest| rest.is_running(self.now)).is_none_or(|rest| {
            let (old, new) = (self.now.until(rest.until), self.now.until(until));
            rest.fault != fault && new > old || new > old + old / 5
        })
    }

    fn tell_rested(&mut self, place: &Place) {
        let Some(rest) = self.roster.standing(place.owner).rest(&place.part) else { return };
        let (fault, until, reason) = (rest.fault, rest.until, rest.reason.clone());
        let operation = match &place.part {
            Part::Operation(operation) => Some(operation.clone()),
            Part::Whole | Part::Bucket(..) | Part::Budget(..) | Part::Sessions => None,
        };
        let event = match place.owner {
            Owner::Key(index) => {
                let key = &self.roster.keys[index];
                let (id, label) = (key.id().clone(), key.label.clone());
                PoolEvent::KeyRested { index, id, label, operation, fault, until, reason }
            }
            Owner::Group(group) => {
                let group = self.roster.groups[group].id.clone();
                match &place.part {
                    Part::Bucket(bucket, metric) | Part::Budget(bucket, metric) => {
                        let (bucket, metric) = (bucket.clone(), *metric);
                        PoolEvent::BucketRested { group, bucket, metric, fault, until, reason }
                    }
                    Part::Sessions => PoolEvent::SessionsRested { group, fault, until, reason },
                    Part::Whole | Part::Operation(_) => {
                        PoolEvent::GroupRested { group, operation, fault, until, reason }
                    }
                }
            }
        };
        self.events.push(event);
    }

    /// Takes a key or group out until somebody brings it back (KP-7). What an operator took out
    /// stays the operator's.
    fn disable_for(&mut self, owner: Owner, failure: &Failure) -> Settled {
        let settled = Settled::Disabled {
            scope: if matches!(owner, Owner::Key(_)) { Scope::Key } else { Scope::Group },
            fault: failure.fault,
        };
        let disabled = &mut self.roster.standing_mut(owner).disabled;
        if disabled.is_some() {
            return settled;
        }
        let reason = cooldown::Reason::from(failure.hint.reason);
        let news = Disabled { fault: Some(failure.fault), reason: reason.clone(), since: self.now };
        *disabled = Some(Box::new(news));
        self.last_disabling = Some(failure.fault);
        self.changes.owner(owner);
        self.ask_after(owner);
        self.refresh(&Place::new(owner, Part::Whole));
        let fault = failure.fault;
        self.events.push(match owner {
            Owner::Key(key) => {
                let key = &self.roster.keys[key];
                let (id, label) = (key.id().clone(), key.label.clone());
                PoolEvent::KeyDisabled { id, label, fault: Some(fault), reason }
            }
            Owner::Group(group) => {
                PoolEvent::GroupDisabled { group: self.roster.groups[group].id.clone(), fault, reason }
            }
        });
        settled
    }

    /// A model turned out to count in another bucket than thought: what rests of the one rests
    /// of the other, so that no running rest is forgotten (KP-3).
    pub(super) fn share_rests(&mut self, from: &BucketName, to: &BucketName) {
        if !self.roster.resting.has_bucket(from.as_str()) {
            return;
        }
        for group in 0..self.roster.groups.len() {
            let owner = Owner::Group(group);
            let shared: Vec<(Part, Rest)> = self
                .roster
                .standing(owner)
                .running(self.now)
                .filter_map(|(part, rest)| match part {
                    Part::Bucket(bucket, metric) if bucket == from => {
                        Some((Part::Bucket(to.clone(), *metric), rest.clone()))
                    }
                    Part::Whole
                    | Part::Operation(_)
                    | Part::Bucket(..)
                    | Part::Budget(..)
                    | Part::Sessions => None,
                })
                .collect();
            for (part, rest) in shared {
                let place = self.roster.place_for(&Place::new(owner, part));
                self.roster.put_rest(&place, rest, self.now);
                self.changes.owner(owner);
                self.refresh(&place);
            }
        }
    }
}

/// Whether no time cures it: an invalid key, or what the adapter says only a human can mend.
fn is_for_humans(failure: &Failure) -> bool {
    let hint = &failure.hint;
    let is_timed = hint.retry_after.is_some() || hint.resets.is_some();
    match failure.scope {
        Scope::Key => failure.fault == Fault::KeyInvalid || (hint.needs_human && !is_timed),
        Scope::Group => hint.needs_human && !is_timed,
        Scope::Nothing | Scope::KeyRoute | Scope::GroupRoute | Scope::GroupBucket | Scope::GroupSessions => {
            false
        }
    }
}
