//! All budgets of one group and bucket.

use std::sync::Arc;
use std::time::Duration;

use keygate_domain::{Allowance, Metric, Moment, Spend};

use super::running::Running;
use super::tally::Tally;
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

/// What a group used of a bucket, and how much it may.
///
/// A lease looks at this and at little else of a group, and with thousands of groups each look is one at
/// memory that is in no cache: so it is as small as it can be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Meter {
    pub(super) tally: Tally,
    /// The limit of each of [`Allowance::METRICS`].
    limits: [u64; Allowance::METRICS.len()],
    /// What runs at the same time, while that is limited: nobody need know of it before.
    pub(super) running: Option<Box<Running>>,
    /// When the last request was sent, while the interval is limited.
    pub(super) last_sent: Option<Moment>,
    /// What it is stopped by, as the lanes know it.
    pub(crate) stop: Option<Box<Stop>>,
    /// Whether it is among those that storage is to be given.
    pub(crate) is_unsaved: bool,
}

/// In the place of a limit where there is none: more than anybody can use.
const UNLIMITED: u64 = u64::MAX;
/// Where [`Allowance::METRICS`] has the interval.
const INTERVAL: usize = 6;
const _: () = assert!(matches!(Allowance::METRICS[INTERVAL], Metric::MinInterval));

impl Meter {
    pub(crate) fn new(allowance: &Allowance, budgets: &Budgets, now: Moment) -> Self {
        let mut meter = Self {
            tally: Tally::new(budgets, now),
            limits: [UNLIMITED; Allowance::METRICS.len()],
            running: None,
            last_sent: None,
            stop: None,
            is_unsaved: false,
        };
        meter.allow(allowance, budgets);
        meter
    }

    /// Reads a little of everything that counting looks at.
    pub(crate) fn fetch(&self) -> impl Sized {
        (self.tally.fetch(), self.is_unsaved)
    }

    /// Other limits hold from now on; what was used stays counted.
    pub(crate) fn allow(&mut self, allowance: &Allowance, budgets: &Budgets) {
        self.limits = Allowance::METRICS.map(|metric| allowance.limit(metric).unwrap_or(UNLIMITED));
        match allowance.concurrent {
            Some(_) => drop(self.running.get_or_insert_default()),
            None => self.running = None,
        }
        if allowance.min_interval.is_none() {
            self.last_sent = None;
        }
        self.tally.plan(budgets.margin);
    }

    /// Whether anything is limited.
    pub(crate) fn is_limited(&self) -> bool {
        self.limits.iter().any(|limit| *limit != UNLIMITED)
    }

    /// The same in another place: what was noted of it where it was is not so there.
    pub(crate) fn moved(self) -> Self {
        Self { stop: None, is_unsaved: false, ..self }
    }

    /// What another meter counted was used of this one too: their groups are one. Whose limits hold is told
    /// by [`Meter::allow`].
    pub(crate) fn absorb(&mut self, other: Self, budgets: &Budgets) {
        let Self { tally, limits: _, running, last_sent, stop: _, is_unsaved: _ } = other;
        self.tally.absorb(tally, budgets.margin);
        match (&mut self.running, running) {
            (Some(known), Some(other)) => known.absorb(*other),
            (known @ None, other) => *known = other,
            (Some(_), None) => {}
        }
        self.last_sent = self.last_sent.max(last_sent);
    }

