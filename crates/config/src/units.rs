//! Durations, sizes and times, as texts.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::Time;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use schemars::{Schema, json_schema};

use crate::setting::Scalar;

impl Scalar for Duration {
    const EXPECTED: &'static str = "a duration with its unit, such as 500ms, 30s, 5m, 1h or 30d";

    fn read(text: &str) -> Option<Self> {
        if let Some(days) = text.strip_suffix('d').and_then(|days| days.trim().parse::<u64>().ok()) {
            return days.checked_mul(24 * 60 * 60).map(Self::from_secs);
        }
        text.parse::<SignedDuration>().ok().and_then(|signed| Self::try_from(signed).ok())
    }

    fn shown(&self) -> serde_json::Value {
        let signed = SignedDuration::try_from(*self).unwrap_or(SignedDuration::MAX);
        format!("{signed:#}").into()
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "examples": ["500ms", "30s", "5m", "1h"] })
    }
}

/// Whole days.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Days(pub(crate) u32);

impl Days {
    /// The same in hours of UTC.
    pub(crate) fn duration(self) -> Duration {
        Duration::from_hours(u64::from(self.0) * 24)
    }
}

impl Scalar for Days {
    const EXPECTED: &'static str = "a number of days, weeks or years, such as 90d, 13w or 2y";

    fn read(text: &str) -> Option<Self> {
        let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at(unit_at);
        let days = match unit.trim() {
            "d" | "day" | "days" => 1,
            "w" | "week" | "weeks" => 7,
            "y" | "year" | "years" => 365,
            _ => return None,
        };
        number.parse::<u32>().ok()?.checked_mul(days).map(Self)
    }

    fn shown(&self) -> serde_json::Value {
        format!("{}d", self.0).into()
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+ ?(d|w|y|days?|weeks?|years?)$", "examples": ["90d", "2y"] })
    }
}

impl Scalar for Time {
    const EXPECTED: &'static str = "a time of day, such as 00:00 or 17:30";

    fn read(text: &str) -> Option<Self> {
        Self::strptime("%H:%M", text).ok()
    }

    fn shown(&self) -> serde_json::Value {
        self.strftime("%H:%M").to_string().into()
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "examples": ["00:00", "17:30"] })
    }
}

impl Scalar for TimeZone {
    const EXPECTED: &'static str = "a time zone by its name, such as UTC, America/New_York or Asia/Jakarta";

    /// From the zones compiled in, so that a file means the same on every machine.
    fn read(text: &str) -> Option<Self> {
        TimeZoneDatabase::bundled().get(text).ok()
    }

    fn shown(&self) -> serde_json::Value {
        self.iana_name().unwrap_or("UTC").into()
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "examples": ["UTC", "America/New_York"] })
    }
}

/// A size in bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ByteSize(pub(crate) u64);

impl ByteSize {
    const UNITS: [(&'static str, u64); 8] = [
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("kB", 1_000),
        ("KB", 1_000),
        ("B", 1),
    ];
}

impl Scalar for ByteSize {
    const EXPECTED: &'static str = "a size with its unit, such as 64KiB, 110MiB or 1GB";

    fn read(text: &str) -> Option<Self> {
        let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '_')?;
        let (number, unit) = text.split_at(unit_at);
        let number: u64 = number.replace('_', "").parse().ok()?;
        let (_, factor) = Self::UNITS.iter().find(|(name, _)| *name == unit.trim())?;
        number.checked_mul(*factor).map(Self)
    }

    fn shown(&self) -> serde_json::Value {
        let (unit, factor) = Self::UNITS
            .iter()
            .find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor))
            .unwrap_or(&("B", 1));
        format!("{}{unit}", self.0 / factor).into()
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9_]+ ?(B|[kK]B|MB|GB|KiB|MiB|GiB)$" })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("30s", Some(30_000))]
    #[case("500ms", Some(500))]
    #[case("1h 30m", Some(5_400_000))]
    #[case("0s", Some(0))]
    #[case("120s", Some(120_000))]
    #[case("30d", Some(2_592_000_000))]
    #[case("30", None)]
    #[case("d", None)]
    #[case("-5s", None)]
    #[case("fast", None)]
    fn durations_need_a_unit(#[case] text: &str, #[case] millis: Option<u64>) {
        assert_eq!(Duration::read(text), millis.map(Duration::from_millis));
    }

    #[rstest]
    #[case("110MiB", Some(110 << 20), "110MiB")]
    #[case("64 KiB", Some(65536), "64KiB")]
    #[case("1GB", Some(1_000_000_000), "1GB")]
    #[case("1_500B", Some(1500), "1500B")]
    #[case("0B", Some(0), "0B")]
    #[case("110", None, "")]
    #[case("MiB", None, "")]
    #[case("1.5MiB", None, "")]
    #[case("99999999999GiB", None, "")]
    fn sizes_need_a_unit(#[case] text: &str, #[case] bytes: Option<u64>, #[case] shown: &str) {
        let size = ByteSize::read(text);
        assert_eq!(size.map(|size| size.0), bytes);
        if let Some(size) = size {
            assert_eq!(size.shown(), shown);
        }
    }

    #[rstest]
    #[case("00:00", Some("00:00"))]
    #[case("17:30", Some("17:30"))]
    #[case("7:05", Some("07:05"))]
    #[case("24:00", None)]
    #[case("17", None)]
    #[case("5pm", None)]
    fn times_of_day(#[case] text: &str, #[case] shown: Option<&str>) {
        assert_eq!(Time::read(text).map(|time| time.shown()), shown.map(Into::into));
    }

    #[rstest]
    #[case("UTC", Some("UTC"))]
    #[case("America/New_York", Some("America/New_York"))]
    #[case("america/new_york", Some("America/New_York"))]
    #[case("EST5EDT4", None)]
    #[case("+02:00", None)]
    #[case("Atlantis/Capital", None)]
    fn time_zones(#[case] text: &str, #[case] shown: Option<&str>) {
        assert_eq!(TimeZone::read(text).map(|zone| zone.shown()), shown.map(Into::into));
    }

    #[test]
    fn durations_are_shown_as_they_are_written() {
        assert_eq!(Duration::from_secs(30).shown(), "30s");
        assert_eq!(Duration::read("2m").unwrap().shown(), "2m");
        assert_eq!(Duration::from_hours(1).shown(), "1h");
    }
}
