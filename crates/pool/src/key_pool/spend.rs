//! Budgets: counting what is asked for before it is sent, and what was used after.

use std::sync::Arc;

use keygate_domain::{Allowance, BucketName, GroupId, Spend, Verdict};

use super::KeyPool;
use crate::budget::{BegunSession, Meter, Reservation, SavedMeter, Stop};
use crate::cooldown::Rest;
use crate::invariants::{KP_2, is_within_limits};
use crate::leases::Held;
use crate::roster::{Owner, Place};
use crate::standing::Part;
use crate::{Ask, BucketBudgets, SpentState, StateRow};

/// Most buckets of a group that are metered apart; model names are the callers' words.
const MOST_METERS: usize = 64;

impl KeyPool {
    /// What an ask draws from budgets; nothing where it uses neither a model nor a session.
    pub(super) fn to_reserve(&self, ask: &Ask) -> Spend {
        if ask.model.is_none() && !ask.opens_session {
            return Spend::default();
        }
        self.estimates.corrected(ask.model.as_ref(), ask.estimate)
    }

    /// Counts a lease that is being granted.
    pub(super) fn reserve(&mut self, held: &Held, lease: u64) {
        if held.reserved == Spend::default() {
            return;
        }
        let (group, bucket) = (held.group, &held.bucket.0);
        self.open_meter(group, bucket);
        let reservation = reservation(held, lease);
        let (groups, budgets) = (&mut self.roster.groups, &self.roster.budgets);
        let Some(meter) = groups[group].meters.get_mut(bucket) else { return };
        meter.reserve(&reservation, budgets);
        debug_assert!(is_within_limits(meter, &reservation, budgets), "{}: {}", KP_2.id, KP_2.sentence);
        self.meter_moved(group, bucket);
    }

    /// Corrects what was counted by what became of it; without a verdict nobody knows.
    pub(super) fn settle_budget(&mut self, held: &Held, lease: u64, verdict: Option<&Verdict>) {
        if held.reserved == Spend::default() {
            return;
        }
        let told = self.count_untold(held, lease, verdict);
        let actual = told.unwrap_or_else(|| self.used(held, verdict));
        // One whose answer was lost may be running too, and is told under a name of the house's own.
        let may_run = matches!(verdict, Some(Verdict::Served(_))) || held.session.is_some();
        let session = if held.opens_session && may_run { self.begun_session(held) } else { None };
        let group = held.group;
        let renamed;
        let bucket = match &held.bucket {
            (bucket, changes) if *changes == self.buckets.changes() => bucket,
            _ => {
                renamed = self.buckets.of(held.model.as_ref(), held.operation);
                &renamed
            }
        };
        let (groups, budgets) = (&mut self.roster.groups, &self.roster.budgets);
        let Some(meter) = groups[group].meters.get_mut(bucket) else { return };
        meter.settle(&reservation(held, lease), &actual, session.as_ref(), budgets);
        self.queue.stir_bucket(bucket);
        self.meter_moved(group, bucket);
        if self.buckets.learned().next().is_some() {
            self.ends_elsewhere(group, bucket, lease);
        }
    }

    /// A lease that was running when its bucket turned out to be another is counted as running by both.
    fn ends_elsewhere(&mut self, group: usize, bucket: &BucketName, lease: u64) {
        let others = self.roster.groups[group].meters.iter_mut().filter(|(other, _)| *other != bucket);
        let ended = others.filter_map(|(other, meter)| meter.runs_no_more(lease).then(|| other.clone()));
        for other in ended.collect::<Vec<_>>() {
            self.queue.stir_bucket(&other);
            self.meter_moved(group, &other);
        }
    }

