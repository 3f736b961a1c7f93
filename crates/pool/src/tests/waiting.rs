//! Those who wait in a random pool, and what they may expect.

use std::time::Duration;

use keygate_domain::Moment;

use super::reference::{Expected, Reference};
use crate::{Ask, Granted, KeyPool, Lease, PoolRefusal, Ticket};

#[derive(Debug)]
struct Patient {
    ticket: Ticket,
    ask: Ask,
    until: Moment,
}

/// Everybody who waits.
#[derive(Default, Debug)]
pub(super) struct Patients {
    waiting: Vec<Patient>,
}

impl Patients {
    pub(super) fn is_anybody_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Somebody was told to wait, and the earliest moment fits its patience.
    pub(super) fn admit(&mut self, ticket: Ticket, ask: &Ask, until: Moment, earliest: Moment) {
        assert!(earliest <= until, "{earliest:?} is later than {until:?}");
        self.waiting.push(Patient { ticket, ask: ask.clone(), until });
    }

    /// Somebody was not let wait: it had too little time, or the queue was full.
    pub(super) fn check_turned_away(&self, ask: &Ask, retry_after: Duration) {
        let fits = retry_after <= ask.patience.min(Duration::from_mins(1));
        assert!(!fits || self.waiting.len() >= 4, "there was time and room to wait for {retry_after:?}");
    }

    pub(super) fn leave(&mut self, which: usize, pool: &mut KeyPool, now: Moment) {
        if which < self.waiting.len() {
            let gone = self.waiting.remove(which);
            assert!(pool.leave(gone.ticket, now), "who leaves was there");
        }
    }

    /// Takes in what was resolved: keys that may be used, refusals that are true. Nobody waits on
    /// while a key is free, or beyond its time.
    pub(super) fn look_after(
        &mut self,
        pool: &mut KeyPool,
        reference: &Reference,
        now: Moment,
    ) -> Vec<(Lease, Ask, Moment)> {
        let mut served = Vec::new();
        for resolved in pool.drain_resolved() {
            let at = self.waiting.iter().position(|patient| patient.ticket == resolved.ticket);
            let patient = self.waiting.remove(at.expect("it waited"));
            match (resolved.outcome, reference.expects(&patient.ask, now)) {
                (Ok(Granted::Lease(lease)), Expected::OneOf(keys)) => {
                    let key = reference.key(lease.key.id());
                    assert!(keys.contains(&key), "{key} instead of one of {keys:?}");
                    let expires = now.after(patient.ask.hold);
                    served.push((lease, patient.ask, expires));
                }
                (Err(PoolRefusal::Resting { retry_after, .. }), Expected::Resting(wait)) => {
                    assert_eq!(retry_after, wait.max(Duration::from_millis(1)));
                    let is_time = now.after(wait) > patient.until || patient.until <= now;
                    assert!(is_time || self.waiting.len() >= 3, "refused too early");
                }
                (Ok(Granted::NotOurs | Granted::Pass(_)), Expected::NotOurs)
                | (Err(PoolRefusal::Conflict { .. }), Expected::Conflict)
                | (Err(PoolRefusal::Foreign { .. }), Expected::Foreign)
                | (Err(PoolRefusal::Unknown { .. }), Expected::Unknown)
                | (Err(PoolRefusal::Disabled { .. }), Expected::Disabled)
                | (Err(PoolRefusal::NothingLeft), Expected::NothingLeft) => {}
                (outcome, expected) => panic!("{outcome:?} instead of {expected:?}"),
            }
        }
        assert_eq!(pool.snapshot(now).waiting, self.waiting.len());
        for patient in &self.waiting {
            assert!(patient.until > now, "it waits beyond its time");
            // What a request names may have changed hands; it is looked at again when its line is.
            if patient.ask.references.is_empty() {
                let expected = reference.expects(&patient.ask, now);
                assert!(matches!(expected, Expected::Resting(_)), "waits in vain: {expected:?}");
            }
        }
        served
    }
}
