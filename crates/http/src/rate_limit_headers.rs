//! `RateLimit` and `RateLimit-Policy` (IETF draft-ietf-httpapi-ratelimit-headers): what a user has
//! of its minute.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use keygate_limits::{Admitted, TurnedAway, TurnedAwayWhy};

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// For an answer: what is left.
pub(crate) fn put_allowance(response: &mut HttpResponse, allowance: &Admitted) {
    put_both(response, allowance.limit, allowance.remaining, allowance.window_resets_in);
}

/// For a refusal: when there is something again. Only a refusal that is about the minute; other
/// limits have other numbers, which these headers would pass off as requests per minute.
pub(crate) fn put_refused(response: &mut HttpResponse, away: &TurnedAway) {
    match away.why {
        TurnedAwayWhy::Window | TurnedAwayWhy::Burst | TurnedAwayWhy::TooLarge => {
            put_both(response, away.limit, 0, away.retry_after);
        }
        TurnedAwayWhy::Concurrent | TurnedAwayWhy::Peer | TurnedAwayWhy::Full => {}
    }
}

fn put_both(response: &mut HttpResponse, limit: u32, remaining: u32, resets_in: Duration) {
    let seconds = resets_in.as_secs() + u64::from(resets_in.subsec_nanos() > 0);
    // Pieces put together cost half of what a format string does, and every answer carries these.
    let (limit, remaining, seconds) = (limit.to_string(), remaining.to_string(), seconds.to_string());
    put_owned(response, RATELIMIT_POLICY, ["\"user\";q=", &limit, ";w=60"].concat());
    put_owned(response, RATELIMIT, ["\"user\";r=", &remaining, ";t=", &seconds].concat());
}

fn put_owned(response: &mut HttpResponse, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(why: TurnedAwayWhy) -> Option<String> {
        let mut response = HttpResponse::new(actix_web::http::StatusCode::TOO_MANY_REQUESTS);
        put_refused(&mut response, &TurnedAway { retry_after: Duration::from_millis(2500), limit: 20, why });
        let value = response.headers().get("ratelimit")?;
        Some(value.to_str().unwrap().to_owned())
    }

    #[test]
    fn only_refusals_about_the_minute_tell_the_minute() {
        for why in [TurnedAwayWhy::Window, TurnedAwayWhy::Burst, TurnedAwayWhy::TooLarge] {
            assert_eq!(told(why).as_deref(), Some("\"user\";r=0;t=3"), "{why}");
        }
        for why in [TurnedAwayWhy::Concurrent, TurnedAwayWhy::Peer, TurnedAwayWhy::Full] {
            assert_eq!(told(why), None, "{why}");
        }
    }

    #[test]
    fn a_full_window_is_a_minute_and_not_more() {
        let mut response = HttpResponse::new(actix_web::http::StatusCode::OK);
        let allowance = Admitted { limit: 20, remaining: 19, window_resets_in: Duration::from_mins(1) };
        put_allowance(&mut response, &allowance);
        assert_eq!(response.headers().get("ratelimit").unwrap(), "\"user\";r=19;t=60");
    }
}
