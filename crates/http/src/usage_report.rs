//! A report about usage: of which time, and as JSON and CSV. The same for who asks the gateway and for who asks the
//! database.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use keygate_domain::{UsageGroup, UsageQuery, UsageReport, UsageRow, UsageSums};
use serde::{Deserialize, Serialize};

/// What stands before a name that a spreadsheet would take for a formula.
const TEXT_MARK: char = '\'';

const CSV_HEADER: [&str; 10] = [
    "key",
    "requests",
    "attempts",
    "errors",
    "input_tokens",
    "output_tokens",
    "thought_tokens",
    "cached_tokens",
    "total_tokens",
    "estimated_tokens",
];

/// Of which time usage is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UsagePeriod {
    /// From this moment on.
    pub from: Timestamp,
    /// Up to, and without, this one.
    pub to: Timestamp,
}

/// Why there is no such time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoPeriod {
    /// Neither a day nor a moment.
    #[error("`from` and `to` are days, such as 2026-11-01, or moments, such as 2026-11-01T08:30:00Z")]
    NoMoment,
    /// It would end before it begins.
    #[error("`from` is later than `to`")]
    Backwards,
}

impl UsagePeriod {
    /// From the first of this month, and up to `now`, where nothing else is said. A day is included as a whole.
    ///
    /// # Errors
    /// [`NoPeriod`] says what is wrong with the words.
    pub fn read(from: Option<&str>, to: Option<&str>, now: Timestamp) -> Result<Self, NoPeriod> {
        let from = from.map_or_else(|| Ok(first_of_month(now)), |text| moment(text, 0))?;
        let to = to.map_or(Ok(now), |text| moment(text, 1))?;
        if from > to { Err(NoPeriod::Backwards) } else { Ok(Self { from, to }) }
    }

    /// The question about it.
    pub fn query(self, group_by: UsageGroup, only_client: Option<String>) -> UsageQuery {
        let (from_ms, to_ms) = (self.from.as_millisecond(), self.to.as_millisecond());
        UsageQuery { from_ms, to_ms, group_by, only_client }
    }
}

/// What was used, as it is told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UsageTold {
    /// From this moment on.
    pub from: Timestamp,
    /// Up to, and without, this one.
    pub to: Timestamp,
    /// What a row is about.
    pub group_by: UsageGroup,
    /// A row each.
    pub rows: Vec<UsageRow>,
    /// All of it.
    pub total: UsageSums,
}

impl UsageTold {
    /// What was found of this time.
    pub fn new(period: UsagePeriod, group_by: UsageGroup, report: UsageReport) -> Self {
        let (UsagePeriod { from, to }, UsageReport { rows, total }) = (period, report);
        Self { from, to, group_by, rows, total }
    }

    /// The rows for spreadsheets, under a header.
    pub fn as_csv(&self) -> Vec<u8> {
        let mut lines = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
        // Writing to memory cannot fail.
        let _ = lines.write_record(CSV_HEADER);
        for UsageRow { key, sums } in &self.rows {
            let _ = lines.serialize((no_formula(key), numbers(sums)));
        }
        lines.into_inner().unwrap_or_default()
    }
}

/// In the order of the header.
fn numbers(sums: &UsageSums) -> [u64; 9] {
    let UsageSums {
        requests,
        attempts,
        errors,
        input_tokens,
        output_tokens,
        thought_tokens,
        cached_tokens,
        total_tokens,
        estimated_tokens,
    } = *sums;
    [
        requests,
        attempts,
        errors,
        input_tokens,
        output_tokens,
        thought_tokens,
        cached_tokens,
        total_tokens,
        estimated_tokens,
    ]
}

/// Names of users are the clients' words, and spreadsheets calculate what begins like a formula. A telephone number
/// is a name like any other and stays as it is.
fn no_formula(name: &str) -> String {
    let is_number = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    let is_formula = match name.chars().next() {
        Some('=' | '@' | '\t' | '\r' | '\n') => true,
        Some('+' | '-') => !is_number(&name[1..]),
        Some(_) | None => false,
    };
    if is_formula { format!("{TEXT_MARK}{name}") } else { name.to_owned() }
}

/// A moment, or the midnight `later` days after a day begins.
fn moment(text: &str, later: i32) -> Result<Timestamp, NoPeriod> {
    let of_day = |date: Date| date.checked_add(later.days()).ok()?.to_zoned(TimeZone::UTC).ok();
    let of_day = text.parse::<Date>().ok().filter(|_| text.len() == "2026-11-01".len()).and_then(of_day);
    let moment = of_day.map_or_else(|| text.parse::<Timestamp>().ok(), |zoned| Some(zoned.timestamp()));
    moment.ok_or(NoPeriod::NoMoment)
}

fn first_of_month(now: Timestamp) -> Timestamp {
    let today = now.to_zoned(TimeZone::UTC);
    today.first_of_month().and_then(|first| first.start_of_day()).map_or(now, |first| first.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_moments_are_understood() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let read = |from, to| {
            let UsagePeriod { from, to } = UsagePeriod::read(from, to, now)?;
            Ok::<_, NoPeriod>(format!("{from} {to}"))
        };
        assert_eq!(read(None, None).unwrap(), "2026-11-01T00:00:00Z 2026-11-21T10:00:00Z");
        let november = read(Some("2026-11-01"), Some("2026-11-30")).unwrap();
        assert_eq!(november, "2026-11-01T00:00:00Z 2026-12-01T00:00:00Z", "the last day is included");
        let moment = read(Some("2026-11-01T08:30:00+01:00"), None).unwrap();
        assert_eq!(moment, "2026-11-01T07:30:00Z 2026-11-21T10:00:00Z");
        assert_eq!(read(Some("yesterday"), None), Err(NoPeriod::NoMoment));
        assert_eq!(read(Some("2026-11-02"), Some("2026-11-01T00:00:00Z")), Err(NoPeriod::Backwards));
    }

    #[test]
    fn a_name_is_one_field_of_a_csv_and_never_a_formula() {
        let now = Timestamp::UNIX_EPOCH;
        let sums = UsageSums { requests: 1, total_tokens: 7, ..UsageSums::default() };
        let field = |key: &str| {
            let report = UsageReport { rows: vec![UsageRow { key: key.to_owned(), sums }], total: sums };
            let told = UsageTold::new(UsagePeriod { from: now, to: now }, UsageGroup::User, report);
            let text = String::from_utf8(told.as_csv()).unwrap();
            let (_, row) = text.split_once('\n').unwrap();
            row.trim_end().strip_suffix(",1,0,0,0,0,0,0,7,0").unwrap().to_owned()
        };
        assert_eq!(field("ann"), "ann");
        assert_eq!(field("Ann, \"the\" user"), "\"Ann, \"\"the\"\" user\"");
        assert_eq!(field("two\nlines"), "\"two\nlines\"");
        assert_eq!(field("=1+1"), "'=1+1");
        assert_eq!(field("@sum(a1)"), "'@sum(a1)");
        assert_eq!(field("-2+cmd|' /c calc'!a0"), "'-2+cmd|' /c calc'!a0");
        assert_eq!(field("+628123456789"), "+628123456789");
    }
}
