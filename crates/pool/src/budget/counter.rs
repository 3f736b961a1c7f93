//! One metric of one bucket.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use keygate_domain::{Fault, Metric, Moment};

use super::Budgets;
use super::calendar_count::CalendarCount;
use super::window::MinuteWindow;

/// A budget that has nothing left, and from when on it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stop {
    pub(crate) metric: Metric,
    pub(crate) until: Moment,
}

impl Stop {
    /// The fault a provider would answer with.
    pub(crate) fn fault(&self) -> Fault {
        match self.metric {
            Metric::RequestsPerDay | Metric::TokensPerDay | Metric::TokensPerMonth => Fault::QuotaExhausted,
            Metric::Concurrent => Fault::Busy,
            Metric::RequestsPerMinute
            | Metric::InputTokensPerMinute
            | Metric::MinInterval
            | Metric::Unnamed
            | Metric::Spend
            | Metric::Tier
            | Metric::Storage => Fault::RateLimited,
        }
    }

    /// One sentence for operators.
    pub(crate) fn reason(&self) -> &'static str {
        match self.metric {
            Metric::RequestsPerMinute => "the budget of requests per minute is used",
            Metric::RequestsPerDay => "the budget of requests per day is used",
            Metric::InputTokensPerMinute => "the budget of input tokens per minute is used",
            Metric::TokensPerDay => "the budget of tokens per day is used",
            Metric::TokensPerMonth => "the budget of tokens per month is used",
            Metric::Concurrent => "as many run as may run at the same time",
            Metric::MinInterval => "the shortest interval between requests has not passed",
            Metric::Unnamed | Metric::Spend | Metric::Tier | Metric::Storage => "a budget is used",
        }
    }
}

/// What was used of one limit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Counter {
    Minute(MinuteWindow),
    Calendar(CalendarCount),
    Running(Running),
    Interval { last: Option<Moment> },
}

/// What runs now: leases, and sessions that outlive theirs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Running {
    /// When each lease expires.
    pub(super) leases: BTreeMap<u64, Moment>,
    /// When each session is thought to be over, the oldest first.
    pub(super) sessions: VecDeque<Moment>,
}

impl Running {
    fn used(&self, now: Moment) -> u64 {
        (self.leases.len() + self.sessions.iter().filter(|ends| **ends > now).count()) as u64
    }

    /// When few enough run that one more fits, if nobody tells of an earlier end.
    fn free_from(&self, limit: u64, now: Moment) -> Moment {
        let over = (self.used(now) + 1).saturating_sub(limit.max(1)) as usize;
        if over == 0 {
            return now;
        }
        let sessions = self.sessions.iter().filter(|ends| **ends > now);
        let mut ends: Vec<Moment> = self.leases.values().chain(sessions).copied().collect();
        ends.sort_unstable();
        ends.get(over - 1).copied().unwrap_or(now)
    }
}

impl Counter {
    pub(super) fn new(metric: Metric, budgets: &Budgets, now: Moment) -> Self {
        match metric {
            Metric::RequestsPerMinute | Metric::InputTokensPerMinute => Self::Minute(MinuteWindow::default()),
            Metric::RequestsPerDay | Metric::TokensPerDay => {
                Self::Calendar(CalendarCount::new(budgets.day, now, budgets.margin))
            }
            Metric::TokensPerMonth => Self::Calendar(CalendarCount::new(budgets.month, now, budgets.margin)),
            Metric::Concurrent => Self::Running(Running::default()),
            Metric::MinInterval | Metric::Unnamed | Metric::Spend | Metric::Tier | Metric::Storage => {
                Self::Interval { last: None }
            }
        }
    }

    pub(super) fn reserve(&mut self, amount: u64, lease: (u64, Moment), now: Moment, margin: Duration) {
        if amount == 0 {
            return;
        }
        match self {
            Self::Minute(window) => window.add(amount, now.mono, margin),
            Self::Calendar(count) => count.add(amount, now, margin),
            Self::Running(running) => {
                running.sessions.retain(|ends| *ends > now);
                running.leases.insert(lease.0, lease.1);
            }
            Self::Interval { last } => *last = Some(now),
        }
    }

