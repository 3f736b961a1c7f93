//! When a budget will be used up, in the words and the time zone of its provider.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `runs out at 15:40 PT, 5 h before its reset`.
pub fn in_words(runs_out_at: Timestamp, resets_at: Timestamp, zone: &TimeZone) -> String {
    let at = runs_out_at.to_zoned(zone.clone());
    let early = Duration::try_from(resets_at.duration_since(runs_out_at)).unwrap_or_default();
    format!("runs out at {} {}, {} before its reset", at.strftime("%H:%M"), zone_name(&at), span(early))
}

/// People say PT for what is PST in winter and PDT in summer.
fn zone_name(at: &jiff::Zoned) -> String {
    match at.time_zone().iana_name() {
        Some("America/Los_Angeles") => "PT".to_owned(),
        _ => at.strftime("%Z").to_string(),
    }
}

/// A span in its two largest units: `2 days 3 h`, `5 h 20 min`, `12 min`.
pub(crate) fn span(span: Duration) -> String {
    let minutes = span.as_secs() / 60;
    let (days, hours, rest) = (minutes / (24 * 60), minutes / 60 % 24, minutes % 60);
    match (days, hours, rest) {
        (0, 0, rest) => format!("{rest} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, rest) => format!("{hours} h {rest} min"),
        (1, 0, _) => "1 day".to_owned(),
        (days, 0, _) => format!("{days} days"),
        (1, hours, _) => format!("1 day {hours} h"),
        (days, hours, _) => format!("{days} days {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forecast_speaks_the_providers_time() {
        let zone = TimeZone::get("America/Los_Angeles").unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let words = in_words(at("2026-11-20T23:40:00Z"), at("2026-11-21T08:00:00Z"), &zone);
        assert_eq!(words, "runs out at 15:40 PT, 8 h 20 min before its reset");
        let summer = in_words(at("2026-07-01T22:40:00Z"), at("2026-07-02T07:00:00Z"), &zone);
        assert_eq!(summer, "runs out at 15:40 PT, 8 h 20 min before its reset");
        let utc = in_words(at("2026-11-20T19:00:00Z"), at("2026-11-21T00:00:00Z"), &TimeZone::UTC);
        assert_eq!(utc, "runs out at 19:00 UTC, 5 h before its reset");
    }

    #[test]
    fn spans_are_told_in_two_units() {
        let check = |minutes, words: &str| assert_eq!(span(Duration::from_mins(minutes)), words);
        check(0, "0 min");
        check(12, "12 min");
        check(60, "1 h");
        check(24 * 60, "1 day");
        check(49 * 60 + 5, "2 days 1 h");
    }
}
