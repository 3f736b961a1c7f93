//! All budgets of one group and bucket.

use keygate_domain::{Allowance, Metric, Moment, Spend};

use super::counter::{Counter, Running};
use super::{Budgets, Stop};
use crate::BudgetUse;

/// The smallest request: who cannot afford this is out until it can.
const SMALLEST: Spend = Spend { requests: 1, input_tokens: 1, output_tokens: 0 };

/// What a lease was counted as, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reservation {
    pub(crate) lease: u64,
    pub(crate) spend: Spend,
    pub(crate) at: Moment,
    pub(crate) expires: Moment,
}

/// What a group used of a bucket, limit by limit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Meter {
    pub(super) limits: Vec<Limited>,
    /// What it is stopped by, as the lanes know it.
    pub(crate) stop: Option<Stop>,
}

/// One limit and its counter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Limited {
    pub(super) metric: Metric,
    pub(super) limit: u64,
    pub(super) counter: Counter,
}

impl Limited {
    fn as_used(&self, budgets: &Budgets, now: Moment) -> BudgetUse {
        let (metric, limit, margin) = (self.metric, self.limit, budgets.margin);
        if let Counter::Interval { .. } = self.counter {
            // One request uses it up until the interval is over.
            let free = self.counter.free_from(1, limit, now, margin);
            let is_used = free > now;
            let resets_at = is_used.then_some(free);
            return BudgetUse { metric, used: u64::from(is_used), limit, resets_at, runs_out_at: None };
        }
        BudgetUse {
            metric,
            used: self.counter.used(now, margin),
            limit,
            resets_at: self.counter.resets_at(now, margin),
            runs_out_at: self.counter.runs_out_at(limit, now, margin),
        }
    }
}

impl Meter {
    pub(crate) fn new(allowance: &Allowance, budgets: &Budgets, now: Moment) -> Self {
        let mut meter = Self { limits: Vec::new(), stop: None };
        meter.allow(allowance, budgets, now);
        meter
    }

    /// Other limits hold from now on; what was used stays counted.
    pub(crate) fn allow(&mut self, allowance: &Allowance, budgets: &Budgets, now: Moment) {
        let before = std::mem::take(&mut self.limits);
        let limited = |metric: Metric| {
            let limit = allowance.limit(metric)?;
            let known = before.iter().find(|limited| limited.metric == metric);
            let counter =
                known.map_or_else(|| Counter::new(metric, budgets, now), |known| known.counter.clone());
            Some(Limited { metric, limit, counter })
        };
        self.limits = Allowance::METRICS.into_iter().filter_map(limited).collect();
    }

    /// What another meter counted was used of this one too: their groups are one.
    pub(crate) fn absorb(&mut self, other: Self) {
        let Self { limits, stop: _ } = other;
        for one in limits {
            match self.limits.iter_mut().find(|known| known.metric == one.metric) {
                Some(known) => known.counter.absorb(one.counter),
                None => self.limits.push(one),
            }
        }
    }

    /// What stands in the way of `spend` longest, if anything does.
    pub(crate) fn stop_for(&self, spend: &Spend, budgets: &Budgets, now: Moment) -> Option<Stop> {
        let stops = self.limits.iter().filter_map(|one| {
            let until = one.counter.free_from(spend.amount(one.metric), one.limit, now, budgets.margin);
            (until > now).then_some(Stop { metric: one.metric, until })
        });
        stops.max_by_key(|stop| stop.until)
    }

    /// What stands in the way of the smallest request.
    pub(crate) fn stop_for_any(&self, budgets: &Budgets, now: Moment) -> Option<Stop> {
        self.stop_for(&SMALLEST, budgets, now)
    }

    pub(crate) fn reserve(&mut self, reservation: &Reservation, budgets: &Budgets) {
        let lease = (reservation.lease, reservation.expires);
        for one in &mut self.limits {
            let amount = reservation.spend.amount(one.metric);
            one.counter.reserve(amount, lease, reservation.at, budgets.margin);
        }
    }

    /// The lease ended; `actual` was used. A session that began goes on until `session_ends`.
    pub(crate) fn settle(
        &mut self,
        reservation: &Reservation,
        actual: &Spend,
        session_ends: Option<Moment>,
        budgets: &Budgets,
    ) {
        for one in &mut self.limits {
            if let Counter::Running(running) = &mut one.counter {
                let ran = running.leases.remove(&reservation.lease).is_some();
                running.sessions.extend(session_ends.filter(|_| ran));
                continue;
            }
            let (was, is) = (reservation.spend.amount(one.metric), actual.amount(one.metric));
            one.counter.correct(reservation.at, was, is, budgets.margin);
        }
    }

    /// A session ended, nobody knows which: the one thought to end first.
    pub(crate) fn session_ended(&mut self) {
        for one in &mut self.limits {
            if let Counter::Running(Running { sessions, .. }) = &mut one.counter {
                sessions.pop_front();
            }
        }
    }

    /// The share of the scarcest budget that is left, in millionths.
    pub(crate) fn headroom(&self, budgets: &Budgets, now: Moment) -> u32 {
        const ALL: u64 = 1_000_000;
        let left = self.limits.iter().filter(|one| one.metric != Metric::MinInterval).map(|one| {
            let used = one.counter.used(now, budgets.margin).min(one.limit);
            u128::from(one.limit - used) * u128::from(ALL) / u128::from(one.limit.max(1))
        });
        left.min().map_or(ALL as u32, |left| left as u32)
    }

    /// Every budget, for status.
    pub(crate) fn uses<'a>(
        &'a self,
        budgets: &'a Budgets,
        now: Moment,
    ) -> impl Iterator<Item = BudgetUse> + 'a {
        self.limits.iter().map(move |one| one.as_used(budgets, now))
    }
}
