//! From the configuration and the command line to what is planned.

use keygate_config::{Config, ProviderConfig};
use keygate_domain::{Allowance, KeySpec, Metric, ModelName};
use keygate_limits::{RetryPolicy, UserPolicy};
use keygate_planner::{Scenario, Shape, Traffic, planned_keys};
use keygate_pool::{Budgets, Policy};
use keygate_provider::Adapter;

use super::arguments::{PlanArguments, TrafficArguments};
use super::log::Log;
use crate::cli::Source;
use crate::wiring;

/// What is planned, and for whom.
pub(super) struct Planned {
    pub(super) provider: Adapter,
    pub(super) scenario: Scenario,
    pub(super) traffic: Box<dyn Traffic>,
    /// What the reader should know besides the report.
    pub(super) notes: Vec<String>,
}

/// Keys that are made up at most.
const MOST_KEYS: u64 = 100_000;

/// The model of requests that name none.
const ANY_MODEL: &str = "any-model";

/// Reads the configuration and lays the command line over it.
///
/// # Errors
/// What is wrong, and what to do, in sentences for whoever typed it.
pub(super) fn planned(arguments: &PlanArguments, catalogue: &[Adapter]) -> Result<Planned, String> {
    let source = Source { config: arguments.config.clone(), bind: None, allow_empty: true };
    let loaded = wiring::load(&source, catalogue).map_err(|problems| problems.to_string())?;
    let (provider, configured) = provider(arguments, &loaded.config, catalogue)?;
    let keys = keys(arguments, &provider, configured)?;
    let (traffic, starts, span) = traffic(arguments)?;
    let policy = policy(arguments, &provider, configured);
    let notes = notes(&policy, &keys, &*traffic, arguments);
    let limits = &loaded.config.limits.per_user;
    let scenario = Scenario {
        keys,
        policy,
        retry: configured.map_or_else(RetryPolicy::default, |provider| provider.retry),
        per_user: per_user(arguments, limits),
        timeout: configured.map_or(provider.timeout, |provider| provider.timeout),
        patience: arguments.traffic.patience,
        granted: arguments.limits.granted(),
        latency: arguments.traffic.latency,
        session_length: arguments.traffic.session_length,
        starts,
        span,
        zone: arguments.traffic.time_zone.clone(),
        seed: arguments.seed,
    };
    Ok(Planned { provider, scenario, traffic, notes })
}

fn provider<'c>(
    arguments: &PlanArguments,
    config: &'c Config,
    catalogue: &[Adapter],
) -> Result<(Adapter, Option<&'c ProviderConfig>), String> {
    let Some(name) = &arguments.provider else {
        let configured = config.providers.iter().find(|provider| !provider.keys.is_empty());
        let configured = configured.or(config.providers.first());
        let adapter = configured.map(|provider| provider.adapter).or(catalogue.first().copied());
        return Ok((adapter.ok_or("this build knows no provider")?, configured));
    };
    let is_called =
        |adapter: &Adapter| adapter.name.as_str() == name || adapter.aliases.contains(&name.as_str());
    let Some(adapter) = catalogue.iter().copied().find(is_called) else {
        let known: Vec<&str> = catalogue.iter().map(|adapter| adapter.name.as_str()).collect();
        return Err(format!("there is no provider {name}; --provider is one of {}", known.join(", ")));
    };
    Ok((adapter, config.providers.iter().find(|provider| provider.adapter.name == adapter.name)))
}

fn keys(
    arguments: &PlanArguments,
    provider: &Adapter,
    configured: Option<&ProviderConfig>,
) -> Result<Vec<KeySpec>, String> {
    if let Some(groups) = arguments.pool.groups {
        if u64::from(groups) * u64::from(arguments.pool.keys_per_group) > MOST_KEYS {
            return Err(format!("--groups times --keys-per-group is more than {MOST_KEYS} keys"));
        }
        return Ok(planned_keys(groups, arguments.pool.keys_per_group));
    }
    let keys = configured.map(|provider| without(&provider.keys, &arguments.limits.budgets()));
    keys.filter(|keys| !keys.is_empty()).ok_or_else(|| {
        format!(
            "{} has no key to plan with: configure its keys, or plan with --groups 3 (and what each may use: \
             --requests-per-minute 60)",
            provider.name
        )
    })
}

/// The keys without limits of their own where one is given for all.
fn without(keys: &[KeySpec], given: &Allowance) -> Vec<KeySpec> {
    keys.iter().map(|spec| KeySpec { allowance: cleared(spec.allowance, given), ..spec.clone() }).collect()
}

