//! A provider as the plan has it: it counts in its own way (minutes of the clock, days and months of its
//! calendar) and refuses what is beyond what it grants.
//!
//! It shares nothing with the pool's budgets but the limits, so that the number of 429s is a finding.

use std::time::Duration;

use jiff::Timestamp;
use keygate_domain::{Allowance, Failure, Fault, Hint, Metric, Moment, Reset, Scope};

use crate::calendar::Periods;

/// How a limit is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// By the minute of the clock.
    Minute,
    /// By the day of the provider's calendar.
    Day,
    /// By the month of the provider's calendar.
    Month,
    /// What runs at the same time.
    Running,
    /// The time between two beginnings.
    Interval,
}

impl Kind {
    pub(crate) fn of(metric: Metric) -> Self {
        match metric {
            Metric::RequestsPerDay | Metric::TokensPerDay => Self::Day,
            Metric::TokensPerMonth => Self::Month,
            Metric::Concurrent => Self::Running,
            Metric::MinInterval => Self::Interval,
            // What no allowance limits is not metered at all.
            Metric::RequestsPerMinute
            | Metric::InputTokensPerMinute
            | Metric::Unnamed
            | Metric::Spend
            | Metric::Tier
            | Metric::Storage => Self::Minute,
        }
    }
}

/// What is counted of one limit of one group and bucket.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    pub(crate) metric: Metric,
    kind: Kind,
    /// Milliseconds for an interval.
    pub(crate) limit: u64,
    used: u64,
    /// The minute, day or month that `used` is of.
    period: i64,
    /// The most that was used at a time.
    pub(crate) peak: u64,
    /// All that was ever used; of what runs at the same time, multiplied by its milliseconds.
    pub(crate) total: u64,
    /// When the count of what runs changed last, or the last request began.
    last: Option<Duration>,
}

/// What a request draws on, kept until it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admitted {
    place: usize,
    day: i64,
    month: i64,
}

/// A limit that a request would break.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Violation {
    metric: Metric,
    limit: u64,
    retry_after: Option<Duration>,
    resets: Option<Reset>,
}

#[derive(Clone, Debug)]
pub(crate) struct Provider {
    day: Reset,
    month: Reset,
    days: Periods,
    months: Periods,
    /// How many buckets each group has.
    buckets: usize,
    /// By group, then by bucket.
    meters: Vec<Vec<Meter>>,
}

impl Provider {
    /// A provider that grants each group and bucket, group by group, so much.
    pub(crate) fn new(grants: &[Vec<Allowance>], day: Reset, month: Reset, starts: Timestamp) -> Self {
        let meters = grants.iter().flatten().map(|grant| {
            let limited = Allowance::METRICS.into_iter();
            limited.filter_map(|metric| Some(Meter::new(metric, grant.limit(metric)?))).collect()
        });
        Self {
            day,
            month,
            days: Periods::new(day, starts),
            months: Periods::new(month, starts),
            buckets: grants.first().map_or(1, Vec::len).max(1),
            meters: meters.collect(),
        }
    }

    /// Takes a request, or says what it would break. A refused one counts for nothing.
    pub(crate) fn admit(
        &mut self,
        group: usize,
        bucket: usize,
        input_tokens: u64,
        now: Moment,
    ) -> Result<Admitted, Violation> {
        let place = group * self.buckets + bucket;
        let (day, month) = (self.days.number_at(now.wall), self.months.number_at(now.wall));
        for meter in &mut self.meters[place] {
            meter.enter(period_of(meter.kind, now.wall, day, month));
            if !meter.has_room_for(meter.amount(input_tokens), now) {
                let (metric, limit) = (meter.metric, meter.limit);
                return Err(self.violation(metric, limit, now.wall));
            }
        }
        for meter in &mut self.meters[place] {
            meter.take(meter.amount(input_tokens), now.mono);
        }
        Ok(Admitted { place, day, month })
    }

