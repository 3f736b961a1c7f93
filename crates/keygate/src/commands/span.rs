//! Spans of time on the command line: `90d`, `12h`, `1y`.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// The moment a span after `now`, by the calendar of UTC.
pub(super) fn after(now: Timestamp, text: &str) -> Result<Timestamp, String> {
    moved(now, text, |span| span)
}

/// The moment a span before `now`.
pub(super) fn before(now: Timestamp, text: &str) -> Result<Timestamp, String> {
    moved(now, text, Span::negate)
}

fn moved(now: Timestamp, text: &str, direction: impl Fn(Span) -> Span) -> Result<Timestamp, String> {
    let not_one = || format!("`{text}` is no span of time, such as 30m, 12h, 90d or 1y.");
    let span: Span = text.parse().map_err(|_not_one| not_one())?;
    if span.is_negative() {
        return Err(not_one());
    }
    let there = now.to_zoned(TimeZone::UTC).checked_add(direction(span));
    there
        .map(|there| there.timestamp())
        .map_err(|_too_far| format!("`{text}` is further away than any calendar goes."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_those_of_the_calendar() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let check =
            |text: &str, then: &str| assert_eq!(after(now, text).unwrap().to_string(), then, "{text}");
        check("90d", "2027-02-19T12:00:00Z");
        check("12h", "2026-11-22T00:00:00Z");
        check("1y", "2027-11-21T12:00:00Z");
        check("0s", "2026-11-21T12:00:00Z");
        assert_eq!(before(now, "1d").unwrap().to_string(), "2026-11-20T12:00:00Z");
        for wrong in ["", "90", "-1d", "soon", "90000y"] {
            assert!(after(now, wrong).is_err(), "{wrong}");
        }
    }
}
