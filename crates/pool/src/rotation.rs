//! When the order of the keys moves on: at times of the local calendar.

use std::time::Duration;

use jiff::civil::{DateTime, Time, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Moves the first key to the end, every so often.
///
/// The times are those of a clock on the wall of the time zone: `every: 24h, at: 00:00` is
/// midnight there on days of 23 and of 25 hours too. A time that a change of clocks skips comes
/// after the gap, one that it repeats comes once, the first time. Spans of several days are
/// counted from a Monday, so every 168 hours is each Monday.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rotation {
    every_seconds: i64,
    at: Time,
    zone: TimeZone,
}

/// Why something is no [`Rotation`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRotation(&'static str);

/// The Monday that spans of several days are counted from.
const FIRST_DAY: DateTime = date(1969, 12, 29).at(0, 0, 0, 0);

const DAY: i64 = 24 * 60 * 60;

impl Rotation {
    /// A rotation `every` span, so that one falls on the time `at` of the zone.
    ///
    /// # Errors
    /// Unless the span divides a day evenly and is an hour or more, or is whole days up to a
    /// year: others would fall on another time each day.
    pub fn new(every: Duration, at: Time, zone: TimeZone) -> Result<Self, InvalidRotation> {
        let seconds = i64::try_from(every.as_secs()).unwrap_or(i64::MAX);
        if every.subsec_nanos() > 0 || !(60 * 60..=366 * DAY).contains(&seconds) {
            return Err(InvalidRotation("is not between 1h and 366 days (8784h)"));
        }
        if DAY % seconds != 0 && seconds % DAY != 0 {
            return Err(InvalidRotation("neither divides a day evenly nor is a number of whole days"));
        }
        Ok(Self { every_seconds: seconds, at, zone })
    }

    /// When turn `number` comes, unless the calendar ends before. Turns are numbered from long ago.
    fn time_of(&self, number: i64) -> Option<Timestamp> {
        let zoned = self.local(number)?.to_zoned(self.zone.clone()).ok()?;
        Some(zoned.timestamp())
    }

    /// The number of the last turn that has come by `wall`. Each comes after those before it.
    fn last_by(&self, wall: Timestamp) -> i64 {
        // No change of clocks makes a turn later than this after its time on the wall.
        let surely_over = wall.saturating_sub(SignedDuration::from_hours(48)).unwrap_or(Timestamp::MIN);
        let local = surely_over.to_zoned(self.zone.clone()).datetime();
        let mut number = local.duration_since(self.start()).as_secs().div_euclid(self.every_seconds);
        while self.time_of(number + 1).is_some_and(|next| next <= wall) {
            number += 1;
        }
        number
    }

    fn local(&self, number: i64) -> Option<DateTime> {
        let seconds = number.checked_mul(self.every_seconds)?;
        self.start().checked_add(SignedDuration::from_secs(seconds)).ok()
    }

    fn start(&self) -> DateTime {
        FIRST_DAY.date().to_datetime(self.at)
    }
}

/// Where a rotation stands.
#[derive(Clone, Debug)]
pub(crate) struct Rota {
    rotation: Rotation,
    /// The last turn that was carried out.
    done: i64,
    next: Option<Timestamp>,
}

impl Rota {
    /// Every turn up to `wall` is carried out.
    pub(crate) fn new(rotation: Rotation, wall: Timestamp) -> Self {
        let done = rotation.last_by(wall);
        Self { next: rotation.time_of(done + 1), rotation, done }
    }

    /// When the next turn comes.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// When the last turn was carried out, or would have been.
    pub(crate) fn last(&self) -> Option<Timestamp> {
        self.rotation.time_of(self.done)
    }

