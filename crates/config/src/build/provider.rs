//! `providers.<name>:`, one provider that is on.

use std::time::Duration;

use keygate_domain::KeySpec;
use keygate_limits::RetryPolicy;
use keygate_pool::{Budgets, Cooldowns, Overloaded, Policy, ProbePolicy, QueueBounds, Rotation};
use keygate_provider::Adapter;
use url::{Host, Url};

use super::{Judge, options, probe, rotation, segments, standing_in};
use crate::config::ProviderConfig;
use crate::effective::Effective;
use crate::key_reader::{KeyReader, KeysRead};
use crate::schema::ProviderSection;

pub(super) fn build(
    adapter: &Adapter,
    section: &mut ProviderSection,
    judge: &mut Judge<'_>,
) -> Option<(ProviderConfig, Vec<Effective>)> {
    let path = format!("providers.{}", adapter.name);
    let timeout = *section.timeout.0.get_or_insert(adapter.timeout);
    let base_url = base_url(adapter, section, &path, judge);
    check_times(section, timeout, &path, judge);
    let (keys, shown) = keys(adapter, section, &path, judge);
    let rotation = rotation::build(&mut section.rotation, &format!("{path}.rotation"), judge);
    let probe = probe::build(adapter, &section.probe, &format!("{path}.probe"), judge);
    let options = options::build(adapter, section, &keys, &path, judge);
    let model_fallback = standing_in::model_fallback(adapter, section, &path, judge);
    let messages = standing_in::messages(adapter, section, &path, judge);
    let (policy, retry) = (policy(adapter, section, rotation, probe), retry(section));
    let base_url = base_url?;
    let provider = ProviderConfig {
        adapter: *adapter,
        base_url,
        keys,
        policy,
        retry,
        timeout,
        model_fallback,
        messages,
        options,
    };
    Some((provider, shown))
}

/// The base URL; only TLS leaves the machine, so that no key does in clear text.
fn base_url(
    adapter: &Adapter,
    section: &mut ProviderSection,
    path: &str,
    judge: &mut Judge<'_>,
) -> Option<Url> {
    if section.base_url.0.is_none() {
        section.base_url.0 = Url::parse(adapter.base_url).ok();
    }
    let setting = format!("{path}.base_url");
    let Some(url) = section.base_url.0.clone() else {
        judge.require(false, &setting, "is missing", "write the provider's address");
        return None;
    };
    judge.require(
        url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)),
        &setting,
        "is not https",
        "use https://; http:// is for loopback addresses only",
    );
    judge.require(
        url.username().is_empty() && url.password().is_none(),
        &setting,
        "carries a user name or a password",
        "remove what stands before the @; keys go under `keys`",
    );
    judge.require(
        url.query().is_none() && url.fragment().is_none(),
        &setting,
        "has a query or a fragment",
        "remove what follows ? or #",
    );
    Some(url)
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    }
}

fn check_times(section: &ProviderSection, timeout: Duration, path: &str, judge: &mut Judge<'_>) {
    let rests = &section.cooldowns;
    let retry = &section.retry;
    let times = [
        ("timeout", Some(timeout)),
        ("cooldowns.rate_limited", Some(rests.rate_limited.0)),
        ("cooldowns.quota_exhausted", Some(rests.quota_exhausted.0)),
        ("cooldowns.busy", Some(rests.busy.0)),
        ("cooldowns.group_blocked", Some(rests.group_blocked.0)),
        ("cooldowns.key_forbidden", Some(rests.key_forbidden.0)),
        ("cooldowns.overloaded.at_least", Some(rests.overloaded.at_least.0)),
        ("retry.attempt_timeout", retry.attempt_timeout.0),
        ("retry.stream_attempt_timeout", retry.stream_attempt_timeout.0),
    ];
    for (name, time) in times {
        let is_some_time = time.is_none_or(|time| time > Duration::ZERO);
        judge.require(is_some_time, &format!("{path}.{name}"), "is no time at all", "give it more than 0s");
    }
    judge.require(
        rests.overloaded.at_least.0 <= rests.overloaded.at_most.0,
        &format!("{path}.cooldowns.overloaded"),
        "has at_least above at_most",
        "swap them, or raise at_most",
    );
}

