//! A provider in trouble: what its faults and successes are worth, and what an open breaker does.

use std::time::Duration;

use keygate_domain::{BucketName, Failure, Fault, Moment, Scope, Verdict};

use super::KeyPool;
use crate::breaker::{Extent, Incident, Opening};
use crate::cooldown::{self, Rest};
use crate::leases::Held;
use crate::roster::Place;
use crate::standing::Wish;
use crate::{Ask, PoolEvent, PoolRefusal};

/// A caller in a hurry meets a timeout with the best of providers.
const FAIR_PATIENCE: Duration = Duration::from_secs(5);

impl KeyPool {
    /// The answer to an ask that would get `chosen`, were it not for a breaker.
    pub(super) fn past_breaker(
        &self,
        wish: &Wish<'_>,
        chosen: Result<usize, PoolRefusal>,
    ) -> Result<usize, PoolRefusal> {
        let blocked = wish.bucket.and_then(|bucket| self.breaker.blocks(bucket, self.now));
        let Some((until, last_fault)) = blocked else { return chosen };
        let wait = self.now.until(until).max(Duration::from_millis(1));
        match chosen {
            // Rests that end later keep their own promise: by then the breaker lets one pass.
            Err(PoolRefusal::Resting { retry_after, .. }) if retry_after < wait => {}
            Err(other) => return Err(other),
            Ok(_) => {}
        }
        Err(PoolRefusal::BreakerOpen { retry_after: wait, last_fault })
    }

    /// Whether the lease just granted is to find out how the provider does.
    pub(super) fn is_trial(&mut self, ask: &Ask, lease: u64) -> bool {
        let bucket = self.buckets.name(ask.model.as_ref(), ask.operation);
        let waits = &self.policy.cooldowns.overloaded;
        let (is_trial, probing) = self.breaker.granted(bucket, lease, waits, self.now);
        for bucket in probing {
            self.events.push(PoolEvent::BreakerProbing { bucket });
        }
        is_trial
    }

