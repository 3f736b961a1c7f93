//! The configuration as the rest of the house uses it: read, resolved and valid.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keygate_alerts::AlertSettings;
use keygate_domain::{DatabaseUrl, KeySpec, Messages, ModelList, ModelName, PlanName, Right, UserLimits};
use keygate_keeper::KeeperSettings;
use keygate_limits::{Plans, RetryPolicy, UserPolicy};
use keygate_pool::Policy;
use keygate_provider::{Adapter, ProviderOptions};
use url::Url;

use crate::tls::TlsIdentity;

/// Everything the gateway was told. A value of this type cannot be wrong later.
#[derive(Clone, Debug)]
pub struct Config {
    /// The front door.
    pub server: ServerConfig,
    /// Who may come in.
    pub clients: ClientsConfig,
    /// How much one user may have.
    pub limits: LimitsConfig,
    /// What users may have in a day and in a month.
    pub plans: Plans,
    /// Plain questions, answered by Gemini.
    pub assistant: AssistantConfig,
    /// What users are told when every key failed.
    pub answers: AnswersConfig,
    /// Answers that are given again.
    pub cache: CacheConfig,
    /// What outlives the process.
    pub storage: StorageConfig,
    /// Logs, traces and metrics.
    pub telemetry: TelemetryConfig,
    /// What operators are told of, and where.
    pub alerts: AlertSettings,
    /// The bots whose sessions are kept alive.
    pub session_keepers: Vec<KeeperSettings>,
    /// The providers that are on, in the order of the catalogue.
    pub providers: Vec<ProviderConfig>,
}

/// The front door.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerConfig {
    /// Where the gateway listens.
    pub bind: SocketAddr,
    /// The certificate with which clients are spoken with; plain HTTP without one.
    pub tls: Option<TlsIdentity>,
    /// Worker threads of the HTTP front.
    pub workers: NonZeroU32,
    /// The largest request body, in bytes.
    pub max_body: u64,
    /// The largest body of an upload, in bytes.
    pub max_upload: u64,
    /// Where clients reach the gateway, if that is not to be taken from their requests.
    pub public_url: Option<Url>,
    /// How long new requests are still taken at shutdown, while readiness is red.
    pub shutdown_delay: Duration,
    /// How long running requests may take to finish at shutdown.
    pub shutdown_grace: Duration,
    /// Whether status and metrics are open to everybody.
    pub status_public: bool,
    /// Connections of clients at the same time, over all workers.
    pub max_connections: NonZeroU32,
    /// How long a client may take to send a request's head.
    pub request_head_timeout: Duration,
    /// Which pages in browsers may use the gateway.
    pub cors: CorsConfig,
}

/// Which pages in browsers may use the gateway, by their origin: `https://app.example.com`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum CorsConfig {
    /// None but the gateway's own.
    #[default]
    Nobody,
    /// These.
    Origins(Vec<String>),
    /// All.
    Everybody,
}

/// Who may come in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientsConfig {
    /// Whether a token is asked for.
    pub auth: AuthMode,
    /// The tokens that are known.
    pub tokens: Vec<ClientToken>,
    /// The SHA-256 sum of the admin token, if one is set.
    pub admin_token_sha256: Option<[u8; 32]>,
}

impl ClientsConfig {
    /// Whether a token is asked for and none is known from here: then only those in the database are.
    pub fn relies_on_kept_tokens(&self) -> bool {
        self.auth == AuthMode::Required && self.tokens.is_empty()
    }
}

/// Whether a token is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuthMode {
    /// No token is needed; the peer is trusted.
    Open,
    /// Every request needs a token that is known.
    Required,
}

/// A client's token; the token itself is not kept.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientToken {
    /// The client's name.
    pub name: String,
    /// The SHA-256 sum of the token.
    pub sha256: [u8; 32],
    /// What the client may do.
    pub rights: BTreeSet<Right>,
    /// The models it may name, if not all.
    pub models: Option<ModelList>,
    /// The plan of its users, if it is not everybody's.
    pub plan: Option<PlanName>,
    /// The limits of its users, where they differ.
    pub limits: UserLimits,
}

impl fmt::Debug for ClientToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientToken({:?} *** {:?})", self.name, self.rights)
    }
}

