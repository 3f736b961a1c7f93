//! The command line of `keygate plan`.

use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use clap::Args;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};
use keygate_domain::{Allowance, Metric};
use keygate_planner::Profile;
use keygate_pool::Strategy;

/// What is planned. Keys, groups, budgets, strategy and queue are those of the configuration, unless they
/// are given here.
#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    /// The YAML file [default: ./keygate.yaml, then ./config/keygate.yaml, then built-in defaults].
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Whose pool [default: the first provider that has keys].
    #[arg(long, value_name = "NAME")]
    pub(super) provider: Option<String>,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) pool: PoolArguments,
    #[command(flatten)]
    pub(super) limits: LimitArguments,
    #[command(flatten)]
    pub(super) traffic: TrafficArguments,
    /// The share of requests that has to get a key: 99.9% or 0.999.
    #[arg(long, value_name = "SHARE", default_value = "99.9%", value_parser = share)]
    pub(super) objective: f64,
    /// Chance: another seed is another traffic of the same shape.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(super) seed: u64,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Pool")]
pub(super) struct PoolArguments {
    /// So many quota groups, instead of those configured.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) groups: Option<u32>,
    /// Keys of each of --groups.
    #[arg(long, value_name = "COUNT", default_value_t = 1, requires = "groups",
        value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) keys_per_group: u32,
    /// Which key comes next: `round_robin`, `weighted`, `primary_backup`, `least_recently_used`, `health`,
    /// `headroom`.
    #[arg(long, value_name = "NAME", value_parser = strategy)]
    pub(super) strategy: Option<Strategy>,
    /// The longest wait for a key.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) max_wait: Option<Duration>,
    /// Requests of one user in any 60 seconds.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) user_requests_per_minute: Option<u32>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Budgets of each group and model, instead of those configured")]
pub(super) struct LimitArguments {
    /// Requests in any 60 seconds.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    requests_per_minute: Option<u64>,
    /// Requests in a day of the provider.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    requests_per_day: Option<u64>,
    /// Tokens sent in any 60 seconds.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    input_tokens_per_minute: Option<u64>,
    /// Tokens sent and received in a day of the provider.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    tokens_per_day: Option<u64>,
    /// Tokens sent and received in a calendar month.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    tokens_per_month: Option<u64>,
    /// Requests, or sessions, at the same time.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    concurrent: Option<u64>,
    /// Shortest time between the starts of two requests.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    min_interval: Option<Duration>,
    /// What the provider really grants, where that is not what is budgeted; may be repeated:
    /// `requests_per_minute=60`.
    #[arg(long, value_name = "METRIC=COUNT", value_parser = grant)]
    granted: Vec<(Metric, u64)>,
}

impl LimitArguments {
    /// The budgets given.
    pub(super) fn budgets(&self) -> Allowance {
        Allowance {
            requests_per_minute: self.requests_per_minute,
            requests_per_day: self.requests_per_day,
            input_tokens_per_minute: self.input_tokens_per_minute,
            tokens_per_day: self.tokens_per_day,
            tokens_per_month: self.tokens_per_month,
            concurrent: self.concurrent,
            min_interval: self.min_interval,
        }
    }

    /// What the provider grants otherwise.
    pub(super) fn granted(&self) -> Allowance {
        self.granted.iter().fold(Allowance::default(), |all, (metric, limit)| all.at_most(*metric, *limit))
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Traffic")]
pub(super) struct TrafficArguments {
    /// Users.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) users: u32,
    /// Requests of each user in a day, on the average.
    #[arg(long, value_name = "NUMBER", default_value_t = 20.0, value_parser = rate)]
    pub(super) requests_per_user_per_day: f64,
    /// Requests of a user in a row.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) burst: u32,
    /// Time between two requests of a burst.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
    pub(super) burst_gap: Duration,
    /// The hours of the day: even, office, evening, or 24 weights from midnight on: 0,0,1,…
    #[arg(long, value_name = "NAME", default_value = "office", value_parser = Profile::from_str)]
    pub(super) profile: Profile,
    /// Whose hours they are: `Asia/Jakarta`, `America/New_York` …
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = zone)]
    pub(super) time_zone: TimeZone,
    /// A model and its share of the requests; may be repeated: `gemini-2.5-flash=0.8`.
    #[arg(long = "model", value_name = "NAME[=SHARE]", value_parser = model)]
    pub(super) models: Vec<(String, f64)>,
    /// Tokens sent with a request, on the average.
    #[arg(long, value_name = "COUNT", default_value_t = 500)]
    pub(super) input_tokens: u64,
    /// Tokens of an answer, on the average.
    #[arg(long, value_name = "COUNT", default_value_t = 300)]
    pub(super) output_tokens: u64,
    /// How long the provider takes to answer, on the average.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub(super) latency: Duration,
    /// When callers hang up [default: the deadline of a request].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) patience: Option<Duration>,
    /// Requests open sessions (avatars) that last so long, on the average.
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "models")]
    pub(super) session_length: Option<Duration>,
    /// How long: 90m, 12h, 30d, 52w.
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = long_duration)]
    pub(super) span: Duration,
    /// From when on: a date, or a moment such as 2026-03-01T08:00:00Z.
    #[arg(long, value_name = "TIME", default_value = "2026-01-01", value_parser = start)]
    pub(super) start: Timestamp,
    /// Requests as they came, instead of users: CSV with a header, or a JSON object a line, with `time`,
    /// `user`, `model`, `input_tokens`, `output_tokens`. Only `time` is needed.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["users", "requests_per_user_per_day", "burst",
        "burst_gap", "profile", "models", "session_length", "span", "start"])]
    pub(super) log: Option<PathBuf>,
}