    /// What a lease cost. A request that the provider answered counts as one, whatever the answer; one
    /// of which nobody knows counts as reserved.
    fn used(&mut self, held: &Held, verdict: Option<&Verdict>) -> Spend {
        match verdict {
            // An answer that reports no use is settled by its estimate.
            Some(Verdict::Served(actual)) if *actual != held.estimate => {
                if let Some(model) = &held.model {
                    self.estimates.learn(model, held.estimate, *actual);
                }
                // As many requests as were sent were counted, whatever is reported of tokens.
                Spend { requests: actual.requests.max(held.reserved.requests), ..*actual }
            }
            Some(Verdict::Failed(failure)) if failure.takes_out() => {
                Spend { requests: held.reserved.requests, ..Spend::default() }
            }
            Some(Verdict::Unsent) => Spend::default(),
            Some(Verdict::Served(_) | Verdict::Failed(_) | Verdict::Abandoned) | None => held.reserved,
        }
    }

    /// The session that goes on when its lease ends; none where the lease itself was the session.
    fn begun_session(&self, held: &Held) -> Option<BegunSession> {
        let told = held.session.as_ref();
        let length = told.and_then(|opened| opened.longest).unwrap_or(self.roster.budgets.session_length);
        let name = told.map(|opened| Arc::clone(&opened.session.name));
        (!length.is_zero()).then(|| BegunSession { name, ends: self.now.after(length) })
    }

    /// A session of the group ended. True if a place is free now that was not before: where sessions are
    /// counted, an end that is told again is none.
    pub(super) fn free_place(&mut self, group: usize, name: &str) -> bool {
        let buckets: Vec<BucketName> = self.roster.groups[group].meters.keys().cloned().collect();
        let (mut are_counted, mut was_running) = (false, false);
        for bucket in buckets {
            let Some(meter) = self.roster.groups[group].meters.get_mut(&bucket) else { continue };
            let Some(was_here) = meter.session_ended(name) else { continue };
            are_counted = true;
            if was_here {
                was_running = true;
                self.queue.stir_bucket(&bucket);
                self.meter_moved(group, &bucket);
            }
        }
        was_running || !are_counted
    }

    /// The moment came for which a budget was out.
    pub(super) fn budget_due(&mut self, place: &Place) {
        let (Owner::Group(group), Part::Budget(bucket, _)) = (place.owner, &place.part) else { return };
        self.roster.end_rest(place);
        if let Some(meter) = self.roster.groups[group].meters.get_mut(bucket) {
            meter.stop = None;
        }
        self.refresh(place);
        self.meter_moved(group, bucket);
    }

    /// Other limits hold for a bucket: the provider stated one.
    pub(super) fn allow_anew(&mut self, group: usize, bucket: &BucketName) {
        let allowance = self.allowance(group, bucket);
        self.open_meter(group, bucket);
        let (groups, budgets) = (&mut self.roster.groups, &self.roster.budgets);
        let Some(meter) = groups[group].meters.get_mut(bucket) else { return };
        meter.allow(&allowance, budgets);
        self.meter_moved(group, bucket);
        self.tell_headroom(group);
    }

    /// Forgets the limits that the provider stated: who resets may know that they are others by now. If they
    /// are not, the next refusal states them again.
    pub(super) fn forget_limits(&mut self, group: usize) {
        let limits = std::mem::take(&mut self.roster.groups[group].limits);
        if limits.all().next().is_none() {
            return;
        }
        self.changes.owner(Owner::Group(group));
        let buckets: Vec<BucketName> = self.roster.groups[group].meters.keys().cloned().collect();
        for bucket in buckets {
            self.allow_anew(group, &bucket);
        }
        self.notice(group);
    }

    /// A model turned out to count in another bucket than thought: what was used of the one was used
    /// of the other.
    pub(super) fn share_budgets(&mut self, from: &BucketName, to: &BucketName) {
        for group in 0..self.roster.groups.len() {
            let known = &mut self.roster.groups[group].meters;
            let Some(meter) = known.get(from).cloned().map(Meter::moved) else { continue };
            match known.get_mut(to) {
                Some(known) => known.absorb(meter, &self.roster.budgets),
                None => known.insert(to.clone(), meter),
            }
            self.allow_anew(group, to);
        }
    }