/// How much one user may have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LimitsConfig {
    /// The limits of each user.
    pub per_user: UserPolicy,
    /// The request header in which a client names its user.
    pub user_header: String,
}

/// Plain questions, answered by Gemini.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AssistantConfig {
    /// The model that answers where a question names none.
    pub model: String,
    /// What the model is told first where a question does not bring its own.
    pub system: Option<String>,
}

/// What users are told when every key failed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct AnswersConfig {
    /// Whether stored answers are used.
    pub enabled: bool,
    /// How well one must fit to be used, from 0 to 1.
    pub threshold: f64,
    /// Whether answers to anything are used where no other fits.
    pub catch_all: bool,
}

/// Answers that are given again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CacheConfig {
    /// Whether they are.
    pub enabled: bool,
    /// For how long.
    pub ttl: Duration,
    /// How much memory they may take, in bytes.
    pub max_size: u64,
}

/// What outlives the process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StorageConfig {
    /// Where it is kept.
    pub place: StoragePlace,
    /// How long the ledger is kept; without it for ever.
    pub ledger_retention: Option<Duration>,
}

/// Where it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoragePlace {
    /// In a file; a relative path starts from the working directory.
    File(PathBuf),
    /// In memory: it ends with the process after all.
    Memory,
    /// On a PostgreSQL server.
    Server(DatabaseUrl),
}

/// Logs, traces and metrics.
#[derive(Clone, PartialEq, Debug)]
pub struct TelemetryConfig {
    /// Logs.
    pub log: LogConfig,
    /// Traces, and metrics that are sent.
    pub otlp: OtlpConfig,
    /// Prompts and answers on spans, if they are.
    pub capture_content: Option<CaptureContent>,
    /// Whether metrics are counted, and told to scrapers.
    pub metrics: bool,
}

/// Logs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogConfig {
    /// How a line looks.
    pub format: LogFormat,
    /// What is logged: a level, or directives such as `info,keygate_pool=debug`.
    pub level: String,
}

/// How a log line looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Pretty,
    /// One JSON object a line.
    Json,
}

/// How much of prompts and answers goes along with traces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CaptureContent {
    /// Most bytes of one request.
    pub max_bytes: u64,
}

/// Traces, and metrics that are sent.
#[derive(Clone, PartialEq, Debug)]
pub struct OtlpConfig {
    /// Where they are sent; nowhere if `None`.
    pub endpoint: Option<Url>,
    /// How they are sent.
    pub protocol: OtlpProtocol,
    /// The share of traces that is sent, from 0 to 1.
    pub sample: f64,
    /// How often metrics are sent, if they are.
    pub metrics_every: Option<Duration>,
}

/// How spans are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OtlpProtocol {
    /// gRPC.
    #[default]
    Grpc,
    /// Protobuf over HTTP.
    Http,
}

/// A provider that is on.
#[derive(Clone)]
pub struct ProviderConfig {
    /// Its entry in the catalogue.
    pub adapter: Adapter,
    /// Where it lives; https, or http on loopback.
    pub base_url: Url,
    /// Its keys, in the order they are used; empty only if the request for loading allowed it.
    pub keys: Vec<KeySpec>,
    /// How a key is chosen and how long it rests.
    pub policy: Policy,
    /// When a request is sent again.
    pub retry: RetryPolicy,
    /// The deadline of a whole request, attempts included.
    pub timeout: Duration,
    /// The models to ask, one after the other, when every key failed for one.
    pub model_fallback: Arc<BTreeMap<ModelName, Vec<ModelName>>>,
    /// What users are told when nobody can answer them.
    pub messages: Messages,
    /// What its translation is made with.
    pub options: ProviderOptions,
}

impl fmt::Debug for ProviderConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderConfig")
            .field("name", &self.adapter.name)
            .field("base_url", &self.base_url.as_str())
            .field("keys", &self.keys)
            .field("policy", &self.policy)
            .field("retry", &self.retry)
            .field("timeout", &self.timeout)
            .field("model_fallback", &self.model_fallback)
            .field("messages", &self.messages)
            .field("options", &self.options)
            .finish()
    }
}
