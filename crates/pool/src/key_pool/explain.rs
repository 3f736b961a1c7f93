//! What the pool would answer an ask, and why, key by key.
//!
//! Looks at every key, and at none of what the answer does not depend on: for operators, not for
//! every request.

use std::borrow::Cow;
use std::sync::Arc;

use keygate_domain::{Access, BucketName, KeyId, Spend};

use super::choose::{Ownership, note_narrow};
use super::wait::Room;
use super::{KeyPool, wish};
use crate::budget::Meter;
use crate::lane::{Lane, LaneScope};
use crate::roster::Roster;
use crate::standing::{Block, Wish};
use crate::tried::TriedKeys;
use crate::{
    Ask, BreakerSnapshot, BudgetUse, Decision, KeyDecision, PoolRefusal, QueueFacts, Skip, Strategy, Wait,
};

/// An ask in the words of the roster, looked at from all sides.
struct Case<'a> {
    ownership: Ownership,
    wish: Wish<'a>,
    tried: TriedKeys,
    lane: Cow<'a, Lane>,
}

impl KeyPool {
    /// Answers as a lease would, and leaves it at that.
    pub(super) fn decide(&mut self, ask: &Ask) -> Decision {
        let bucket = self.buckets.of(ask.model.as_ref(), ask.operation);
        self.refresh_headroom();
        // Whoever waits longer is served first, if that is possible by now.
        let behind_others = self.refusal_of_those_ahead(ask);
        let claim = self.ownership(ask);
        let is_ours =
            ask.access.needs_key() && (!matches!(claim, Ok(None)) || ask.access != Access::OwnCredential);
        let refused = claim.as_ref().err().cloned().or(behind_others);
        let ownership = claim.ok().flatten().unwrap_or(Ownership::Free);
        let answer = match refused {
            Some(refusal) => Err(refusal),
            None if is_ours => self.pick(ask, &ownership).map(|key| Some(self.roster.keys[key].id().clone())),
            None => Ok(None),
        };
        let case = self.case_of(ask, ownership);
        let mut keys = self.explain_keys(&case, &bucket);
        self.give_turns(&mut keys, &case, answer.as_ref().ok().and_then(Option::as_ref));
        Decision {
            at: self.now,
            wait: answer.as_ref().err().and_then(|refusal| self.would_wait(ask, refusal)),
            answer,
            bound_to: case.ownership.bound_to().cloned(),
            strategy: self.policy.strategy,
            queue: self.queue_before(ask),
            breakers: self.breakers_of(&bucket),
            bucket,
            keys,
        }
    }

    fn case_of<'a>(&'a self, ask: &'a Ask, ownership: Ownership) -> Case<'a> {
        let spend = self.to_reserve(ask);
        let wish = wish(&self.buckets, ask.model.as_ref(), ask.operation, ask.opens_session, spend);
        let scope = self.roster.resting.scope_of(&wish);
        let lane = self.lanes.lane_as_if_open(&scope, || out_of(&self.roster, &scope));
        let tried = TriedKeys::find(&ask.tried, &self.roster, &wish, self.now);
        Case { ownership, wish, tried, lane }
    }

    /// The key that would be leased.
    fn pick(&mut self, ask: &Ask, ownership: &Ownership) -> Result<usize, PoolRefusal> {
        let spend = self.to_reserve(ask);
        let wish = wish(&self.buckets, ask.model.as_ref(), ask.operation, ask.opens_session, spend);
        let (roster, now) = (&self.roster, self.now);
        let scope = roster.resting.scope_of(&wish);
        let lane = self.lanes.lane_as_if_open(&scope, || out_of(roster, &scope));
        let tried = TriedKeys::find(&ask.tried, roster, &wish, now);
        // What a look in vain finds out changes how the next choice is made, be it not what it may choose.
        let known = self.narrow.clone();
        self.narrow.advance(wish.bucket.unwrap_or_default(), now);
        let (key, too_narrow) = self.choose(&lane, ownership, &tried, &wish);
        note_narrow(&mut self.narrow, roster, &wish, too_narrow, now);
        let key = key.ok_or_else(|| self.refusal(&lane, &wish, ownership.bound_to()));
        self.narrow = known;
        self.past_breaker(&wish, key)
    }