    /// What each group used of its budgets, for a later life.
    pub fn spent(&self) -> SpentState {
        let meters = self.roster.groups.iter().flat_map(|group| {
            let limited = group.meters.iter().filter(|(_, meter)| meter.is_limited());
            limited.map(|(bucket, meter)| SavedMeter::of(&group.id, bucket, meter, self.now))
        });
        SpentState { meters: meters.chain(self.unclaimed.meters().cloned()).collect() }
    }

    /// Whether something was used that [`KeyPool::take_spent_rows`] has not given out yet.
    pub fn has_unsaved_spent(&self) -> bool {
        !self.unsaved_spent.is_empty() || !self.spent_elsewhere.is_empty()
    }

    /// What was used since the last time, for storage: each row whole as it is now.
    pub fn take_spent_rows(&mut self, most: usize) -> Vec<StateRow> {
        let names: Vec<_> = self.unsaved_spent.drain(..most.min(self.unsaved_spent.len())).collect();
        let room = most - names.len();
        let rows = names.into_iter().filter_map(|(group, bucket)| self.spent_row(group, &bucket));
        let mut rows: Vec<StateRow> = rows.collect();
        // After the rows that count it: whoever is stopped in between counts too much, not too little.
        rows.extend(self.take_rows_that_moved(room));
        rows
    }

    fn spent_row(&mut self, group: usize, bucket: &BucketName) -> Option<StateRow> {
        let group = &mut self.roster.groups[group];
        let meter = group.meters.get_mut(bucket)?;
        meter.is_unsaved = false;
        let saved = SavedMeter::of(&group.id, bucket, meter, self.now);
        let value = serde_json::to_string(&saved).ok();
        Some(StateRow { part: "spent".into(), name: spent_row_name(&group.id, bucket), value })
    }

    /// Takes in what was used in an earlier life. What groups used that are gone waits for them.
    pub fn remember_spent(&mut self, state: &SpentState) {
        for saved in &state.meters {
            let Some(group) = self.roster.group_at(&saved.group) else {
                self.unclaimed.put_meter(saved);
                continue;
            };
            self.open_meter(group, &saved.bucket);
            let (groups, budgets) = (&mut self.roster.groups, &self.roster.budgets);
            if let Some(meter) = groups[group].meters.get_mut(&saved.bucket) {
                saved.restore(meter, budgets, self.now);
                self.meter_moved(group, &saved.bucket);
            }
        }
    }

    pub(super) fn budgets_of(&self, group: usize, now: keygate_domain::Moment) -> Vec<BucketBudgets> {
        let meters = self.roster.groups[group].meters.iter();
        let budgets = meters.map(|(bucket, meter)| BucketBudgets {
            bucket: bucket.clone(),
            uses: meter.uses(&self.roster.budgets, now).collect(),
        });
        budgets.filter(|budgets| !budgets.uses.is_empty()).collect()
    }

    /// Makes a meter for a bucket that has none yet. What nobody limits is counted too: a limit may be
    /// stated by the next answer.
    fn open_meter(&mut self, group: usize, bucket: &BucketName) {
        if self.roster.groups[group].meters.contains_key(bucket) {
            return;
        }
        let allowance = self.allowance(group, bucket);
        self.make_room_for_a_meter(group);
        let meter = Meter::new(&allowance, &self.roster.budgets, self.now);
        self.roster.groups[group].meters.insert(bucket.clone(), meter);
    }

    /// Forgets the meter of which least was used, as long as there are too many.
    fn make_room_for_a_meter(&mut self, group: usize) {
        let (budgets, now) = (&self.roster.budgets, self.now);
        while self.roster.groups[group].meters.len() >= MOST_METERS {
            let idle = self.roster.groups[group].meters.iter().filter(|(_, meter)| meter.stop.is_none());
            let idlest =
                idle.max_by_key(|(_, meter)| meter.headroom(budgets, now)).map(|(bucket, _)| bucket.clone());
            let Some(bucket) = idlest else { break };
            self.roster.groups[group].meters.remove(&bucket);
            self.narrow.moved(bucket.as_str(), group);
        }
    }

