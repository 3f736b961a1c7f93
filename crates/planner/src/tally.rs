//! Counting what becomes of requests.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use keygate_domain::{GroupId, Metric};
use keygate_limits::TurnedAwayWhy;

use crate::waits::Waits;
use crate::{Binding, Hour, TimedBinding, UserRefusals};

/// How a request ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    Served,
    RefusedByPool,
    RefusedByProvider,
    HungUp,
    TimedOut,
}

/// A budget in the way: group and bucket by position, and what of it.
pub(crate) type Stop = (usize, usize, Metric);

#[derive(Clone, Copy, Debug, Default)]
struct Stopped {
    refused: u64,
    delayed: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Tally {
    zone: TimeZone,
    pub(crate) requests: u64,
    pub(crate) served: u64,
    pub(crate) refused_by_user: UserRefusals,
    pub(crate) refused_by_pool: u64,
    pub(crate) refused_by_provider: u64,
    pub(crate) hung_up: u64,
    pub(crate) timed_out: u64,
    pub(crate) provider_429s: u64,
    pub(crate) waits: Waits,
    first: Option<(Timestamp, Stop)>,
    stops: BTreeMap<Stop, Stopped>,
    hours: [Hour; 24],
    /// The hour of the day, and until when it stays.
    hour: usize,
    hour_until: Timestamp,
    /// Refused requests by day since the beginning, then all requests.
    days: Vec<(u64, u64)>,
}

/// Most budgets in the way that are told.
const MOST_TOLD: usize = 16;

impl Tally {
    pub(crate) fn new(zone: TimeZone) -> Self {
        let hours = std::array::from_fn(|hour| Hour {
            hour: hour as u8,
            requests: 0,
            refused_by_user: 0,
            refused: 0,
        });
        Self {
            zone,
            requests: 0,
            served: 0,
            refused_by_user: UserRefusals::default(),
            refused_by_pool: 0,
            refused_by_provider: 0,
            hung_up: 0,
            timed_out: 0,
            provider_429s: 0,
            waits: Waits::default(),
            first: None,
            stops: BTreeMap::new(),
            hours,
            hour: 0,
            hour_until: Timestamp::MIN,
            days: Vec::new(),
        }
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused_by_pool + self.refused_by_provider + self.hung_up
    }

    pub(crate) fn came(&mut self, at: Duration, wall: Timestamp) {
        self.requests += 1;
        self.look_at_clock(wall);
        self.hours[self.hour].requests += 1;
        self.day(at).1 += 1;
    }

    pub(crate) fn turned_away(&mut self, why: TurnedAwayWhy) {
        let counts = &mut self.refused_by_user;
        counts.total += 1;
        match why {
            TurnedAwayWhy::Window | TurnedAwayWhy::TooLarge | TurnedAwayWhy::Peer => counts.per_minute += 1,
            TurnedAwayWhy::Burst => counts.burst += 1,
            TurnedAwayWhy::Concurrent => counts.concurrent += 1,
            TurnedAwayWhy::Full => counts.users += 1,
        }
        self.hours[self.hour].refused_by_user += 1;
    }

    pub(crate) fn ended(&mut self, end: End, at: Duration, wall: Timestamp) {
        let count = match end {
            End::Served => &mut self.served,
            End::RefusedByPool => &mut self.refused_by_pool,
            End::RefusedByProvider => &mut self.refused_by_provider,
            End::HungUp => &mut self.hung_up,
            End::TimedOut => &mut self.timed_out,
        };
        *count += 1;
        if matches!(end, End::RefusedByPool | End::RefusedByProvider | End::HungUp) {
            self.look_at_clock(wall);
            self.hours[self.hour].refused += 1;
            self.day(at).0 += 1;
        }
    }

    /// A request was refused for a budget, or has to wait for it.
    pub(crate) fn stopped(&mut self, stop: Stop, is_refused: bool, wall: Timestamp) {
        self.first.get_or_insert((wall, stop));
        let counts = self.stops.entry(stop).or_default();
        if is_refused { counts.refused += 1 } else { counts.delayed += 1 }
    }

    pub(crate) fn hours(&self) -> Vec<Hour> {
        self.hours.to_vec()
    }

    /// Refused and all requests of each day since the beginning.
    pub(crate) fn days(&self) -> &[(u64, u64)] {
        &self.days
    }

    /// The metrics that requests were refused for.
    pub(crate) fn refusing(&self) -> impl Iterator<Item = Metric> + '_ {
        self.stops.iter().filter(|(_, counts)| counts.refused > 0).map(|((.., metric), _)| *metric)
    }

    pub(crate) fn binds_first(&self, groups: &[GroupId], buckets: &[String]) -> Option<TimedBinding> {
        let (at, (group, bucket, metric)) = self.first?;
        Some(TimedBinding { at, group: groups[group].clone(), bucket: buckets[bucket].clone(), metric })
    }

    pub(crate) fn binding(&self, groups: &[GroupId], buckets: &[String]) -> Vec<Binding> {
        let mut all: Vec<Binding> = self
            .stops
            .iter()
            .map(|((group, bucket, metric), counts)| Binding {
                group: groups[*group].clone(),
                bucket: buckets[*bucket].clone(),
                metric: *metric,
                refused: counts.refused,
                delayed: counts.delayed,
            })
            .collect();
        all.sort_by_key(|binding| std::cmp::Reverse((binding.refused, binding.delayed)));
        all.truncate(MOST_TOLD);
        all
    }

    fn day(&mut self, at: Duration) -> &mut (u64, u64) {
        let day = (at.as_secs() / 86_400) as usize;
        if self.days.len() <= day {
            self.days.resize(day + 1, (0, 0));
        }
        &mut self.days[day]
    }

    fn look_at_clock(&mut self, wall: Timestamp) {
        const QUARTER_SECONDS: i64 = 900;
        if wall < self.hour_until {
            return;
        }
        self.hour = usize::from(wall.to_zoned(self.zone.clone()).hour().unsigned_abs());
        let next = (wall.as_second().div_euclid(QUARTER_SECONDS) + 1) * QUARTER_SECONDS;
        self.hour_until = Timestamp::from_second(next).unwrap_or(Timestamp::MAX);
    }
}