    fn explain_keys(&self, case: &Case<'_>, bucket: &BucketName) -> Vec<KeyDecision> {
        let Case { ownership, wish, tried, .. } = case;
        let budgets = self.budgets_for(wish, bucket);
        let keys = self.roster.keys_in_use().iter().enumerate();
        keys.map(|(index, key)| {
            let group = &self.roster.groups[key.group];
            let obstacle = self.roster.obstacle(index, wish, self.now);
            let reason = obstacle.as_ref().map(|obstacle| reason_of(&obstacle.block));
            let skip = obstacle.map(|obstacle| obstacle.skip()).or_else(|| tried.skip(index, key.group));
            let is_foreign = ownership.bound_to().is_some_and(|owner| *owner != group.id);
            let (skip, reason) = if is_foreign { (Some(Skip::NotOwner), None) } else { (skip, reason) };
            KeyDecision {
                index,
                id: key.id().clone(),
                label: key.label.clone(),
                group: group.id.clone(),
                role: key.role,
                weight: key.weight,
                health: self.health.points(index, self.now),
                state: self.state_of(index),
                skip,
                reason,
                turn: None,
                in_flight: key.counts.in_flight,
                budgets: Arc::clone(&budgets[key.group]),
            }
        })
        .collect()
    }

    /// Of each group, the budgets that a request draws from; none where it draws from none.
    fn budgets_for(&self, wish: &Wish<'_>, bucket: &BucketName) -> Vec<Arc<[BudgetUse]>> {
        let groups = 0..self.roster.groups.len();
        if wish.spend == Spend::default() {
            return groups.map(|_| Arc::default()).collect();
        }
        groups.map(|group| self.budgets_in(group, bucket)).collect()
    }

    /// The budgets of a group and bucket, also of one that was never used.
    fn budgets_in(&self, group: usize, bucket: &BucketName) -> Arc<[BudgetUse]> {
        let (budgets, now) = (&self.roster.budgets, self.now);
        match self.roster.groups[group].meters.get(bucket) {
            Some(meter) => meter.uses(budgets, now).collect(),
            None => Meter::new(&self.allowance(group, bucket), budgets, now).uses(budgets, now).collect(),
        }
    }

    /// Tells the usable keys their turns. Where chance decides only the key drawn has one.
    fn give_turns(&self, keys: &mut [KeyDecision], case: &Case<'_>, chosen: Option<&KeyId>) {
        if self.policy.strategy == Strategy::Health {
            if let Some(key) = keys.iter_mut().find(|key| Some(&key.id) == chosen) {
                key.turn = Some(1);
            }
            return;
        }
        let usable = keys.iter().filter(|key| key.is_usable()).map(|key| key.index);
        let mut ranks: Vec<_> = usable.filter_map(|key| Some((self.rank(key, case)?, key))).collect();
        ranks.sort_unstable();
        for (place, (_, key)) in ranks.into_iter().enumerate() {
            keys[key].turn = Some(place + 1);
        }
    }

    /// Where a usable key stands in the order in which it would be chosen.
    fn rank(&self, key: usize, case: &Case<'_>) -> Option<impl Ord + use<>> {
        let group = self.roster.keys[key].group;
        let is_away = match &case.ownership {
            Ownership::Prefers(owner, _) => *owner != self.roster.groups[group].id,
            Ownership::Free | Ownership::Only(_) => false,
        };
        Some((case.tried.rank(key, group)?, is_away, case.lane.turns.rank(key)))
    }

    fn queue_before(&self, ask: &Ask) -> QueueFacts {
        let ahead = self.line_of(ask).map_or(0, |line| self.queue.len_of(&line));
        let (waiting, of_user) = (self.queue.len(), self.queue.places_of(&ask.user));
        QueueFacts { waiting, ahead, of_user, bounds: self.policy.queue }
    }

    fn breakers_of(&self, bucket: &BucketName) -> Vec<BreakerSnapshot> {
        let breakers = self.breaker.observe(self.now).into_iter();
        breakers.filter(|breaker| breaker.bucket.as_ref().is_none_or(|name| name == bucket)).collect()
    }

    fn would_wait(&self, ask: &Ask, refusal: &PoolRefusal) -> Option<Wait> {
        let (free_at, until) = self.wait_for(ask, refusal)?;
        (self.room_for(ask) != Room::Nowhere).then_some(Wait { free_at, until })
    }
}

/// Keys of which a part rests that the asks of a lane could meet.
fn out_of(roster: &Roster, scope: &LaneScope) -> Vec<usize> {
    let resting = roster.resting.in_the_way_of(&scope.wish());
    resting.flat_map(|(_, place)| roster.members(&place.owner).iter().copied()).collect()
}

fn reason_of(block: &Block<'_>) -> Cow<'static, str> {
    match block {
        Block::Disabled(disabled) => disabled.reason.clone(),
        Block::Resting(_, rest) => rest.reason.clone(),
        Block::Spent(stop) => stop.reason().into(),
    }
}