    /// The limits of a group's bucket: as configured, and never more than the provider stated.
    pub(super) fn allowance(&self, group: usize, bucket: &BucketName) -> Allowance {
        let stated = self.roster.groups[group].limits.of_bucket(bucket);
        let configured = self.configured_allowance(group, bucket);
        stated.fold(configured, |allowance, (metric, limit)| allowance.at_most(metric, limit))
    }

    /// As configured: the group's own, else the model's, else everybody's.
    pub(super) fn configured_allowance(&self, group: usize, bucket: &BucketName) -> Allowance {
        let budgets = &self.roster.budgets;
        let of_bucket = |model: &keygate_domain::ModelName| {
            self.buckets.learned_name(model).map_or(model.as_str() == bucket.as_str(), |name| name == bucket)
        };
        let models = budgets.models.iter().filter(|(model, _)| of_bucket(model));
        let of_models = models.fold(Allowance::default(), |all, (_, allowance)| all.or(*allowance));
        self.roster.groups[group].allowance.or(of_models).or(budgets.default)
    }

    /// Keeps the lanes up to date with what is left of a bucket.
    pub(super) fn meter_moved(&mut self, group: usize, bucket: &BucketName) {
        self.narrow.moved(bucket.as_str(), group);
        let (found, budgets) = (&mut self.roster.groups[group], &self.roster.budgets);
        let Some(meter) = found.meters.get_mut(bucket) else { return };
        if !meter.is_limited() && meter.stop.is_none() {
            return;
        }
        if !std::mem::replace(&mut meter.is_unsaved, true) {
            self.unsaved_spent.push((group, bucket.clone()));
        }
        let (before, stop) = (meter.stop.as_deref().copied(), meter.stop_for_any(budgets, self.now));
        self.tell_headroom(group);
        if before != stop {
            self.stop_instead(group, bucket, before, stop);
        }
    }

    /// What a bucket was stopped by gives way to what it is stopped by.
    fn stop_instead(&mut self, group: usize, bucket: &BucketName, before: Option<Stop>, stop: Option<Stop>) {
        if let Some(before) = before {
            let place = Place::new(Owner::Group(group), Part::Budget(bucket.clone(), before.metric));
            self.roster.end_rest(&place);
        }
        let place = stop.map(|stop| self.stop_at(group, bucket, stop));
        if let Some(meter) = self.roster.groups[group].meters.get_mut(bucket) {
            meter.stop = stop.map(Box::new);
        }
        let changed = place.or_else(|| {
            let before = before?;
            Some(Place::new(Owner::Group(group), Part::Budget(bucket.clone(), before.metric)))
        });
        if let Some(place) = changed {
            self.refresh(&place);
        }
    }

    fn stop_at(&mut self, group: usize, bucket: &BucketName, stop: Stop) -> Place {
        let place = Place::new(Owner::Group(group), Part::Budget(bucket.clone(), stop.metric));
        let rest = Rest {
            until: stop.until,
            since: self.now,
            fault: stop.fault(),
            reason: stop.reason().into(),
            may_be_providers: false,
            level: 0,
            next_level: 0,
            first_lease_after: 0,
            over: false,
        };
        self.roster.put_rest(&place, rest, self.now);
        place
    }
}

/// The name of the row that says what was used.
pub(super) fn spent_row_name(group: &GroupId, bucket: &BucketName) -> String {
    format!("{group} {bucket}")
}

pub(super) fn reservation(held: &Held, lease: u64) -> Reservation {
    Reservation { lease, spend: held.reserved, at: held.granted, expires: held.expires }
}
