//! When an allowance comes back by a provider's calendar.

use jiff::tz::TimeZoneDatabase;
use jiff::{Timestamp, Zoned};
use keygate_domain::{Moment, Reset};

/// The moment of the next reset, strictly later than `now`; `None` for an unknown time zone.
///
/// The zones are those compiled in: a decision must not depend on the machine's files.
pub(crate) fn next(reset: Reset, now: Moment) -> Option<Moment> {
    let at = match reset {
        Reset::Midnight(zone) => next_midnight(&local(now.wall, zone)?),
        Reset::MonthEnd(zone) => month_end(&local(now.wall, zone)?),
    };
    Some(now.at_wall(at?.timestamp()))
}

fn local(wall: Timestamp, zone: &str) -> Option<Zoned> {
    Some(wall.to_zoned(TimeZoneDatabase::bundled().get(zone).ok()?))
}

fn next_midnight(local: &Zoned) -> Option<Zoned> {
    local.date().tomorrow().ok()?.to_zoned(local.time_zone().clone()).ok()
}

fn month_end(local: &Zoned) -> Option<Zoned> {
    local.date().last_of_month().tomorrow().ok()?.to_zoned(local.time_zone().clone()).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn check(reset: Reset, now: &str, expected: &str) {
        let now = Moment { mono: Duration::from_secs(100), wall: now.parse().unwrap() };
        let next = next(reset, now).unwrap();
        assert_eq!(next.wall, expected.parse().unwrap(), "{reset:?} after {}", now.wall);
        assert_eq!(
            now.until(next),
            Duration::try_from(next.wall.duration_since(now.wall)).unwrap(),
            "both clocks agree"
        );
    }

    const PACIFIC: &str = "America/Los_Angeles";

    #[test]
    fn a_pacific_day_ends_at_pacific_midnight() {
        check(Reset::Midnight(PACIFIC), "2026-07-01T12:00:00Z", "2026-07-02T07:00:00Z");
        check(Reset::Midnight(PACIFIC), "2026-12-01T07:59:59Z", "2026-12-01T08:00:00Z");
        check(Reset::Midnight("UTC"), "2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z");
    }

    #[test]
    fn days_with_a_clock_change_have_23_and_25_hours() {
        // 2026-03-08: 08:00Z is midnight PST, the day ends at 07:00Z (PDT), 23 hours later.
        check(Reset::Midnight(PACIFIC), "2026-03-08T08:00:00Z", "2026-03-09T07:00:00Z");
        // 2026-11-01: 07:00Z is midnight PDT, the day ends at 08:00Z (PST), 25 hours later.
        check(Reset::Midnight(PACIFIC), "2026-11-01T07:00:00Z", "2026-11-02T08:00:00Z");
        // the repeated hour itself: 09:30Z is 01:30 PST, the second one
        check(Reset::Midnight(PACIFIC), "2026-11-01T09:30:00Z", "2026-11-02T08:00:00Z");
    }

    #[test]
    fn where_midnight_does_not_exist_the_day_starts_after_the_gap() {
        // Santiago skipped 2022-09-11T00:00 to 01:00.
        check(Reset::Midnight("America/Santiago"), "2022-09-10T12:00:00Z", "2022-09-11T04:00:00Z");
    }

    #[test]
    fn months_end_by_the_local_calendar() {
        check(Reset::MonthEnd("UTC"), "2028-02-29T23:59:59Z", "2028-03-01T00:00:00Z");
        check(Reset::MonthEnd(PACIFIC), "2026-03-01T07:00:00Z", "2026-03-01T08:00:00Z");
        check(Reset::MonthEnd(PACIFIC), "2026-10-15T00:00:00Z", "2026-11-01T07:00:00Z");
        check(Reset::MonthEnd("UTC"), "2026-12-31T12:00:00Z", "2027-01-01T00:00:00Z");
    }

    #[test]
    fn an_unknown_zone_gives_no_moment() {
        let now = Moment { mono: Duration::ZERO, wall: Timestamp::UNIX_EPOCH };
        assert_eq!(next(Reset::Midnight("Atlantis/Capital"), now), None);
    }
}