    /// Takes in what the end of a lease says of the provider itself. A fault that turns out to be
    /// the provider's takes nothing out.
    pub(super) fn weigh(&mut self, held: &Held, lease: u64, verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::Served(_) => {
                let bucket = self.buckets.name(held.model.as_ref(), held.operation);
                self.breaker.served(bucket, self.now);
                self.trial_succeeded(lease);
                self.breaker.ended(lease);
                verdict
            }
            Verdict::Failed(failure) if names_nobody(held, &failure, self.now) => {
                let is_providers = self.provider_failed(held, lease, &failure);
                Verdict::Failed(if is_providers { failure.at(Scope::Nothing) } else { failure })
            }
            Verdict::Failed(_) | Verdict::Abandoned | Verdict::Unsent => {
                self.breaker.ended(lease);
                verdict
            }
        }
    }

    pub(super) fn trial_succeeded(&mut self, lease: u64) {
        let step = self.policy.cooldowns.overloaded.step();
        let closed = self.breaker.succeeded(lease, step, self.now);
        self.tell_closed(closed);
    }

    /// Ends the slow starts that are over, and forgets circuits that nobody asks to pass.
    pub(super) fn finish_trouble(&mut self) {
        while let Some((bucket, circuit)) = self.breaker.pop_due(self.now) {
            self.breaker.is_unsaved = true;
            if circuit.is_open() {
                self.tell_closed(vec![(bucket, circuit.since)]);
            }
        }
    }

    /// An operator knows that all is well.
    pub(super) fn forget_trouble(&mut self) {
        let closed = self.breaker.forget();
        self.breaker.is_unsaved = true;
        self.tell_closed(closed);
    }

    /// What counted in `from` counts in `to`, and the provider is in no less trouble for it.
    pub(super) fn share_circuit(&mut self, from: &BucketName, to: &BucketName) {
        if self.breaker.renamed(from, to) {
            self.breaker.is_unsaved = true;
        }
    }

    /// True if the failure is known to be the provider's.
    fn provider_failed(&mut self, held: &Held, lease: u64, failure: &Failure) -> bool {
        let bucket = self.buckets.of(held.model.as_ref(), held.operation);
        let rejected = self.breaker.rejected(&bucket, lease);
        for extent in rejected.of_trials {
            self.open(extent, None, failure);
        }
        if rejected.is_known || !is_telling(held, failure) {
            return rejected.is_known;
        }
        let group = self.roster.group_of(held.key).id.clone();
        let incident = self.breaker.note(&bucket, group, self.now).clone();
        let Some(began) = incident.began().filter(|began| self.agree(held, &bucket, &incident, *began))
        else {
            return false;
        };
        let Some(extent) = self.breaker.extent_for(&bucket, began) else { return false };
        self.open(extent, Some(began), failure);
        true
    }

    /// Whether at least two groups met the incident, and most of the usable ones: those that it
    /// put to rest itself count as usable.
    fn agree(&self, held: &Held, bucket: &BucketName, incident: &Incident, began: Moment) -> bool {
        if incident.size() < 2 {
            return false;
        }
        let wish = held.wish(bucket.as_str());
        let met = incident.groups().filter_map(|group| self.roster.group_at(group));
        let met = met.filter(|group| self.is_group_usable(*group, &wish, |rest| is_of_incident(rest, began)));
        let met = met.count();
        // No further than is needed to know: there may be thousands of groups.
        let others = (0..self.roster.groups.len()).filter(|group| {
            !incident.has_met(&self.roster.groups[*group].id)
                && self.is_group_usable(*group, &wish, |_| false)
        });
        others.take(met).count() < met
    }

    fn is_group_usable(&self, group: usize, wish: &Wish<'_>, forgiven: impl Fn(&Rest) -> bool) -> bool {
        let found = &self.roster.groups[group];
        let mut keys = found.members.iter().map(|key| &self.roster.keys[*key].standing);
        found.standing.is_free_but_for(wish, self.now, &forgiven)
            && keys.any(|standing| standing.is_free_but_for(wish, self.now, &forgiven))
    }

    /// Opens a circuit for an incident, or opens it again after a trial in vain.
    fn open(&mut self, extent: Extent, began: Option<Moment>, failure: &Failure) {
        let level = self.breaker.level_of(&extent);
        let cooldowns = &self.policy.cooldowns;
        let until = cooldown::until_probed(&failure.hint, level, cooldowns, &mut self.jitter, self.now);
        let known = self
            .breaker
            .all()
            .filter(|(other, circuit)| circuit.is_open() && (extent.is_none() || *other == extent));
        let began = known.map(|(_, circuit)| circuit.began).chain(began).min().unwrap_or(self.now);
        let (fault, reason) = (failure.fault, cooldown::Reason::from(failure.hint.reason));
        let opening = Opening { began, fault, reason: reason.clone(), level, until, now: self.now };
        self.breaker.open(extent.clone(), opening);
        self.breaker.is_unsaved = true;
        let released = self.release(&extent, began);
        let bucket = extent;
        self.events.push(PoolEvent::BreakerOpened {
            bucket,
            fault,
            reason,
            until,
            reopened: level,
            released,
        });
    }

    /// Ends what rests for an incident that turned out to be the provider's, and nothing else.
    fn release(&mut self, extent: &Extent, began: Moment) -> usize {
        let resting = self.roster.ending().filter(|(_, place, rest)| {
            is_of_incident(rest, began) && extent.as_ref().is_none_or(|name| place.part.is_of_bucket(name))
        });
        let places: Vec<Place> = resting.map(|(_, place, _)| place.clone()).collect();
        places.iter().filter(|place| self.end_rest(place)).count()
    }

    fn tell_closed(&mut self, closed: Vec<(Extent, Moment)>) {
        for (bucket, since) in closed {
            self.breaker.is_unsaved = true;
            let after = since.until(self.now);
            self.events.push(PoolEvent::BreakerClosed { bucket, after });
        }
    }
}

/// Whether all of a rest was put for an incident that began then.
fn is_of_incident(rest: &Rest, began: Moment) -> bool {
    rest.may_be_providers && rest.since >= began
}

/// Whether a failure names neither a quota nor a key.
fn names_nobody(held: &Held, failure: &Failure, now: Moment) -> bool {
    let is_hurried = failure.fault == Fault::Timeout && held.granted.until(now) < FAIR_PATIENCE;
    (failure.fault.is_providers() || failure.hint.may_be_providers) && !is_hurried
}

/// Whether a failure that names nobody tells of the provider, and not of this one request.
fn is_telling(held: &Held, failure: &Failure) -> bool {
    if failure.hint.may_be_providers {
        return true;
    }
    match failure.fault {
        // Some inputs break or stall a provider wherever they are sent: each request has one say.
        Fault::ServerError | Fault::Timeout => held.is_first,
        // One dead connection may only have been kept for too long.
        Fault::Unreachable => !held.is_first,
        Fault::RateLimited
        | Fault::QuotaExhausted
        | Fault::GroupBlocked
        | Fault::KeyInvalid
        | Fault::KeyForbidden
        | Fault::Busy
        | Fault::Overloaded
        | Fault::AffinityLost
        | Fault::Caller
        | Fault::Poison => true,
    }
}
