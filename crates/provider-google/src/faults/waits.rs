//! How long to rest: reading Google's durations, and making them safe to rely on.

use std::time::Duration;

/// A minute.
pub(super) const MINUTE: Duration = Duration::from_mins(1);
/// An hour.
pub(super) const HOUR: Duration = Duration::from_hours(1);
/// A day; how often something that a human must change is looked at again.
pub(super) const DAY: Duration = Duration::from_hours(24);

/// Google usually truncates `retryDelay` to whole seconds (42.92 becomes `42s`), so the wait is
/// rounded up and a second is added; `longest` keeps a lie from resting a project for ever.
pub(super) fn with_margin(wait: Duration, longest: Duration) -> Duration {
    let whole = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    Duration::from_secs(whole.saturating_add(1)).min(longest)
}

/// Reads `34s`, `34.074824224s`, `900ms` or `1h2m3.5s`, up to the first character that belongs
/// to none of these. Nothing if there is no number with a unit.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let mut total = None::<f64>;
    let mut rest = text;
    while let Some((seconds, after)) = one_part(rest) {
        total = Some(total.unwrap_or_default() + seconds);
        rest = after;
    }
    Duration::try_from_secs_f64(total?).ok()
}

/// One number with its unit, in seconds, and what follows it.
fn one_part(text: &str) -> Option<(f64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = text[..digits].parse().ok()?;
    let unit_and_rest = &text[digits..];
    let (factor, unit) = [(0.001, "ms"), (1.0, "s"), (60.0, "m"), (3_600.0, "h")]
        .into_iter()
        .find(|(_, unit)| unit_and_rest.starts_with(unit))?;
    Some((number * factor, &unit_and_rest[unit.len()..]))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("34s", Some(34_000))]
    #[case("34.074824224s.", Some(34_074))]
    #[case("900ms", Some(900))]
    #[case("0.01s", Some(10))]
    #[case("51820.638305887s", Some(51_820_638))]
    #[case("1h2m3.5s. Thanks", Some(3_723_500))]
    #[case("2m", Some(120_000))]
    #[case("soon", None)]
    #[case("12", None)]
    #[case("1.2.3s", None)]
    #[case("", None)]
    #[case("99999999999999999999999999s", None)]
    fn durations_of_google_are_read(#[case] text: &str, #[case] milliseconds: Option<u128>) {
        assert_eq!(parse(text).map(|wait| wait.as_millis()), milliseconds);
    }

    #[rstest]
    #[case(0, 1)]
    #[case(10, 2)]
    #[case(1_000, 2)]
    #[case(42_921, 44)]
    #[case(64_000, 65)]
    #[case(3_600_000, 65)]
    fn waits_are_rounded_up_and_bounded(#[case] milliseconds: u64, #[case] seconds: u64) {
        let longest = Duration::from_secs(65);
        assert_eq!(with_margin(Duration::from_millis(milliseconds), longest), Duration::from_secs(seconds));
    }
}