    /// Counts what another counter of the same metric counted.
    pub(super) fn absorb(&mut self, other: Self) {
        match (self, other) {
            (Self::Minute(window), Self::Minute(other)) => window.absorb(other),
            (Self::Calendar(count), Self::Calendar(other)) => count.absorb(other),
            (Self::Running(running), Self::Running(Running { leases, sessions })) => {
                running.leases.extend(leases);
                running.sessions.extend(sessions);
                running.sessions.make_contiguous().sort_unstable();
            }
            (Self::Interval { last }, Self::Interval { last: other }) => *last = (*last).max(other),
            (Self::Minute(_) | Self::Calendar(_) | Self::Running(_) | Self::Interval { .. }, _) => {}
        }
    }

    pub(super) fn correct(&mut self, at: Moment, was: u64, is: u64, margin: Duration) {
        if was == is {
            return;
        }
        match self {
            Self::Minute(window) => window.correct(at.mono, was, is),
            Self::Calendar(count) => count.correct(at, was, is, margin),
            Self::Interval { last } if is == 0 && *last == Some(at) => *last = None,
            Self::Running(_) | Self::Interval { .. } => {}
        }
    }

    pub(super) fn used(&self, now: Moment, margin: Duration) -> u64 {
        match self {
            Self::Minute(window) => window.used(now.mono, margin),
            Self::Calendar(count) => count.used_at(now, margin),
            Self::Running(running) => running.used(now),
            Self::Interval { last } => u64::from(last.is_some()),
        }
    }

    /// From when on `amount` more stays within `limit`.
    pub(super) fn free_from(&self, amount: u64, limit: u64, now: Moment, margin: Duration) -> Moment {
        if amount == 0 {
            return now;
        }
        match self {
            Self::Minute(window) => {
                let free = window.free_from(amount, limit, now.mono, margin);
                // Sums of times are not free, and nearly always there is room.
                if free == now.mono { now } else { now.after(free.saturating_sub(now.mono)) }
            }
            Self::Calendar(count) => count.free_from(amount, limit, now, margin),
            Self::Running(running) => running.free_from(limit, now),
            Self::Interval { last } => {
                last.map_or(now, |last| last.after(Duration::from_millis(limit))).max(now)
            }
        }
    }

    /// When `limit` is used up before it starts over, if that is to be expected.
    pub(super) fn runs_out_at(&self, limit: u64, now: Moment, margin: Duration) -> Option<Moment> {
        match self {
            Self::Calendar(count) => count.runs_out_at(limit, now, margin),
            Self::Minute(_) | Self::Running(_) | Self::Interval { .. } => None,
        }
    }

    /// When less is used though nobody tells.
    pub(super) fn next_slide(&self, now: Moment, margin: Duration) -> Option<Moment> {
        match self {
            Self::Minute(window) => {
                let next = window.next_leave(now.mono, margin)?;
                Some(now.after(next.saturating_sub(now.mono)))
            }
            Self::Calendar(count) if count.used > 0 => Some(count.over_at(now, margin)),
            Self::Running(running) => running.sessions.iter().copied().find(|ends| *ends > now),
            Self::Calendar(_) | Self::Interval { .. } => None,
        }
    }

    /// When what was used is back, all of it.
    pub(super) fn resets_at(&self, now: Moment, margin: Duration) -> Option<Moment> {
        match self {
            Self::Minute(window) => {
                let empty = window.empty_from(margin).filter(|empty| *empty > now.mono)?;
                Some(now.after(empty.saturating_sub(now.mono)))
            }
            Self::Calendar(count) => Some(now.at_wall(count.ends)),
            Self::Running(_) | Self::Interval { .. } => None,
        }
    }
}