/// `allowance` but for what `given` limits.
fn cleared(allowance: Allowance, given: &Allowance) -> Allowance {
    let keep = |metric: Metric| given.limit(metric).is_none();
    Allowance {
        requests_per_minute: allowance.requests_per_minute.filter(|_| keep(Metric::RequestsPerMinute)),
        requests_per_day: allowance.requests_per_day.filter(|_| keep(Metric::RequestsPerDay)),
        input_tokens_per_minute: allowance
            .input_tokens_per_minute
            .filter(|_| keep(Metric::InputTokensPerMinute)),
        tokens_per_day: allowance.tokens_per_day.filter(|_| keep(Metric::TokensPerDay)),
        tokens_per_month: allowance.tokens_per_month.filter(|_| keep(Metric::TokensPerMonth)),
        concurrent: allowance.concurrent.filter(|_| keep(Metric::Concurrent)),
        min_interval: allowance.min_interval.filter(|_| keep(Metric::MinInterval)),
    }
}

fn policy(arguments: &PlanArguments, provider: &Adapter, configured: Option<&ProviderConfig>) -> Policy {
    let calendar = Budgets { day: provider.day_ends, month: provider.month_ends, ..Budgets::default() };
    let mut policy = configured.map_or_else(
        || Policy { budgets: calendar, ..Policy::default() },
        |provider| provider.policy.clone(),
    );
    let given = arguments.limits.budgets();
    policy.budgets.default = given.or(policy.budgets.default);
    policy.budgets.models.values_mut().for_each(|allowance| *allowance = cleared(*allowance, &given));
    policy.strategy = arguments.pool.strategy.unwrap_or(policy.strategy);
    policy.queue.max_wait = arguments.pool.max_wait.unwrap_or(policy.queue.max_wait);
    policy
}

fn per_user(arguments: &PlanArguments, configured: &UserPolicy) -> UserPolicy {
    match arguments.pool.user_requests_per_minute {
        Some(requests) => UserPolicy { requests_per_minute: requests, burst: requests, ..*configured },
        None => *configured,
    }
}

type Span = (Box<dyn Traffic>, jiff::Timestamp, std::time::Duration);

fn traffic(arguments: &PlanArguments) -> Result<Span, String> {
    let told = &arguments.traffic;
    if let Some(path) = &told.log {
        let log = Log::open(path, told.input_tokens, told.output_tokens, ANY_MODEL)?;
        let (starts, span) = (log.starts(), log.span());
        return Ok((Box::new(log), starts, span));
    }
    Ok((Box::new(shape(told, arguments.seed)), told.start, told.span))
}

fn shape(told: &TrafficArguments, seed: u64) -> Shape {
    let any = [(ANY_MODEL.to_owned(), 1.0)];
    let models = if told.models.is_empty() { &any[..] } else { &told.models };
    Shape {
        users: Shape::users(told.users),
        requests_per_user_per_day: told.requests_per_user_per_day,
        burst: told.burst,
        burst_gap: told.burst_gap,
        profile: told.profile.clone(),
        zone: told.time_zone.clone(),
        models: models.iter().map(|(name, _)| name.as_str().into()).collect(),
        shares: models.iter().map(|(_, share)| *share).collect(),
        input_tokens: told.input_tokens,
        output_tokens: told.output_tokens,
        starts: told.start,
        span: told.span,
        seed,
    }
}

fn notes(policy: &Policy, keys: &[KeySpec], traffic: &dyn Traffic, arguments: &PlanArguments) -> Vec<String> {
    let budgets = &policy.budgets;
    let is_limited = |allowance: &Allowance| !allowance.is_unlimited();
    let all = [budgets.default, arguments.limits.granted()];
    let mut limits = all.iter().chain(budgets.models.values()).chain(keys.iter().map(|key| &key.allowance));
    let mut notes = Vec::new();
    if !limits.any(is_limited) {
        let what =
            "No limit is configured or given, so nothing is in the way. Give what your tier grants, such as";
        notes.push(format!("{what} --requests-per-minute 60."));
    }
    let missed: Vec<&str> = budgets.models.keys().map(ModelName::as_str).collect();
    let is_named = traffic.models().iter().any(|model| budgets.models.contains_key(model));
    if !missed.is_empty() && !is_named && arguments.traffic.session_length.is_none() {
        notes.push(format!(
            "The configured budgets of {} are not met: name the models of the traffic, --model {}=0.8.",
            missed.join(", "),
            missed[0]
        ));
    }
    notes
}
