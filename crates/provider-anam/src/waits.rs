//! How long Anam says to wait.

use std::time::Duration;

use http::HeaderMap;
use serde_json::Value;

/// Bounds of what is believed of a stated wait for a session: below it is noise, above it the
/// estimate is worth less than another look.
const BUSY_AT_LEAST: f64 = 2.0;
const BUSY_AT_MOST: f64 = 60.0;

/// On top of a stated wait, because the provider's clock is not ours.
const MARGIN: Duration = Duration::from_secs(1);
/// Longest wait believed of a header; the longest window documented is an hour.
const STATED_AT_MOST: Duration = Duration::from_hours(1);

/// Headers by which an answer says that a window of its route is full.
const WINDOW_HEADERS: [&str; 4] =
    ["retry-after", "ratelimit-reset", "ratelimit-remaining", "ratelimit-limit"];
/// The same for the hourly window of an organisation.
const ORGANISATION_WINDOW: &str = "x-ratelimit-org-hour-";

/// Whether the headers speak of a window of the route.
pub(crate) fn speaks_of_a_window(headers: &HeaderMap) -> bool {
    headers
        .keys()
        .any(|name| WINDOW_HEADERS.contains(&name.as_str()) || name.as_str().starts_with(ORGANISATION_WINDOW))
}

/// The wait that the headers state, margin included. A date is not understood, for want of a
/// clock: the pool's default applies.
pub(crate) fn stated(headers: &HeaderMap) -> Option<Duration> {
    let seconds =
        header_seconds(headers, "retry-after").or_else(|| header_seconds(headers, "ratelimit-reset"))?;
    Some((Duration::from_secs(seconds) + MARGIN).min(STATED_AT_MOST))
}

/// The wait until a session may be free: the body's estimate, else the header's. Nothing when
/// neither says: the pool's default for a busy group applies.
pub(crate) fn until_a_session_is_free(body: Option<&Value>, headers: &HeaderMap) -> Option<Duration> {
    let estimate = body.and_then(|body| body.get("estimatedWaitSeconds")).and_then(Value::as_f64);
    let seconds =
        estimate.or_else(|| header_seconds(headers, "retry-after").map(|seconds| seconds as f64))?;
    Some(Duration::from_secs_f64(seconds.ceil().clamp(BUSY_AT_LEAST, BUSY_AT_MOST)))
}

fn header_seconds(headers: &HeaderMap, name: &str) -> Option<u64> {
    let seconds: u64 = headers.get(name)?.to_str().ok()?.trim().parse().ok()?;
    Some(seconds.min(STATED_AT_MOST.as_secs()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[rstest]
    #[case::estimate(json!({"estimatedWaitSeconds": 17}), &[], Some(17))]
    #[case::fraction(json!({"estimatedWaitSeconds": 2.2}), &[], Some(3))]
    #[case::at_once(json!({"estimatedWaitSeconds": 0}), &[], Some(2))]
    #[case::negative(json!({"estimatedWaitSeconds": -5}), &[], Some(2))]
    #[case::forever(json!({"estimatedWaitSeconds": 1e300}), &[], Some(60))]
    #[case::unknown(json!({"estimatedWaitSeconds": null}), &[], None)]
    #[case::header(json!({}), &[("retry-after", "30")], Some(30))]
    #[case::body_before_header(json!({"estimatedWaitSeconds": 5}), &[("retry-after", "30")], Some(5))]
    #[case::nothing(json!({}), &[], None)]
    fn a_busy_organisation_rests_as_long_as_estimated(
        #[case] body: Value,
        #[case] pairs: &[(&'static str, &'static str)],
        #[case] seconds: Option<u64>,
    ) {
        let wait = until_a_session_is_free(Some(&body), &headers(pairs));
        assert_eq!(wait, seconds.map(Duration::from_secs));
    }

    #[rstest]
    #[case::retry_after(&[("retry-after", "5")], Some(6))]
    #[case::reset(&[("ratelimit-reset", "41")], Some(42))]
    #[case::retry_after_first(&[("ratelimit-reset", "41"), ("retry-after", "5")], Some(6))]
    #[case::an_instant_instead_of_a_span(&[("ratelimit-reset", "1795000000")], Some(3600))]
    #[case::too_large_for_any_number(&[("retry-after", "99999999999999999999999")], None)]
    #[case::date(&[("retry-after", "Fri, 20 Nov 2026 08:00:00 GMT")], None)]
    #[case::nothing(&[], None)]
    fn headers_state_a_wait(#[case] pairs: &[(&'static str, &'static str)], #[case] seconds: Option<u64>) {
        assert_eq!(stated(&headers(pairs)), seconds.map(Duration::from_secs));
    }
}
