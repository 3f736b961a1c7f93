//! All budgets of one group and bucket.

use std::sync::Arc;

use keygate_domain::{Allowance, Metric, Moment, Spend};

use super::counter::Counter;
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

/// A session that goes on after its lease.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct BegunSession {
    /// Its name at the provider, if the answer told one.
    pub(crate) name: Option<Arc<str>>,
    /// Until when it counts, if nobody tells its end before.
    pub(crate) ends: Moment,
}

/// How much fits at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Room {
    pub(crate) requests: u64,
    /// Tokens sent; how many will be received is another question.
    pub(crate) tokens: u64,
}

impl Room {
    /// False if this much certainly does not fit.
    pub(crate) fn may_fit(&self, spend: &Spend) -> bool {
        u64::from(spend.requests) <= self.requests && spend.input_tokens <= self.tokens
    }
}

/// What a group used of a bucket, limit by limit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Meter {
    pub(super) limits: Vec<Limited>,
    /// What is counted without a limit: one that is stated later, or that comes with another group,
    /// finds what was used before.
    free: Vec<(Metric, Counter)>,
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
        let mut meter = Self { limits: Vec::new(), free: Vec::new(), stop: None };
        meter.allow(allowance, budgets, now);
        meter
    }

    /// Other limits hold from now on; what was used stays counted.
    pub(crate) fn allow(&mut self, allowance: &Allowance, budgets: &Budgets, now: Moment) {
        let limits = std::mem::take(&mut self.limits).into_iter();
        let mut known: Vec<(Metric, Counter)> = limits.map(|one| (one.metric, one.counter)).collect();
        known.append(&mut self.free);
        for metric in Allowance::METRICS {
            let at = known.iter().position(|(of, _)| *of == metric);
            let mut counter =
                || at.map_or_else(|| Counter::new(metric, budgets, now), |at| known.swap_remove(at).1);
            match allowance.limit(metric) {
                Some(limit) => self.limits.push(Limited { metric, limit, counter: counter() }),
                None if is_counted_anyway(metric) => self.free.push((metric, counter())),
                None => {}
            }
        }
    }

    /// Whether anything is limited.
    pub(crate) fn is_limited(&self) -> bool {
        !self.limits.is_empty()
    }

    /// What another meter counted was used of this one too: their groups are one.
    pub(crate) fn absorb(&mut self, other: Self) {
        let Self { limits, free, stop: _ } = other;
        for one in limits {
            match self.counter_mut(one.metric) {
                Some(counter) => counter.absorb(one.counter),
                None => self.limits.push(one),
            }
        }
        for (metric, counter) in free {
            match self.counter_mut(metric) {
                Some(known) => known.absorb(counter),
                None => self.free.push((metric, counter)),
            }
        }
    }

    fn counter_mut(&mut self, metric: Metric) -> Option<&mut Counter> {
        self.counters_mut().find(|(of, _)| *of == metric).map(|(_, counter)| counter)
    }

    fn counters_mut(&mut self) -> impl Iterator<Item = (Metric, &mut Counter)> {
        let limited = self.limits.iter_mut().map(|one| (one.metric, &mut one.counter));
        limited.chain(self.free.iter_mut().map(|(metric, counter)| (*metric, counter)))
    }

    /// A lease that runs, whether it was counted as running or not: there was no such limit then.
    pub(crate) fn is_running(&mut self, lease: u64, expires: Moment) {
        if let Some(Counter::Running(running)) = self.counter_mut(Metric::Concurrent) {
            running.leases.insert(lease, expires);
        }
    }

    /// Whether a lease was counted as running; it is not from here on.
    pub(crate) fn runs_no_more(&mut self, lease: u64) -> bool {
        match self.counter_mut(Metric::Concurrent) {
            Some(Counter::Running(running)) => running.leases.remove(&lease).is_some(),
            Some(_) | None => false,
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
        for (metric, counter) in self.counters_mut() {
            counter.reserve(reservation.spend.amount(metric), lease, reservation.at, budgets.margin);
        }
    }

    /// Counts what was used at `at`, of what is counted over a time.
    pub(crate) fn count(&mut self, used: &Spend, at: Moment, budgets: &Budgets) {
        for (metric, counter) in self.counters_mut() {
            if matches!(counter, Counter::Minute(_) | Counter::Calendar(_)) {
                counter.reserve(used.amount(metric), (0, at), at, budgets.margin);
            }
        }
    }

    /// Counts a reservation as one without tokens: they are counted as they are used.
    pub(crate) fn release_tokens(&mut self, reservation: &Reservation, budgets: &Budgets) {
        let rest = Spend { requests: reservation.spend.requests, ..Spend::default() };
        for (metric, counter) in self.counters_mut() {
            let (was, is) = (reservation.spend.amount(metric), rest.amount(metric));
            counter.correct(reservation.at, was, is, budgets.margin);
        }
    }

    /// The lease ended; `actual` was used. A session that began goes on.
    pub(crate) fn settle(
        &mut self,
        reservation: &Reservation,
        actual: &Spend,
        session: Option<&BegunSession>,
        budgets: &Budgets,
    ) {
        for (metric, counter) in self.counters_mut() {
            if let Counter::Running(running) = counter {
                let ran = running.leases.remove(&reservation.lease).is_some();
                if let Some(session) = session.filter(|_| ran) {
                    running.sessions.open(session.name.clone(), session.ends);
                }
                continue;
            }
            let (was, is) = (reservation.spend.amount(metric), actual.amount(metric));
            counter.correct(reservation.at, was, is, budgets.margin);
        }
    }

    /// A session ended. Whether it was counted here, and for the first time; `None` where sessions are not
    /// counted.
    pub(crate) fn session_ended(&mut self, name: &str) -> Option<bool> {
        match self.counter_mut(Metric::Concurrent) {
            Some(Counter::Running(running)) => Some(running.sessions.end(name)),
            Some(_) | None => None,
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

    /// How much fits at most, until [`Meter::next_slide`].
    pub(crate) fn room(&self, budgets: &Budgets, now: Moment) -> Room {
        let mut room = Room { requests: u64::MAX, tokens: u64::MAX };
        for one in &self.limits {
            let place = match one.metric {
                Metric::RequestsPerMinute | Metric::RequestsPerDay => &mut room.requests,
                Metric::InputTokensPerMinute | Metric::TokensPerDay | Metric::TokensPerMonth => {
                    &mut room.tokens
                }
                Metric::Concurrent
                | Metric::MinInterval
                | Metric::Unnamed
                | Metric::Spend
                | Metric::Tier
                | Metric::Storage => continue,
            };
            let used = one.counter.used(now, budgets.margin);
            // What is larger than the limit fits where nothing else counts.
            *place = (*place).min(if used == 0 { u64::MAX } else { one.limit.saturating_sub(used) });
        }
        room
    }

    /// When something leaves a window without a word, or a period ends.
    pub(crate) fn next_slide(&self, budgets: &Budgets, now: Moment) -> Option<Moment> {
        self.limits.iter().filter_map(|one| one.counter.next_slide(now, budgets.margin)).min()
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

/// What providers count over a time. What runs, and when the last one started, nobody need know of
/// before it is limited.
fn is_counted_anyway(metric: Metric) -> bool {
    match metric {
        Metric::RequestsPerMinute
        | Metric::RequestsPerDay
        | Metric::InputTokensPerMinute
        | Metric::TokensPerDay
        | Metric::TokensPerMonth => true,
        Metric::Concurrent
        | Metric::MinInterval
        | Metric::Unnamed
        | Metric::Spend
        | Metric::Tier
        | Metric::Storage => false,
    }
}
