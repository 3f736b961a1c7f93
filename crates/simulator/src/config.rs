//! Who exists in the simulated world: projects, organisations, their keys and limits.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::anam::AnamRow;
use crate::google::GoogleRow;
use crate::quota::{MinuteShape, ModelLimits};

/// How a simulator starts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimConfig {
    /// Where the Gemini listener binds; port 0 takes a free one.
    pub google_bind: SocketAddr,
    /// Where the Anam listener binds; port 0 takes a free one.
    pub anam_bind: SocketAddr,
    /// Simulated seconds per real second; 0 stands still and moves only when advanced.
    pub speed: f64,
    /// The simulated time at the start; the machine's when absent.
    pub starts_at: Option<Timestamp>,
    /// Who exists; [`Population::default`] when absent.
    pub population: Population,
}

impl Default for SimConfig {
    fn default() -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            google_bind: loopback,
            anam_bind: loopback,
            speed: 1.0,
            starts_at: None,
            population: Population::default(),
        }
    }
}

/// Projects and organisations. Declaring a name again replaces it, its used quota included.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// Gemini.
    #[serde(default)]
    pub google: GoogleConfig,
    /// Anam.
    #[serde(default)]
    pub anam: AnamConfig,
    /// New states of keys that exist already: key to state.
    #[serde(default)]
    pub states: BTreeMap<String, KeyState>,
}

impl Population {
    /// Nobody.
    pub fn empty() -> Self {
        Self { google: GoogleConfig::default(), anam: AnamConfig::default(), states: BTreeMap::new() }
    }
}

impl Default for Population {
    fn default() -> Self {
        let google = |name: &str, keys: &[&str]| GoogleProject {
            keys: keys.iter().map(|key| GoogleKey::new(*key)).collect(),
            ..GoogleProject::named(name)
        };
        let anam = |name: &str, key: &str| AnamOrganization {
            keys: vec![AnamKey::new(key)],
            ..AnamOrganization::named(name)
        };
        Self {
            google: GoogleConfig {
                projects: vec![
                    google("alpha", &["sim-google-alpha-1", "sim-google-alpha-2"]),
                    google("beta", &["sim-google-beta-1"]),
                ],
            },
            anam: AnamConfig {
                organizations: vec![anam("studio", "sim-anam-studio-1"), anam("backup", "sim-anam-backup-1")],
            },
            states: BTreeMap::new(),
        }
    }
}

/// The Gemini side of the world.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GoogleConfig {
    /// Projects with their keys.
    pub projects: Vec<GoogleProject>,
}

/// Whether the project pays; shows in names of quotas and metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Not: names end in `-FreeTier`, explicit caching is refused.
    Free,
    /// Yes.
    #[default]
    Paid,
}

/// A Google Cloud project: what quotas, files and caches belong to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GoogleProject {
    /// Its name in counts and scripts.
    pub name: String,
    /// Its number, shown as `projects/N` in some errors; made from the name when absent.
    pub number: Option<String>,
    /// Whether it pays.
    pub tier: Tier,
    /// Its keys; all share its quotas.
    pub keys: Vec<GoogleKey>,
    /// `valid`, or the error row every call of the project meets.
    pub state: KeyState,
    /// Limits per model; the first that names the bucket counts, then `*`.
    pub limits: Vec<ModelLimits>,
    /// How its minutes are counted.
    pub minute: MinuteShape,
    /// Tokens (in and out) in any ten minutes, before the spend-based limit refuses.
    pub spend_tokens_per_10_minutes: Option<u64>,
    /// Tokens (in and out) in a month of California, before the monthly spending cap refuses.
    pub tokens_per_month: Option<u64>,
    /// Live connections at a time.
    pub live_sessions: Option<u64>,
    /// Bytes of files at a time; 20 GiB when absent.
    pub file_storage_bytes: Option<u64>,
    /// Models that are `no longer available to new users` for this project.
    pub withdrawn_models: Vec<String>,
    /// Models it has beside the catalogue.
    pub extra_models: Vec<String>,
}

impl GoogleProject {
    /// A paying project without limits and keys.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

/// A key of a project.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoogleKey {
    /// The secret itself.
    pub key: String,
    /// What counts and records call it; the secret itself when absent (it opens nothing real).
    #[serde(default)]
    pub label: Option<String>,
    /// `valid`, or the error row it meets.
    #[serde(default)]
    pub state: KeyState,
}

impl GoogleKey {
    /// A valid key.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), label: None, state: KeyState::Valid }
    }
}

/// Whether a key, project or organisation works, and if not, what its calls meet. In JSON:
/// `"valid"` or the name of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(from = "StateName", into = "StateName")]
pub enum KeyState {
    /// It works.
    #[default]
    Valid,
    /// Every call meets this error of Gemini.
    Google(GoogleRow),
    /// Every call meets this error of Anam.
    Anam(AnamRow),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StateName {
    Valid(ValidName),
    Google(GoogleRow),
    Anam(AnamRow),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ValidName {
    Valid,
}

impl From<StateName> for KeyState {
    fn from(name: StateName) -> Self {
        match name {
            StateName::Valid(ValidName::Valid) => Self::Valid,
            StateName::Google(row) => Self::Google(row),
            StateName::Anam(row) => Self::Anam(row),
        }
    }
}

impl From<KeyState> for StateName {
    fn from(state: KeyState) -> Self {
        match state {
            KeyState::Valid => Self::Valid(ValidName::Valid),
            KeyState::Google(row) => Self::Google(row),
            KeyState::Anam(row) => Self::Anam(row),
        }
    }
}

/// The Anam side of the world.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnamConfig {
    /// Organisations with their keys.
    pub organizations: Vec<AnamOrganization>,
}

/// An Anam organisation: what concurrency, plan and personas belong to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnamOrganization {
    /// Its name in counts and scripts.
    pub name: String,
    /// Its id (`accountId` of its tokens); made from the name when absent.
    pub id: Option<String>,
    /// Its keys; all share its sessions.
    pub keys: Vec<AnamKey>,
    /// What every start of a session meets, if anything.
    pub state: AnamOrganizationState,
    /// Sessions at a time; unlimited when absent.
    pub concurrent_sessions: Option<u64>,
    /// Seconds a session may last unless the persona says less; unlimited when absent.
    pub max_session_seconds: Option<u64>,
    /// Seconds a session outlives its last signalling connection; 30 when absent.
    pub reconnect_grace_seconds: Option<u64>,
}

impl AnamOrganization {
    /// An organisation without limits and keys.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

/// Whether the organisation may start sessions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnamOrganizationState {
    /// Yes.
    #[default]
    Active,
    /// 402: it has no plan.
    NoPlan,
    /// 429: its spend cap is reached.
    SpendCap,
    /// 429: its minutes are used.
    UsageLimit,
    /// 503: no engine is free.
    NoEngines,
}

/// A key of an organisation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnamKey {
    /// The secret itself.
    pub key: String,
    /// What counts and records call it; the secret itself when absent (it opens nothing real).
    #[serde(default)]
    pub label: Option<String>,
    /// `valid`, or the error row it meets.
    #[serde(default)]
    pub state: KeyState,
}

impl AnamKey {
    /// A valid key.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), label: None, state: KeyState::Valid }
    }
}
