//! How long the provider keeps a thing, by its own words.

use std::time::Duration;

use jiff::Timestamp;

use crate::references::split;

/// Longest lifetime believed.
const LONGEST: Duration = Duration::from_hours(24 * 400);

/// What `thing` says of its end, counted from its own last date: adapters read no clock. A `ttl` stands for
/// itself.
pub(super) fn told(thing: &[u8]) -> Option<Duration> {
    let mut end = None;
    let mut dates: [Option<Timestamp>; 2] = [None; 2];
    for (key, value) in split::members(thing) {
        match key.read().as_deref() {
            Some("expireTime" | "expire_time" | "expirationTime" | "expiration_time") => end = date(value),
            Some("createTime" | "create_time" | "created") => dates[0] = date(value),
            Some("updateTime" | "update_time" | "updated") => dates[1] = date(value),
            Some("ttl") => return ttl(value),
            _ => {}
        }
    }
    let last = dates.into_iter().flatten().max()?;
    Duration::try_from(end?.duration_since(last)).ok().map(bounded)
}

/// A duration as protobuf has it in JSON: `"300s"`, `"1.5s"`.
fn ttl(value: &[u8]) -> Option<Duration> {
    let seconds = split::string(value)?.strip_suffix('s')?.parse::<f64>().ok()?;
    Duration::try_from_secs_f64(seconds).ok().map(bounded)
}

fn bounded(lifetime: Duration) -> Duration {
    lifetime.min(LONGEST)
}

fn date(value: &[u8]) -> Option<Timestamp> {
    split::string(value)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(r#"{"createTime":"2026-11-20T10:00:00Z","expireTime":"2026-11-20T11:00:00.5Z"}"#, Some(3600.5))]
    #[case(r#"{"create_time":"2026-11-20T10:00:00Z","updateTime":"2026-11-20T10:30:00Z","expirationTime":"2026-11-20T11:00:00Z"}"#, Some(1800.0))]
    #[case(r#"{"ttl":"300s"}"#, Some(300.0))]
    #[case(r#"{"ttl":"1.5s","expireTime":"2026-11-20T11:00:00Z"}"#, Some(1.5))]
    #[case(r#"{"expireTime":"2026-11-20T11:00:00Z"}"#, None)]
    #[case(r#"{"createTime":"2026-11-20T12:00:00Z","expireTime":"2026-11-20T11:00:00Z"}"#, None)]
    #[case(r#"{"createTime":"2026-11-20T12:00:00Z","expireTime":"9026-11-20T11:00:00Z"}"#, Some(24.0 * 3600.0 * 400.0))]
    #[case(r#"{"ttl":"soon"}"#, None)]
    #[case("[]", None)]
    fn a_thing_says_when_it_ends(#[case] thing: &str, #[case] seconds: Option<f64>) {
        assert_eq!(told(thing.as_bytes()), seconds.map(Duration::from_secs_f64));
    }
}