fn policy(
    adapter: &Adapter,
    section: &ProviderSection,
    rotation: Option<Rotation>,
    probe: ProbePolicy,
) -> Policy {
    let rests = &section.cooldowns;
    let models = section.budgets.models.iter();
    Policy {
        strategy: section.strategy.0,
        rotation,
        probe,
        cooldowns: Cooldowns {
            rate_limited: rests.rate_limited.0,
            quota_exhausted: rests.quota_exhausted.0,
            busy: rests.busy.0,
            group_blocked: rests.group_blocked.0,
            key_forbidden: rests.key_forbidden.0,
            overloaded: Overloaded {
                at_least: rests.overloaded.at_least.0,
                at_most: rests.overloaded.at_most.0,
            },
        },
        queue: QueueBounds {
            max_wait: section.queue.max_wait.0,
            max_waiting: usize::try_from(section.queue.max_waiting.0.get()).unwrap_or(usize::MAX),
        },
        budgets: Budgets {
            default: section.budgets.default.allowance(),
            models: models.map(|(name, limits)| (name.as_str().into(), limits.allowance())).collect(),
            margin: section.budgets.margin.0,
            session_length: section.budgets.session_length.0,
            day: adapter.day_ends,
            month: adapter.month_ends,
        },
    }
}

fn retry(section: &ProviderSection) -> RetryPolicy {
    RetryPolicy {
        max_attempts: section.retry.max_attempts.0.get(),
        max_refusals: section.retry.max_refusals.0.get(),
        backoff_at_least: section.cooldowns.overloaded.at_least.0,
        backoff_at_most: section.cooldowns.overloaded.at_most.0,
        attempt_timeout: section.retry.attempt_timeout.0,
        stream_attempt_timeout: section.retry.stream_attempt_timeout.0,
    }
}

fn keys(
    adapter: &Adapter,
    section: &ProviderSection,
    path: &str,
    judge: &mut Judge<'_>,
) -> (Vec<KeySpec>, Vec<Effective>) {
    let layers = judge.layers;
    let place_of = |index: usize| layers.place(&segments(&format!("{path}.keys.{index}.secret")));
    let read = KeyReader::new(adapter, judge.sources, judge.findings).read(section, place_of);
    let is_told = read.has_failed || judge.findings.is_blamed(&["providers", adapter.name.as_str(), "keys"]);
    if read.keys.is_empty() && !is_told {
        tell_no_keys(adapter, section, &read, path, judge);
    }
    (read.keys, read.shown)
}

fn tell_no_keys(
    adapter: &Adapter,
    section: &ProviderSection,
    read: &KeysRead,
    path: &str,
    judge: &mut Judge<'_>,
) {
    let what = no_keys(adapter, read.blank.first().map(String::as_str));
    if judge.allow_empty {
        let text = format!("{}: {what}; the provider is unavailable until it has a key", adapter.name);
        return judge.findings.warn(judge.layers.place(&segments(path)), text);
    }
    let places = places_looked_at(adapter, section.keys_from_env.0, judge);
    let place = judge.place(path);
    judge.findings.problem(
        place,
        format!("{}: {what}", adapter.name),
        format!("looked at {places}; set one of them, remove the provider, or start with --allow-empty"),
    );
}

/// The sentence for a provider without a key; `blank` is a variable that is set to nothing.
pub(super) fn no_keys(adapter: &Adapter, blank: Option<&str>) -> String {
    let canonical = adapter.key_variables.canonical;
    blank.map_or_else(
        || format!("{canonical} not set in environment. Format: 'key1,key2,key3'"),
        |name| format!("No valid API keys found in {name}"),
    )
}

/// Everything that may hold a key of the provider.
pub(super) fn places_looked_at(adapter: &Adapter, keys_from_env: bool, judge: &Judge<'_>) -> String {
    let names = &adapter.key_variables;
    let mut places = vec![format!("`providers.{}.keys`", adapter.name)];
    if keys_from_env {
        places.extend(names.lists.iter().map(|name| (*name).to_owned()));
        places.extend(names.numbered.iter().map(|prefix| format!("{prefix}1…N")));
    }
    let dotenv = match &judge.sources.environment.dotenv {
        Some(path) => format!("the environment and {}", path.display()),
        None => "the environment (there is no .env)".to_owned(),
    };
    format!("{} in {dotenv}", places.join(", "))
}