    /// How many turns came since the last call. Time that goes backwards brings none.
    pub(crate) fn advance(&mut self, wall: Timestamp) -> u64 {
        if self.next.is_none_or(|next| wall < next) {
            return 0;
        }
        let last = self.rotation.last_by(wall).max(self.done + 1);
        let turns = last.abs_diff(self.done);
        self.done = last;
        self.next = self.rotation.time_of(last + 1);
        turns
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZoneDatabase;
    use proptest::prelude::*;

    use super::*;

    fn rotation(hours: u64, at: &str, zone: &str) -> Rotation {
        let zone = TimeZoneDatabase::bundled().get(zone).unwrap();
        Rotation::new(Duration::from_hours(hours), at.parse().unwrap(), zone).unwrap()
    }

    fn wall(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The turns after a moment.
    fn check(rotation: &Rotation, after: &str, expected: &[&str]) {
        let mut rota = Rota::new(rotation.clone(), wall(after));
        let mut turns = Vec::new();
        for _ in expected {
            let next = rota.next().unwrap();
            turns.push(next.to_string());
            let just_before = next.saturating_sub(SignedDuration::from_nanos(1)).unwrap();
            assert_eq!(rota.advance(just_before), 0, "before {next}");
            assert_eq!(rota.advance(next), 1, "at {next}");
            assert_eq!(rota.last(), Some(next));
        }
        assert_eq!(turns, expected, "{rotation:?} after {after}");
    }

    const NEW_YORK: &str = "America/New_York";

    #[test]
    fn midnight_in_new_york_on_days_of_23_and_25_hours() {
        let midnight = rotation(24, "00:00", NEW_YORK);
        check(
            &midnight,
            "2026-03-07T12:00:00Z",
            &["2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z", "2026-03-10T04:00:00Z"],
        );
        check(
            &midnight,
            "2026-11-01T03:59:59Z",
            &["2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z", "2026-11-03T05:00:00Z"],
        );
    }

    #[test]
    fn a_time_that_is_skipped_comes_after_the_gap_and_a_repeated_one_once() {
        let half_past_two = rotation(24, "02:30", NEW_YORK);
        // 02:30 EST does not exist on 2026-03-08: 03:30 EDT.
        check(&half_past_two, "2026-03-08T00:00:00Z", &["2026-03-08T07:30:00Z", "2026-03-09T06:30:00Z"]);
        let half_past_one = rotation(24, "01:30", NEW_YORK);
        // 01:30 comes twice on 2026-11-01.
        check(&half_past_one, "2026-11-01T00:00:00Z", &["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]);
        // Midnight did not exist in Santiago on 2022-09-11.
        let santiago = rotation(24, "00:00", "America/Santiago");
        check(&santiago, "2022-09-10T12:00:00Z", &["2022-09-11T04:00:00Z", "2022-09-12T03:00:00Z"]);
    }

    #[test]
    fn parts_of_a_day_and_several_days() {
        let quarters = rotation(6, "03:00", "UTC");
        check(&quarters, "2026-07-01T00:00:00Z", &["2026-07-01T03:00:00Z", "2026-07-01T09:00:00Z"]);
        // 2026-07-06 is a Monday.
        let weekly = rotation(168, "09:00", "UTC");
        check(&weekly, "2026-07-01T00:00:00Z", &["2026-07-06T09:00:00Z", "2026-07-13T09:00:00Z"]);
    }

    #[test]
    fn what_falls_on_another_time_each_day_is_refused() {
        for (seconds, is_valid) in [
            (0, false),
            (59 * 60, false),
            (60 * 60, true),
            (5 * 60 * 60, false),
            (8 * 60 * 60, true),
            (90 * 60, true),
            (36 * 60 * 60, false),
            (48 * 60 * 60, true),
            (367 * 86_400, false),
        ] {
            let every = Duration::from_secs(seconds);
            assert_eq!(Rotation::new(every, Time::midnight(), TimeZone::UTC).is_ok(), is_valid, "{every:?}");
        }
        assert!(Rotation::new(Duration::MAX, Time::midnight(), TimeZone::UTC).is_err());
        let uneven = Duration::from_millis(3_600_001);
        assert!(Rotation::new(uneven, Time::midnight(), TimeZone::UTC).is_err());
    }

    #[test]
    fn the_ends_of_time_are_no_trouble() {
        let hourly = rotation(1, "00:30", NEW_YORK);
        let mut last = Rota::new(hourly.clone(), Timestamp::MAX);
        assert_eq!((last.next(), last.advance(Timestamp::MAX)), (None, 0));
        let first = Rota::new(hourly, Timestamp::MIN).next().unwrap();
        assert!(first > Timestamp::MIN && first < wall("-009998-01-01T00:00:00Z"));
    }

    proptest! {
        /// However many steps time takes, the same turns come.
        #[test]
        fn turns_do_not_depend_on_how_often_one_looks(
            hours in prop::sample::select(vec![1_u64, 2, 6, 12, 24, 48, 168]),
            zone in prop::sample::select(vec![NEW_YORK, "Europe/Paris", "Antarctica/Troll", "Australia/Lord_Howe"]),
            start in 1_700_000_000_i64..1_900_000_000,
            steps in prop::collection::vec(0_i64..400_000, 1..40),
        ) {
            let rotation = rotation(hours, "02:30", zone);
            let start = Timestamp::from_second(start).unwrap();
            let (mut often, mut once) = (Rota::new(rotation.clone(), start), Rota::new(rotation, start));
            let (mut now, mut turns) = (start, 0);
            for step in steps {
                now = now.saturating_add(SignedDuration::from_secs(step)).unwrap();
                turns += often.advance(now);
                prop_assert!(often.next().unwrap() > now);
            }
            prop_assert_eq!(once.advance(now), turns);
            prop_assert_eq!(once.done, often.done);
            // As many as there is time for, give or take the changes of clocks.
            let expected = now.duration_since(start).as_hours() / i64::try_from(hours).unwrap();
            prop_assert!(turns.abs_diff(expected.unsigned_abs()) <= 3, "{} of {}", turns, expected);
        }
    }
}
