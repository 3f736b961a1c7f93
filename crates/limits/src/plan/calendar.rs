//! Which day and month it is, in UTC.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// A day and its month.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Today {
    began: Timestamp,
    /// Days, counted from some day on.
    pub(super) day: i32,
    /// Months, counted from some month on.
    pub(super) month: i32,
    /// When the next day begins.
    pub(super) day_ends: Timestamp,
    /// When the next month begins.
    pub(super) month_ends: Timestamp,
}

impl Today {
    /// The day of `wall`.
    pub(super) fn at(wall: Timestamp) -> Self {
        let local = wall.to_zoned(TimeZone::UTC);
        let date = local.date();
        let epoch_day = local.timestamp().as_second().div_euclid(86_400);
        let first = |next: Option<jiff::civil::Date>| next.and_then(|date| date.to_zoned(TimeZone::UTC).ok());
        let or_never = |zoned: Option<Zoned>| zoned.map_or(Timestamp::MAX, |zoned| zoned.timestamp());
        Self {
            began: or_never(first(Some(date))),
            day: i32::try_from(epoch_day).unwrap_or(i32::MAX),
            month: i32::from(date.year()) * 12 + i32::from(date.month()),
            day_ends: or_never(first(date.tomorrow().ok())),
            month_ends: or_never(first(date.last_of_month().tomorrow().ok())),
        }
    }

    /// Whether `wall` is in it.
    pub(super) fn contains(&self, wall: Timestamp) -> bool {
        (self.began..self.day_ends).contains(&wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Today {
        Today::at(text.parse().unwrap())
    }

    #[test]
    fn days_and_months_end_at_midnight_utc() {
        let today = at("2028-02-29T23:59:59Z");
        assert_eq!(today.day_ends, "2028-03-01T00:00:00Z".parse().unwrap());
        assert_eq!(today.month_ends, today.day_ends);
        let next = at("2028-03-01T00:00:00Z");
        assert_eq!((next.day, next.month), (today.day + 1, today.month + 1));
        assert_eq!(next.month_ends, "2028-04-01T00:00:00Z".parse().unwrap());
        assert!(today.contains("2028-02-29T00:00:00Z".parse().unwrap()));
        assert!(!today.contains("2028-03-01T00:00:00Z".parse().unwrap()));
        assert_eq!(at("2027-01-01T00:00:00Z").month, at("2026-12-31T00:00:00Z").month + 1);
    }
}