/// `500ms`, `2s`, `1h 30m`.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<SignedDuration>().ok().and_then(|signed| Duration::try_from(signed).ok());
    parsed.ok_or_else(|| "not a duration with its unit, such as 500ms, 30s, 5m or 1h".to_owned())
}

/// The same, days and weeks too; longer than nothing, and not longer than ten years.
fn long_duration(text: &str) -> Result<Duration, String> {
    const MOST: Duration = Duration::from_hours(24 * 3660);
    let in_days = |count: &str, days: u64| {
        let hours = count.trim().parse::<u64>().ok()?.checked_mul(days * 24)?;
        (hours <= MOST.as_secs() / 3600).then(|| Duration::from_hours(hours))
    };
    let whole = match text.as_bytes().last() {
        Some(b'd') => in_days(&text[..text.len() - 1], 1),
        Some(b'w') => in_days(&text[..text.len() - 1], 7),
        _ => duration(text).ok(),
    };
    whole
        .filter(|span| !span.is_zero() && *span <= MOST)
        .ok_or_else(|| "not a duration such as 90m, 12h, 30d or 52w, of at most ten years".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    let parsed = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse::<f64>(),
    };
    let share = parsed.ok().filter(|share| *share > 0.0 && *share <= 1.0);
    share.ok_or_else(|| "not a share such as 99.9% or 0.999".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let parsed = text.parse::<f64>().ok().filter(|rate| *rate > 0.0 && *rate <= 1e6);
    parsed.ok_or_else(|| "not a number above 0, at most 1000000".to_owned())
}

fn zone(text: &str) -> Result<TimeZone, String> {
    let found = jiff::tz::TimeZoneDatabase::bundled().get(text);
    found.map_err(|_| "not a time zone by its name, such as UTC, America/New_York or Asia/Jakarta".to_owned())
}

fn start(text: &str) -> Result<Timestamp, String> {
    let date = |text: &str| text.parse::<civil::Date>().ok()?.to_zoned(TimeZone::UTC).ok();
    let parsed = text.parse::<Timestamp>().ok().or_else(|| date(text).map(|zoned| zoned.timestamp()));
    parsed.ok_or_else(|| "neither a date, 2026-03-01, nor a moment, 2026-03-01T08:00:00Z".to_owned())
}

fn strategy(text: &str) -> Result<Strategy, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

fn model(text: &str) -> Result<(String, f64), String> {
    let (name, share) = text.split_once('=').unwrap_or((text, "1"));
    let share = share.trim().parse::<f64>().ok().filter(|share| *share > 0.0 && share.is_finite());
    match share {
        Some(share) if !name.trim().is_empty() => Ok((name.trim().to_owned(), share)),
        _ => Err("not a model, or a model and its share: gemini-2.5-flash=0.8".to_owned()),
    }
}

fn grant(text: &str) -> Result<(Metric, u64), String> {
    let known = || Allowance::METRICS.map(Metric::as_str).join(", ");
    let (name, limit) = text.split_once('=').ok_or("not a metric and a number: requests_per_minute=60")?;
    let metric = Allowance::METRICS.into_iter().find(|metric| metric.as_str() == name);
    let metric = metric.ok_or_else(|| format!("no such metric; there are {}", known()))?;
    let limit = limit.parse::<u64>().ok().filter(|limit| *limit > 0);
    Ok((metric, limit.ok_or("the limit is not a number above 0")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_may_be_days_and_weeks() {
        assert_eq!(long_duration("365d"), Ok(Duration::from_hours(365 * 24)));
        assert_eq!(long_duration("2w"), Ok(Duration::from_hours(14 * 24)));
        assert_eq!(long_duration("90m"), Ok(Duration::from_mins(90)));
        for bad in ["", "d", "0d", "-1d", "1y", "99999999999999999999d", "4000d", "30"] {
            assert!(long_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn objectives_are_shares() {
        assert_eq!(share("99%"), Ok(0.99));
        assert_eq!(share("0.5"), Ok(0.5));
        for bad in ["", "%", "0", "101%", "1.5", "NaN", "-1"] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn models_have_shares_and_grants_metrics() {
        assert_eq!(model("flash=0.8"), Ok(("flash".to_owned(), 0.8)));
        assert_eq!(model("flash"), Ok(("flash".to_owned(), 1.0)));
        assert!(model("=1").is_err() && model("flash=x").is_err() && model("flash=0").is_err());
        assert_eq!(grant("concurrent=3"), Ok((Metric::Concurrent, 3)));
        assert!(grant("rpm=3").unwrap_err().contains("requests_per_minute"));
        assert!(grant("concurrent").is_err() && grant("concurrent=0").is_err());
    }

    #[test]
    fn starts_are_dates_or_moments() {
        assert_eq!(start("2026-01-01"), start("2026-01-01T00:00:00Z"));
        assert!(start("tomorrow").is_err());
    }
}