    /// A request ended with so many tokens of an answer. They count when it was asked for.
    pub(crate) fn answered(&mut self, admitted: Admitted, output_tokens: u64) {
        for meter in &mut self.meters[admitted.place] {
            let period = match (meter.kind, meter.counts_tokens()) {
                (Kind::Day, true) => admitted.day,
                (Kind::Month, true) => admitted.month,
                (Kind::Minute | Kind::Day | Kind::Month | Kind::Running | Kind::Interval, _) => continue,
            };
            if meter.period == period {
                meter.used += output_tokens;
                meter.peak = meter.peak.max(meter.used);
            }
            meter.total += output_tokens;
        }
    }

    /// What ran at the same time does not run any more.
    pub(crate) fn ended(&mut self, admitted: Admitted, now: Duration) {
        for meter in &mut self.meters[admitted.place] {
            if meter.kind == Kind::Running {
                meter.weigh(now);
                meter.used = meter.used.saturating_sub(1);
            }
        }
    }

    /// The counters of a group's bucket.
    pub(crate) fn meters(&self, group: usize, bucket: usize) -> &[Meter] {
        &self.meters[group * self.buckets + bucket]
    }

    fn violation(&self, metric: Metric, limit: u64, wall: Timestamp) -> Violation {
        let to_next_minute = Duration::from_secs(60 - wall.as_second().rem_euclid(60).unsigned_abs());
        let (retry_after, resets) = match Kind::of(metric) {
            Kind::Minute => (Some(to_next_minute + Duration::from_secs(1)), None),
            Kind::Day => (None, Some(self.day)),
            Kind::Month => (None, Some(self.month)),
            Kind::Running => (None, None),
            Kind::Interval => (Some(Duration::from_millis(limit)), None),
        };
        Violation { metric, limit, retry_after, resets }
    }
}

impl Meter {
    fn new(metric: Metric, limit: u64) -> Self {
        Self {
            metric,
            kind: Kind::of(metric),
            limit,
            used: 0,
            period: i64::MIN,
            peak: 0,
            total: 0,
            last: None,
        }
    }

    fn counts_tokens(&self) -> bool {
        matches!(self.metric, Metric::InputTokensPerMinute | Metric::TokensPerDay | Metric::TokensPerMonth)
    }

    /// What a request draws before it is answered.
    fn amount(&self, input_tokens: u64) -> u64 {
        if self.counts_tokens() { input_tokens } else { 1 }
    }

    fn enter(&mut self, period: i64) {
        if self.period != period {
            (self.period, self.used) = (period, 0);
        }
    }

    /// What alone is more than the limit is let in when nothing else counts, as the pool does: a plan is
    /// about quotas, not about single requests that no quota fits.
    fn has_room_for(&self, amount: u64, now: Moment) -> bool {
        if self.kind == Kind::Interval {
            let due = self.last.map(|last| last + Duration::from_millis(self.limit));
            return due.is_none_or(|due| due <= now.mono);
        }
        self.used == 0 || self.used + amount <= self.limit
    }

    fn take(&mut self, amount: u64, now: Duration) {
        match self.kind {
            Kind::Interval => {
                self.last = Some(now);
                return;
            }
            Kind::Running => self.weigh(now),
            Kind::Minute | Kind::Day | Kind::Month => self.total += amount,
        }
        self.used += amount;
        self.peak = self.peak.max(self.used);
    }

    /// Adds up what ran since the count changed last.
    fn weigh(&mut self, now: Duration) {
        let ran = self.last.map_or(Duration::ZERO, |last| now.saturating_sub(last));
        self.total += self.used * ran.as_millis() as u64;
        self.last = Some(now);
    }
}