    /// Each limit that there is.
    pub(super) fn limits(&self) -> impl Iterator<Item = (Metric, u64)> + '_ {
        let limits = Allowance::METRICS.into_iter().zip(self.limits);
        limits.filter(|(_, limit)| *limit != UNLIMITED)
    }

    /// A lease that runs, whether it was counted as running or not: there was no such limit then.
    pub(crate) fn is_running(&mut self, lease: u64, expires: Moment) {
        if let Some(running) = &mut self.running {
            running.leases.insert(lease, expires);
        }
    }

    /// Whether a lease was counted as running; it is not from here on.
    pub(crate) fn runs_no_more(&mut self, lease: u64) -> bool {
        self.running.as_mut().is_some_and(|running| running.leases.remove(&lease).is_some())
    }

    /// What stands in the way of `spend` longest, if anything does.
    pub(crate) fn stop_for(&self, spend: &Spend, budgets: &Budgets, now: Moment) -> Option<Stop> {
        if self.has_room_at_a_glance(spend) {
            return None;
        }
        let stops = self.limits().filter_map(|(metric, limit)| {
            let until = self.free_from(metric, spend.amount(metric), limit, budgets, now);
            (until > now).then_some(Stop { metric, until })
        });
        stops.max_by_key(|stop| stop.until)
    }

    /// What stands in the way of the smallest request.
    pub(crate) fn stop_for_any(&self, budgets: &Budgets, now: Moment) -> Option<Stop> {
        self.stop_for(&SMALLEST, budgets, now)
    }

    /// Whether there is room even if all counts that is remembered, as there nearly always is.
    fn has_room_at_a_glance(&self, spend: &Spend) -> bool {
        let [per_minute, per_day, sent_per_minute, tokens_per_day, tokens_per_month, concurrent, interval] =
            self.limits;
        let used = self.tally.at_most();
        let requests = u64::from(spend.requests);
        let tokens = spend.input_tokens.saturating_add(spend.output_tokens);
        let fits = |used: u64, more: u64, limit: u64| used.saturating_add(more) <= limit;
        concurrent == UNLIMITED
            && interval == UNLIMITED
            && fits(used.minute.requests, requests, per_minute)
            && fits(used.minute.tokens, spend.input_tokens, sent_per_minute)
            && fits(used.day.requests, requests, per_day)
            && fits(used.day.tokens, tokens, tokens_per_day)
            && fits(used.month.tokens, tokens, tokens_per_month)
    }

    /// From when on `amount` more stays within `limit`.
    fn free_from(&self, metric: Metric, amount: u64, limit: u64, budgets: &Budgets, now: Moment) -> Moment {
        if amount == 0 {
            return now;
        }
        let counted = self.tally.free_from(metric, (amount, limit), now, budgets.margin);
        match (counted, &self.running, self.last_sent) {
            (Some(free), _, _) => free,
            (None, Some(running), _) if metric == Metric::Concurrent => running.free_from(limit, now),
            (None, _, Some(last)) if metric == Metric::MinInterval => {
                last.after(Duration::from_millis(limit)).max(now)
            }
            (None, _, _) => now,
        }
    }

    pub(crate) fn reserve(&mut self, reservation: &Reservation, budgets: &Budgets) {
        let Reservation { lease, spend, at, expires } = reservation;
        self.tally.add(spend, *at, budgets.margin);
        if spend.requests == 0 {
            return;
        }
        if let Some(running) = &mut self.running {
            running.sessions.forget_old(*at);
            running.leases.insert(*lease, *expires);
        }
        if self.limits[INTERVAL] != UNLIMITED {
            self.last_sent = Some(*at);
        }
    }

    /// Counts what was used at `at`, of what is counted over a time.
    pub(crate) fn count(&mut self, used: &Spend, at: Moment, budgets: &Budgets) {
        self.tally.add(used, at, budgets.margin);
    }

    /// Counts a reservation as one without tokens: they are counted as they are used.
    pub(crate) fn release_tokens(&mut self, reservation: &Reservation, budgets: &Budgets) {
        let rest = Spend { requests: reservation.spend.requests, ..Spend::default() };
        self.tally.correct(reservation.at, &reservation.spend, &rest, budgets.margin);
    }

    /// The lease ended; `actual` was used. A session that began goes on.
    pub(crate) fn settle(
        &mut self,
        reservation: &Reservation,
        actual: &Spend,
        session: Option<&BegunSession>,
        budgets: &Budgets,
    ) {
        let Reservation { lease, spend, at, expires: _ } = reservation;
        self.tally.correct(*at, spend, actual, budgets.margin);
        if let Some(running) = &mut self.running
            && running.leases.remove(lease).is_some()
            && let Some(session) = session
        {
            running.sessions.open(session.name.clone(), session.ends);
        }
        // What was not sent after all begins no interval.
        if spend.requests > 0 && actual.requests == 0 && self.last_sent == Some(*at) {
            self.last_sent = None;
        }
    }

    /// A session ended. Whether it was counted here, and for the first time; `None` where sessions are not
    /// counted.
    pub(crate) fn session_ended(&mut self, name: &str) -> Option<bool> {
        self.running.as_mut().map(|running| running.sessions.end(name))
    }

    /// The share of the scarcest budget that is left, in millionths.
    pub(crate) fn headroom(&self, budgets: &Budgets, now: Moment) -> u32 {
        const ALL: u64 = 1_000_000;
        let left =
            self.limits().filter(|(metric, _)| *metric != Metric::MinInterval).map(|(metric, limit)| {
                let used = self.used(metric, budgets, now).min(limit);
                let (left, limit) = (limit - used, limit.max(1));
                match left.checked_mul(ALL) {
                    Some(left) => left / limit,
                    None => left / (limit / ALL),
                }
            });
        left.min().map_or(ALL as u32, |left| left as u32)
    }

    fn used(&self, metric: Metric, budgets: &Budgets, now: Moment) -> u64 {
        let counted = self.tally.used(metric, now, budgets.margin);
        counted.unwrap_or_else(|| match &self.running {
            Some(running) if metric == Metric::Concurrent => running.used(now),
            Some(_) | None => u64::from(metric == Metric::MinInterval && self.last_sent.is_some()),
        })
    }

    /// How much fits at most, until [`Meter::next_slide`].
    pub(crate) fn room(&self, budgets: &Budgets, now: Moment) -> Room {
        let mut room = Room { requests: u64::MAX, tokens: u64::MAX };
        for (metric, limit) in self.limits() {
            let place = match metric {
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
            let used = self.used(metric, budgets, now);
            // What is larger than the limit fits where nothing else counts.
            *place = (*place).min(if used == 0 { u64::MAX } else { limit.saturating_sub(used) });
        }
        room
    }

    /// When something leaves a window without a word, or a period ends.
    pub(crate) fn next_slide(&self, budgets: &Budgets, now: Moment) -> Option<Moment> {
        let of_running = self.running.as_ref().and_then(|running| running.sessions.running(now).min());
        let slides =
            self.limits().filter_map(|(metric, _)| self.tally.next_slide(metric, now, budgets.margin));
        slides.chain(of_running).min()
    }

    /// Every budget, for status.
    pub(crate) fn uses<'a>(
        &'a self,
        budgets: &'a Budgets,
        now: Moment,
    ) -> impl Iterator<Item = BudgetUse> + 'a {
        self.limits().map(move |(metric, limit)| self.as_used(metric, limit, budgets, now))
    }

    fn as_used(&self, metric: Metric, limit: u64, budgets: &Budgets, now: Moment) -> BudgetUse {
        if metric == Metric::MinInterval {
            // One request uses it up until the interval is over.
            let free = self.free_from(metric, 1, limit, budgets, now);
            let is_used = free > now;
            let resets_at = is_used.then_some(free);
            return BudgetUse { metric, used: u64::from(is_used), limit, resets_at, runs_out_at: None };
        }
        BudgetUse {
            metric,
            used: self.used(metric, budgets, now),
            limit,
            resets_at: self.tally.resets_at(metric, now, budgets.margin),
            runs_out_at: self.tally.runs_out_at(metric, limit, now, budgets.margin),
        }
    }
}
