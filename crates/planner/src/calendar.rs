//! The provider's days and months, counted.

use jiff::tz::TimeZoneDatabase;
use jiff::{Timestamp, Zoned};
use keygate_domain::Reset;

/// Which period of a calendar it is, the first being 0.
#[derive(Clone, Debug)]
pub(crate) struct Periods {
    reset: Reset,
    ends: Timestamp,
    number: i64,
}

impl Periods {
    pub(crate) fn new(reset: Reset, wall: Timestamp) -> Self {
        Self { reset, ends: next(reset, wall), number: 0 }
    }

    /// The period at hand. Time only goes forward.
    pub(crate) fn number_at(&mut self, wall: Timestamp) -> i64 {
        while wall >= self.ends && self.ends < Timestamp::MAX {
            self.number += 1;
            self.ends = next(self.reset, self.ends);
        }
        self.number
    }
}

/// The next boundary; in a time zone nobody knows there is none.
fn next(reset: Reset, wall: Timestamp) -> Timestamp {
    let boundary = match reset {
        Reset::Midnight(zone) => local(wall, zone).and_then(|local| midnight_after(&local)),
        Reset::MonthEnd(zone) => local(wall, zone).and_then(|local| month_after(&local)),
    };
    boundary.map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

fn local(wall: Timestamp, zone: &str) -> Option<Zoned> {
    Some(wall.to_zoned(TimeZoneDatabase::bundled().get(zone).ok()?))
}

fn midnight_after(local: &Zoned) -> Option<Zoned> {
    local.date().tomorrow().ok()?.to_zoned(local.time_zone().clone()).ok()
}

fn month_after(local: &Zoned) -> Option<Zoned> {
    local.date().last_of_month().tomorrow().ok()?.to_zoned(local.time_zone().clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn days_change_at_the_providers_midnight() {
        let mut days = Periods::new(Reset::Midnight("America/Los_Angeles"), at("2026-03-08T07:59:59Z"));
        assert_eq!(days.number_at(at("2026-03-08T07:59:59Z")), 0);
        assert_eq!(days.number_at(at("2026-03-08T08:00:00Z")), 1, "a day of 23 hours begins");
        assert_eq!(days.number_at(at("2026-03-09T06:59:59Z")), 1);
        assert_eq!(days.number_at(at("2026-03-09T07:00:00Z")), 2);
        assert_eq!(days.number_at(at("2026-03-12T12:00:00Z")), 5, "after silence, too");
    }

    #[test]
    fn months_change_by_the_calendar() {
        let mut months = Periods::new(Reset::MonthEnd("UTC"), at("2026-02-28T23:59:59Z"));
        assert_eq!(months.number_at(at("2026-03-01T00:00:00Z")), 1);
        assert_eq!(months.number_at(at("2026-03-31T23:59:59Z")), 1);
    }
}