impl Violation {
    /// What an adapter makes of the answer.
    pub(crate) fn failure(&self, opens_session: bool) -> Failure {
        let (fault, scope) = match Kind::of(self.metric) {
            Kind::Day | Kind::Month => (Fault::QuotaExhausted, Scope::GroupBucket),
            Kind::Running if opens_session => (Fault::Busy, Scope::GroupSessions),
            Kind::Running => (Fault::Busy, Scope::GroupBucket),
            Kind::Minute | Kind::Interval => (Fault::RateLimited, Scope::GroupBucket),
        };
        let hint = Hint {
            retry_after: self.retry_after,
            resets: self.resets,
            metric: self.metric,
            // An interval is nothing that a provider states.
            limit: (self.metric != Metric::MinInterval).then_some(self.limit),
            reason: "beyond what the provider grants",
            ..Hint::default()
        };
        Failure::of(fault).at(scope).hinting(hint)
    }
}

fn period_of(kind: Kind, wall: Timestamp, day: i64, month: i64) -> i64 {
    match kind {
        Kind::Minute => wall.as_second().div_euclid(60),
        Kind::Day => day,
        Kind::Month => month,
        Kind::Running | Kind::Interval => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Reset = Reset::Midnight("UTC");
    const MONTH: Reset = Reset::MonthEnd("UTC");

    fn at(seconds: u64) -> Moment {
        let start = Moment { mono: Duration::ZERO, wall: "2026-07-01T12:00:00Z".parse().unwrap() };
        start.after(Duration::from_secs(seconds))
    }

    fn granting(grant: Allowance) -> Provider {
        Provider::new(&[vec![grant]], DAY, MONTH, at(0).wall)
    }

    #[test]
    fn minutes_are_those_of_the_clock() {
        let grant = Allowance { requests_per_minute: Some(2), ..Allowance::default() };
        let mut provider = granting(grant);
        let served = |provider: &mut Provider, second| provider.admit(0, 0, 9, at(second)).is_ok();
        assert!(served(&mut provider, 58) && served(&mut provider, 59));
        assert!(!served(&mut provider, 59));
        assert!(served(&mut provider, 60), "a double burst at the edge of its minute is its own business");
        let refused = provider.admit(0, 0, 9, at(61)).and_then(|_| provider.admit(0, 0, 9, at(61)));
        assert_eq!(refused.unwrap_err().retry_after, Some(Duration::from_mins(1)));
        assert_eq!((provider.meters(0, 0)[0].peak, provider.meters(0, 0)[0].total), (2, 4));
    }

    #[test]
    fn tokens_of_an_answer_count_on_the_day_they_were_asked_for() {
        let grant = Allowance { tokens_per_day: Some(100), ..Allowance::default() };
        let mut provider = granting(grant);
        let late = provider.admit(0, 0, 60, at(12 * 3600 - 1)).unwrap();
        assert!(provider.admit(0, 0, 60, at(12 * 3600)).is_ok());
        provider.answered(late, 500);
        assert!(provider.admit(0, 0, 40, at(12 * 3600 + 1)).is_ok());
        let violation = provider.admit(0, 0, 1, at(12 * 3600 + 2)).unwrap_err();
        assert_eq!(violation.failure(false).hint.resets, Some(DAY));
    }

    #[test]
    fn what_runs_and_what_follows_too_soon() {
        let grant = Allowance { concurrent: Some(1), ..Allowance::default() };
        let mut provider = granting(grant);
        let first = provider.admit(0, 0, 1, at(0)).unwrap();
        assert_eq!(provider.admit(0, 0, 1, at(1)).unwrap_err().failure(true).scope, Scope::GroupSessions);
        provider.ended(first, at(5).mono);
        assert!(provider.admit(0, 0, 1, at(5)).is_ok());
        assert_eq!(provider.meters(0, 0)[0].total, 5_000);
        let mut spaced =
            granting(Allowance { min_interval: Some(Duration::from_secs(2)), ..Allowance::default() });
        assert!(spaced.admit(0, 0, 1, at(0)).is_ok() && spaced.admit(0, 0, 1, at(1)).is_err());
        assert!(spaced.admit(0, 0, 1, at(2)).is_ok());
    }
}
