//! One window: how much was used in a span of simulated time, and when room returns.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{RoundMode, SignedDuration, Timestamp, Unit, Zoned, ZonedRound};

use crate::clock::after;

/// The span a window covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    /// The last so-and-so long, at any moment.
    Rolling(Duration),
    /// The minute of the clock.
    ClockMinute,
    /// The day in California, where quotas of the day start anew.
    PacificDay,
    /// The month in California.
    PacificMonth,
}

/// Use against one limit. Memory is bounded by the limit: what does not fit is not recorded.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    shape: Shape,
    limit: u64,
    entries: VecDeque<(Timestamp, u64)>,
    used: u64,
}

impl Window {
    pub(crate) fn new(shape: Shape, limit: u64) -> Self {
        Self { shape, limit, entries: VecDeque::new(), used: 0 }
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// How long until `amount` fits, or `None` when it fits now. An amount above the limit never
    /// fits; the wait named then is that for an empty window, as the real service names it.
    pub(crate) fn wait_for(&mut self, amount: u64, now: Timestamp) -> Option<Duration> {
        self.forget(now);
        if self.used.saturating_add(amount) <= self.limit {
            return None;
        }
        let mut left = self.used;
        for (at, used) in &self.entries {
            left -= used;
            if left.saturating_add(amount) <= self.limit {
                return Some(until(self.end_of(*at), now));
            }
        }
        let last = self.entries.back().map_or(now, |(at, _)| *at);
        Some(until(self.end_of(last), now))
    }

    /// Records use, also beyond the limit (what an answer cost is known afterwards).
    pub(crate) fn take(&mut self, amount: u64, now: Timestamp) {
        if amount == 0 {
            return;
        }
        self.used = self.used.saturating_add(amount);
        match self.entries.back_mut() {
            Some((at, used)) if *at == now || !matches!(self.shape, Shape::Rolling(_)) => *used += amount,
            _ => self.entries.push_back((now, amount)),
        }
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some((at, used)) = self.entries.front().copied() {
            if self.end_of(at) > now {
                break;
            }
            self.used -= used;
            self.entries.pop_front();
        }
    }

    /// When use of the moment `at` no longer counts.
    fn end_of(&self, at: Timestamp) -> Timestamp {
        match self.shape {
            Shape::Rolling(span) => after(at, span),
            Shape::ClockMinute => {
                Timestamp::from_second((at.as_second().div_euclid(60) + 1) * 60).unwrap_or(Timestamp::MAX)
            }
            Shape::PacificDay => next_day(&pacific(at)),
            Shape::PacificMonth => next_month(&pacific(at)),
        }
    }
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    at.duration_since(now).max(SignedDuration::ZERO).unsigned_abs()
}

fn pacific(at: Timestamp) -> Zoned {
    at.to_zoned(TimeZone::get("America/Los_Angeles").unwrap_or(TimeZone::UTC))
}

fn next_day(at: &Zoned) -> Timestamp {
    let today = at.round(ZonedRound::new().smallest(Unit::Day).mode(RoundMode::Trunc));
    today.and_then(|day| day.tomorrow()).map_or(Timestamp::MAX, |day| day.timestamp())
}

fn next_month(at: &Zoned) -> Timestamp {
    let first = at.first_of_month().and_then(|day| day.start_of_day());
    first
        .and_then(|day| day.checked_add(jiff::Span::new().months(1)))
        .map_or(Timestamp::MAX, |day| day.timestamp())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_rolling_minute_frees_what_is_a_minute_old() {
        let start = at("2026-11-20T12:00:30Z");
        let mut window = Window::new(Shape::Rolling(Duration::from_mins(1)), 2);
        window.take(1, start);
        window.take(1, after(start, Duration::from_secs(20)));
        let now = after(start, Duration::from_secs(50));
        assert_eq!(window.wait_for(1, now), Some(Duration::from_secs(10)));
        assert_eq!(window.wait_for(2, now), Some(Duration::from_secs(30)));
        assert_eq!(window.wait_for(1, after(start, Duration::from_mins(1))), None);
    }

    #[test]
    fn a_clock_minute_lets_a_double_burst_pass_at_its_edge() {
        let mut window = Window::new(Shape::ClockMinute, 2);
        window.take(2, at("2026-11-20T12:00:59Z"));
        assert_eq!(window.wait_for(1, at("2026-11-20T12:00:59.5Z")), Some(Duration::from_millis(500)));
        assert_eq!(window.wait_for(2, at("2026-11-20T12:01:00Z")), None);
    }

    #[rstest]
    #[case::winter("2026-11-20T07:30:00Z", "2026-11-20T08:00:00Z")]
    #[case::summer("2026-07-01T06:59:59Z", "2026-07-01T07:00:00Z")]
    #[case::a_day_of_25_hours("2026-11-01T07:30:00Z", "2026-11-02T08:00:00Z")]
    fn the_day_ends_at_midnight_in_california(#[case] used: &str, #[case] free: &str) {
        let mut window = Window::new(Shape::PacificDay, 1);
        window.take(1, at(used));
        assert!(window.wait_for(1, after(at(used), Duration::from_millis(1))).is_some());
        assert_eq!(window.wait_for(1, at(free)), None);
    }

    #[test]
    fn the_month_ends_on_the_first_in_california() {
        let mut window = Window::new(Shape::PacificMonth, 10);
        window.take(10, at("2026-11-05T00:00:00Z"));
        assert!(window.wait_for(1, at("2026-12-01T07:59:59Z")).is_some());
        assert_eq!(window.wait_for(1, at("2026-12-01T08:00:00Z")), None);
    }

    #[test]
    fn more_than_the_limit_never_fits() {
        let mut window = Window::new(Shape::ClockMinute, 5);
        assert!(window.wait_for(6, at("2026-11-20T12:00:00Z")).is_some());
    }
}
