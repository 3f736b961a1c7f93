//! What of each part of the pool outlives a reload.
//!
//! Everything is taken apart field by field, so that whoever adds a field has to say here what
//! becomes of it: a forgotten one does not compile. The pool's own fields are in
//! `key_pool/reload.rs`.

use keygate_domain::Moment;

use crate::Budgets;
use crate::group::Group;
use crate::key::Key;
use crate::leases::Held;

/// A key that stays: what it is, is the new configuration's; what became of it, its own. Its project
/// had its say when the groups were made.
pub(crate) fn key(new: &mut Key, earlier: Key) {
    let Key {
        secret: _,
        label: _,
        group: _,
        is_declared: _,
        project: _,
        weight: _,
        role: _,
        standing,
        probing,
        counts,
    } = earlier;
    new.standing = standing;
    new.probing = probing;
    new.counts = counts;
}

/// A group takes over what is known of `earlier`: of itself, or of one whose keys all went over
/// to it. Nothing that rests is let off by that, nothing that was used is given back, and nothing
/// learned is lost. What budgets stop follows from their meters, under the new limits.
pub(crate) fn group(new: &mut Group, earlier: Group, budgets: &Budgets, now: Moment) {
    let Group {
        // What it is called and who is in it is the new one's.
        id: _,
        members: _,
        allowance: _,
        is_declared: _,
        merged_into: _,
        project: _,
        standing,
        tier,
        limits,
        uses,
        meters,
    } = earlier;
    new.standing.absorb(standing.without_budgets(), now);
    new.tier = new.tier.or(tier);
    new.limits.absorb(limits);
    for one in uses {
        new.share_use(&one);
    }
    for (bucket, meter) in meters {
        match new.meters.get_mut(&bucket) {
            Some(known) => known.absorb(meter, budgets),
            None => new.meters.insert(bucket, meter.moved()),
        }
    }
}

/// A lease stays what it is; its key and the group it draws from stand elsewhere.
pub(crate) fn lease(earlier: Held, place_of: impl Fn(usize, usize) -> (usize, usize)) -> Held {
    let Held {
        key,
        group,
        operation,
        model,
        bucket,
        opens_session,
        is_first,
        granted,
        estimate,
        reserved,
        expires,
        told,
        session,
    } = earlier;
    let (key, group) = place_of(key, group);
    Held {
        key,
        group,
        operation,
        model,
        bucket,
        opens_session,
        is_first,
        granted,
        estimate,
        reserved,
        expires,
        told,
        session,
    }
}
