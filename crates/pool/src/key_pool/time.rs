//! The passing of time: what ends by itself, and what follows from an end.

use std::sync::Arc;

use keygate_domain::{Fault, LeaseId, Moment};

use super::KeyPool;
use crate::PoolEvent;
use crate::cooldown::Rest;
use crate::roster::{Due, Owner, Place};
use crate::rotation::Rota;
use crate::standing::Part;

impl KeyPool {
    /// Lets time pass: ends rests that are over and leases that were held too long, and answers
    /// those who wait. A clock that goes backwards is ignored.
    pub fn advance(&mut self, now: Moment) {
        self.now = self.now.max(now);
        self.expire_leases();
        self.finish_rests();
        self.finish_trouble();
        self.advance_turns();
        self.advance_probing();
        if self.affinity.next_expiry().is_some_and(|expiry| expiry <= self.now) {
            let gone = Arc::make_mut(&mut self.affinity).expire(self.now);
            for name in gone {
                self.changes.binding(name);
            }
        }
        self.attend();
    }

    /// When [`KeyPool::advance`] has something to do next.
    pub fn next_wakeup(&self) -> Option<Moment> {
        let rotation = self.rota.as_ref().and_then(Rota::next).map(|wall| self.now.at_wall(wall));
        let dues = [
            self.leases.next_expiry(),
            self.roster.next_due(),
            self.affinity.next_expiry(),
            self.breaker.next_due(),
            self.queue.next_due(),
            self.probing.next_due(),
            rotation,
        ];
        dues.into_iter().flatten().min()
    }

    fn expire_leases(&mut self) {
        while let Some((number, held)) = self.leases.end_overdue(self.now) {
            self.breaker.ended(number);
            self.settle_budget(&held, number, None);
            let key = &mut self.roster.keys[held.key];
            key.counts.in_flight -= 1;
            key.counts.lost += 1;
            self.ledger.in_flight -= 1;
            self.ledger.lost += 1;
            self.events.push(PoolEvent::LeaseExpired {
                lease: LeaseId { life: self.life, number },
                id: key.id().clone(),
                label: key.label.clone(),
                held: held.granted.until(self.now),
            });
        }
    }

    fn finish_rests(&mut self) {
        while let Some(due) = self.roster.pop_due(self.now) {
            match due {
                Due::Over(place, _) if matches!(place.part, Part::Budget(..)) => self.budget_due(&place),
                Due::Over(place, fault) => {
                    self.refresh(&place);
                    self.tell_recovered(&place, fault);
                }
                Due::Forgotten(place) => self.changes.owner(place.owner),
            }
        }
    }

    /// Ends a rest before its time, with its escalation. True if it was running. That there was one
    /// is remembered, so that a request which it refused may use the key again.
    pub(super) fn end_rest(&mut self, place: &Place) -> bool {
        let Some(rest) = self.roster.end_rest(place) else { return false };
        self.changes.owner(place.owner);
        if rest.over {
            return false;
        }
        let fault = rest.fault;
        let ended = Rest { until: self.now, level: 0, next_level: 0, over: true, ..rest };
        self.roster.put_rest(place, ended, self.now);
        self.refresh(place);
        self.tell_recovered(place, fault);
        true
    }

    /// Brings the lanes up to date with what changed at `place`.
    pub(super) fn refresh(&mut self, place: &Place) {
        let (roster, now) = (&self.roster, self.now);
        self.lanes
            .refresh(&place.part, roster.members(&place.owner), |key, wish| roster.is_usable(key, wish, now));
        self.lanes.close_empty(&self.roster.resting);
        match &place.part {
            Part::Bucket(bucket, _) | Part::Budget(bucket, _) => self.queue.stir_bucket(bucket),
            Part::Whole | Part::Operation(_) | Part::Sessions => self.queue.stir(),
        }
    }

    fn tell_recovered(&mut self, place: &Place, fault: Fault) {
        if !self.roster.is_owner_in_use(place.owner) {
            return;
        }
        let (group, key) = match place.owner {
            Owner::Key(key) => {
                let found = &self.roster.keys[key];
                (found.group, Some((found.id().clone(), found.label.clone())))
            }
            Owner::Group(group) => (group, None),
        };
        let bucket = match &place.part {
            Part::Bucket(bucket, _) | Part::Budget(bucket, _) => Some(bucket.clone()),
            Part::Whole | Part::Operation(_) | Part::Sessions => None,
        };
        let group = self.roster.groups[group].id.clone();
        self.events.push(PoolEvent::Recovered { group, key, bucket, fault });
    }
}
