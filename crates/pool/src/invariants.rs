//! What always holds of a pool. One predicate each, used by `debug_assert!`, by the property
//! tests and by the document.

use std::time::Duration;

use keygate_domain::{GroupId, Metric, Moment};

use crate::PoolRefusal;
use crate::budget::{Budgets, Meter, Reservation};
use crate::key_pool::KeyPool;
use crate::standing::Wish;
#[cfg(test)]
use crate::{Ask, Granted};

/// A promise of the pool: its id, and the sentence that `docs/architecture.md` has for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Invariant {
    /// `KP-3`
    pub id: &'static str,
    /// One sentence.
    pub sentence: &'static str,
}

const fn promise(id: &'static str, sentence: &'static str) -> Invariant {
    Invariant { id, sentence }
}

pub(crate) const KP_1: Invariant = promise("KP-1", "in-flight is the number of outstanding leases");
pub(crate) const KP_2: Invariant = promise(
    "KP-2",
    "no lease is granted that takes a group and bucket beyond a limit, in any 60 s, day or month, counting \
     reservations; what is larger than the limit goes alone",
);
pub(crate) const KP_3: Invariant = promise("KP-3", "a resting, exhausted or disabled scope is never leased");
pub(crate) const KP_4: Invariant = promise(
    "KP-4",
    "the end of a rest never moves earlier except by reset or an authoritative recovery, such as that the \
     provider itself turns out to be in trouble; a success is neither",
);
pub(crate) const KP_5: Invariant = promise("KP-5", "retry after zero is never an answer");
pub(crate) const KP_6: Invariant =
    promise("KP-6", "a promised moment is kept: asking then succeeds if nothing else changed");
pub(crate) const KP_7: Invariant =
    promise("KP-7", "a disabled key stays out until probe, reset or replacement");
pub(crate) const KP_8: Invariant =
    promise("KP-8", "a settlement of another life, or a second one of the same lease, changes nothing");
pub(crate) const KP_9: Invariant =
    promise("KP-9", "waiting is fair: no user waits while another is served twice for the same");
pub(crate) const KP_10: Invariant =
    promise("KP-10", "attempts are settled, refunded, lost, or still in flight");
pub(crate) const KP_11: Invariant =
    promise("KP-11", "a request bound to a group never gets a key of another");
pub(crate) const KP_12: Invariant = promise(
    "KP-12",
    "while a breaker is open no key rests for its incident, and nothing passes but its probe",
);

/// Every invariant of the pool that holds today.
pub const INVARIANTS: [Invariant; 12] =
    [KP_1, KP_2, KP_3, KP_4, KP_5, KP_6, KP_7, KP_8, KP_9, KP_10, KP_11, KP_12];

/// KP-1.
pub(crate) fn in_flight_is_outstanding(pool: &KeyPool) -> bool {
    let mut outstanding = vec![0_u64; pool.roster.keys.len()];
    pool.leases.keys().for_each(|key| outstanding[key] += 1);
    let per_key = pool.roster.keys.iter().map(|key| key.counts.in_flight);
    per_key.eq(outstanding) && pool.ledger.in_flight == pool.leases.len() as u64
}

/// KP-2, of a bucket that a lease was just counted in.
pub(crate) fn is_within_limits(meter: &Meter, granted: &Reservation, budgets: &Budgets) -> bool {
    meter.uses(budgets, granted.at).all(|budget| {
        let is_counted = budget.metric != Metric::MinInterval;
        !is_counted || budget.used <= budget.limit || budget.used == granted.spend.amount(budget.metric)
    })
}

/// KP-3, of what is kept ready: no lane offers a key that is out, or withholds one that is not;
/// and there is none that no ask would use.
pub(crate) fn lanes_tell_the_truth(pool: &KeyPool) -> bool {
    if pool.roster.count_resting() != pool.roster.resting {
        return false;
    }
    pool.lanes.all().all(|(scope, usable)| {
        if !pool.roster.resting.still_has(&scope) {
            return false;
        }
        let mut keys = 0..pool.roster.keys.len();
        keys.all(|key| usable.contains(key) == may_be_leased(pool, key, &scope.wish()))
    })
}

/// KP-6, of what is kept ready: no group is thought to have less room than it has.
pub(crate) fn narrow_groups_are_narrow(pool: &KeyPool) -> bool {
    let (roster, now) = (&pool.roster, pool.time());
    pool.narrow.all(now).all(|(bucket, group, known)| {
        roster.groups[group].meters.get(bucket).is_some_and(|meter| {
            let room = meter.room(&roster.budgets, now);
            room.requests <= known.requests && room.tokens <= known.tokens
        })
    })
}

