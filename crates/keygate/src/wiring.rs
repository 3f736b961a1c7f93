//! From a configuration to the parts it describes.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use keygate_actors::{
    Bookkeeper, Chaos, Home, InvalidChaos, KeySupervisor, Prober, SupervisorSpec, clock, start_supervisor,
};
use keygate_alerts::Target;
use keygate_config::{Config, ConfigProblems, LoadRequest, Loaded, ProviderConfig, StoragePlace};
use keygate_domain::{ApiKey, InvalidRedaction, Redactor};
use keygate_keeper::KeeperKind;
use keygate_pool::PoolState;
use keygate_provider::Adapter;
use keygate_telemetry::{LogFormat, OtlpProtocol, OtlpSettings, TelemetrySettings};

use crate::cli::Source;
use crate::environment;

/// Reads and validates the configuration.
pub(crate) fn load(source: &Source, catalogue: &[Adapter]) -> Result<Loaded, ConfigProblems> {
    keygate_config::load(request(source), catalogue)
}

/// What the configuration is read from, now and whenever it is read again.
pub(crate) fn request(source: &Source) -> LoadRequest {
    LoadRequest {
        config: source.config.clone(),
        bind: source.bind,
        environment: environment::read(),
        working_dir: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        allow_empty: source.allow_empty,
        ..LoadRequest::default()
    }
}

/// What a client token of this gateway looks like. Those of the YAML are known by their digest only.
const TOKEN_SHAPE: &str = "kg_[0-9A-Za-z]{20,}";

/// The variables that hold the gateway's own tokens.
const TOKEN_VARIABLES: [&str; 2] = ["KEYGATE_ADMIN_TOKEN", "KEYGATE_CLIENT_TOKENS"];

/// Knows every secret of the configuration and the environment, and what keys and tokens look like.
pub(crate) fn redactor(config: &Config, catalogue: &[Adapter]) -> Result<Redactor, InvalidRedaction> {
    let shapes: Vec<&str> =
        catalogue.iter().flat_map(|adapter| adapter.key_shapes).copied().chain([TOKEN_SHAPE]).collect();
    let redactor = Redactor::new([], &shapes)?;
    teach(&redactor, config)?;
    Ok(redactor)
}

/// Teaches the redactor the secrets of a configuration; it goes on to know earlier ones.
pub(crate) fn teach(redactor: &Redactor, config: &Config) -> Result<(), InvalidRedaction> {
    let environment = environment::read();
    let tokens = TOKEN_VARIABLES.iter().filter_map(|name| environment.get(*name));
    let tokens = tokens.flat_map(|list| list.split(',')).map(str::trim);
    let keys = config.providers.iter().flat_map(|p| p.keys.iter().map(|key| key.secret.expose()));
    let database = match &config.storage.place {
        StoragePlace::Server(url) => url.expose_password(),
        StoragePlace::File(_) | StoragePlace::Memory => None,
    };
    redactor.learn(keys.chain(tokens).chain(database).chain(of_channels(config)).chain(of_bots(config)))
}

/// The addresses of chat rooms are secrets: whoever has one can write there.
fn of_channels(config: &Config) -> impl Iterator<Item = &str> {
    config
        .alerts
        .channels
        .iter()
        .flat_map(|channel| match &channel.target {
            Target::Webhook { url, secret } => [Some(url.expose()), secret.as_ref().map(ApiKey::expose)],
            Target::Slack(url) | Target::Discord(url) => [Some(url.expose()), url.path()],
            Target::Mail(mail) => [Some(mail.server.expose()), mail.server.password()],
        })
        .flatten()
}

fn of_bots(config: &Config) -> impl Iterator<Item = &str> {
    config.session_keepers.iter().flat_map(|keeper| {
        let account = match &keeper.kind {
            KeeperKind::ZaloOa(account) => {
                [Some(account.app_secret.expose()), account.refresh_token.as_ref().map(ApiKey::expose)]
            }
            KeeperKind::Http => [None, None],
        };
        let secret = keeper.secret.as_ref().map(ApiKey::expose);
        let credentials = keeper.credentials.iter().flat_map(|credentials| credentials.secrets());
        account.into_iter().flatten().chain(secret).chain(credentials)
    })
}