/// KP-3, of one key.
pub(crate) fn may_be_leased(pool: &KeyPool, key: usize, wish: &Wish<'_>) -> bool {
    pool.roster.is_usable(key, wish, pool.time())
}

/// KP-4.
pub(crate) fn ends_no_earlier(before: Option<Moment>, after: Moment) -> bool {
    before.is_none_or(|before| after >= before)
}

/// KP-5.
pub(crate) fn is_worth_waiting_for(refusal: &PoolRefusal) -> bool {
    refusal.retry_after().is_none_or(|wait| wait >= Duration::from_millis(1))
}

/// KP-6. Tries it out on a copy.
#[cfg(test)]
pub(crate) fn promise_is_kept(pool: &KeyPool, ask: &Ask, refusal: &PoolRefusal) -> bool {
    let Some(retry_after) = refusal.retry_after() else { return true };
    let mut copy = pool.clone();
    matches!(copy.lease(ask, pool.time().after(retry_after)), Ok(Granted::Lease(_)))
}

/// KP-7, across anything but a reset, an enabling or a replacement.
#[cfg(test)]
pub(crate) fn disabled_stays_disabled(before: &KeyPool, after: &KeyPool) -> bool {
    let is_out = |standing: &crate::standing::Standing| standing.disabled.is_some();
    let mut keys = before.roster.keys_in_use().iter().filter(|key| is_out(&key.standing));
    let in_use = before.roster.groups.iter().filter(|group| !group.members.is_empty());
    let mut groups = in_use.filter(|group| is_out(&group.standing));
    let keys_stay = keys.all(|key| {
        let same = after.roster.keys.iter().find(|same| same.id() == key.id());
        same.is_some_and(|same| is_out(&same.standing))
    });
    keys_stay
        && groups.all(|group| {
            let position = after.roster.group_at(&after.name_now(&group.id));
            position.is_some_and(|position| is_out(&after.roster.groups[position].standing))
        })
}

/// KP-8, across a settlement that was not for an outstanding lease. Time may have passed.
#[cfg(test)]
pub(crate) fn nothing_changed(before: &KeyPool, after: &KeyPool) -> bool {
    let mut before = before.clone();
    before.advance(after.time());
    before.snapshot(after.time()) == after.snapshot(after.time()) && before.state() == after.state()
}

/// KP-10.
pub(crate) fn ledger_balances(pool: &KeyPool) -> bool {
    let ledger = &pool.ledger;
    let sum = |count: fn(&crate::key::KeyUse) -> u64| -> u64 {
        pool.roster.keys.iter().map(|key| &key.counts).chain([&pool.gone]).map(count).sum()
    };
    ledger.attempts == ledger.settled + ledger.refunded + ledger.lost + ledger.in_flight
        && ledger.attempts == sum(|counts| counts.attempts)
        && ledger.settled == sum(crate::key::KeyUse::settled)
        && ledger.refunded == sum(|counts| counts.unsent)
        && ledger.lost == sum(|counts| counts.lost)
}

/// KP-11.
pub(crate) fn stays_with_its_owner(bound_to: Option<&GroupId>, granted: &GroupId) -> bool {
    bound_to.is_none_or(|owner| owner == granted)
}

/// KP-12, of rests.
#[cfg(test)]
pub(crate) fn no_key_pays_for_the_provider(pool: &KeyPool) -> bool {
    let open: Vec<_> = pool.breaker.all().filter(|(_, circuit)| circuit.is_open()).collect();
    let mut resting = pool.roster.ending();
    !resting.any(|(_, place, rest)| {
        let is_of = |extent: &Option<_>| extent.as_ref().is_none_or(|name| place.part.is_of_bucket(name));
        rest.may_be_providers
            && open.iter().any(|(extent, circuit)| is_of(extent) && rest.since >= circuit.began)
    })
}

/// Checks, in debug builds, what holds between any two calls. The look at every lane is left to
/// small pools, so that tests with thousands of keys stay quick.
pub(crate) fn assert_holds(pool: &KeyPool) {
    const SMALL: usize = 128;
    if !cfg!(debug_assertions) || pool.roster.keys.len() > SMALL {
        return;
    }
    debug_assert!(in_flight_is_outstanding(pool), "{}: {}", KP_1.id, KP_1.sentence);
    debug_assert!(ledger_balances(pool), "{}: {}", KP_10.id, KP_10.sentence);
    debug_assert!(lanes_tell_the_truth(pool), "{}: {}", KP_3.id, KP_3.sentence);
    debug_assert!(narrow_groups_are_narrow(pool), "{}: {}", KP_6.id, KP_6.sentence);
}