/// `google: configured with 3 keys in 2 quota groups`.
pub(crate) fn pool_in_words(provider: &ProviderConfig) -> String {
    let keys = provider.keys.len();
    let groups = group_count(provider);
    format!(
        "{}: configured with {} in {}",
        provider.adapter.name,
        counted(keys, "key"),
        counted(groups, "quota group")
    )
}

fn group_count(provider: &ProviderConfig) -> usize {
    let declared: BTreeSet<_> = provider.keys.iter().filter_map(|key| key.group.as_ref()).collect();
    declared.len() + provider.keys.iter().filter(|key| key.group.is_none()).count()
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Tells how many keys a provider has, and what that means.
pub(crate) fn tell_pool(provider: &ProviderConfig) {
    tracing::info!(event = "pool.configured", "{}", pool_in_words(provider));
    if group_count(provider) < provider.keys.len() {
        tracing::warn!(
            event = "pool.shared_groups",
            "{}: several keys share a quota group: that gives resilience, not quota",
            provider.adapter.name
        );
    }
}

/// How many asks may wait at an actor at once. An answer takes microseconds: a queue this long is
/// an overload, and more waiting would not cure it.
pub(crate) const GATE: usize = 4096;

/// The rehearsal asked for by `KEYGATE_CHAOS`, if any.
pub(crate) fn chaos() -> Result<Option<Chaos>, InvalidChaos> {
    environment::read().get("KEYGATE_CHAOS").map(|text| text.parse()).transpose()
}

/// Starts the supervisor of a provider's keys, and says what it has.
pub(crate) fn supervisor(
    provider: &ProviderConfig,
    chaos: Option<Chaos>,
    memory: Arc<PoolState>,
    bookkeeper: Bookkeeper,
    prober: Prober,
    home: &Home,
) -> KeySupervisor {
    tell_pool(provider);
    let spec = SupervisorSpec {
        provider: provider.adapter.name,
        keys: provider.keys.clone(),
        policy: provider.policy.clone(),
        // Two gateways started together must not bring their keys back together.
        seed: u64::from(std::process::id()).rotate_left(32)
            ^ u64::from(clock::now().wall.subsec_nanosecond().unsigned_abs()),
        gate: GATE,
        chaos,
        memory,
        bookkeeper: Some(bookkeeper),
        prober: Some(prober),
    };
    start_supervisor(spec, home)
}

/// What telemetry is told to do.
pub(crate) fn telemetry(config: &Config) -> TelemetrySettings {
    let log = &config.telemetry.log;
    TelemetrySettings {
        log_format: match log.format {
            keygate_config::LogFormat::Pretty => LogFormat::Pretty,
            keygate_config::LogFormat::Json => LogFormat::Json,
        },
        log_level: quieted(&log.level),
        otlp: config.telemetry.otlp.endpoint.as_ref().map(|endpoint| OtlpSettings {
            endpoint: endpoint.to_string(),
            protocol: match config.telemetry.otlp.protocol {
                keygate_config::OtlpProtocol::Grpc => OtlpProtocol::Grpc,
                keygate_config::OtlpProtocol::Http => OtlpProtocol::Http,
            },
            sample: config.telemetry.otlp.sample,
            content_bytes: config
                .telemetry
                .capture_content
                .map(|content| usize::try_from(content.max_bytes).unwrap_or(usize::MAX)),
            metrics_every: config.telemetry.otlp.metrics_every,
        }),
        service_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// What libraries say of themselves. Whatever of it concerns an operator is told by the gateway in
/// lines of its own; a port scanner must not be able to fill the log through `actix_http`.
const LIBRARIES: &str = "actix_server=warn,actix_http=off,opentelemetry_sdk=off,mio=warn,hyper_util=warn,\
                         reqwest=warn,rustls=warn,sqlx=warn";

/// A plain level is about the gateway; one that names targets is taken as it is.
fn quieted(level: &str) -> String {
    if level.contains(['=', ',']) { level.to_owned() } else { format!("{level},{LIBRARIES}") }
}
