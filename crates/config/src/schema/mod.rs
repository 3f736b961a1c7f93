//! The shape of the YAML file. The doc comments are what editors show; each names the unit, the
//! default and the effect.

mod alerts;
mod answers;
mod assistant;
mod budgets;
mod clients;
mod key_entry;
mod limits;
mod plans;
mod probe;
mod provider;
mod rotation;
mod server;
mod session_keepers;
mod storage;
mod telemetry;

use std::collections::BTreeMap;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Deserialize, Deserializer, Serialize};

pub(crate) use alerts::{AlertsSection, ChannelKind, ChannelSection, SecretText};
pub(crate) use answers::{AnswersSection, CacheSection};
pub(crate) use assistant::AssistantSection;
pub(crate) use budgets::{AllowanceSection, BudgetsSection};
pub(crate) use clients::{ClientsSection, TokenEntry, UserLimitsSection, everything_but_admin};
pub(crate) use key_entry::{KeyEntries, KeyEntry, Reference};
pub(crate) use limits::LimitsSection;
pub(crate) use plans::{OverageChoice, PlanSection, PlansSection};
pub(crate) use probe::ProbeSection;
pub(crate) use provider::ProviderSection;
pub(crate) use rotation::RotationSection;
pub(crate) use server::{ServerSection, TlsSection};
pub(crate) use session_keepers::{KeeperKindChoice, KeeperSection};
pub(crate) use storage::StorageSection;
pub(crate) use telemetry::TelemetrySection;

/// Configuration of the Keygate gateway. A section that is absent takes its defaults.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "Keygate", rename = "Keygate")]
pub(crate) struct Sections {
    /// The front door: where the gateway listens and what it accepts.
    #[serde(deserialize_with = "or_default")]
    pub(crate) server: ServerSection,
    /// Who may come in.
    #[serde(deserialize_with = "or_default")]
    pub(crate) clients: ClientsSection,
    /// How much one user may have.
    #[serde(deserialize_with = "or_default")]
    pub(crate) limits: LimitsSection,
    /// What users may have in a day and in a month.
    #[serde(deserialize_with = "or_default")]
    pub(crate) plans: PlansSection,
    /// Plain questions, answered by Gemini.
    #[serde(deserialize_with = "or_default")]
    pub(crate) assistant: AssistantSection,
    /// What users are told when every key failed.
    #[serde(deserialize_with = "or_default")]
    pub(crate) answers: AnswersSection,
    /// Answers that are given again to who asks the same again.
    #[serde(deserialize_with = "or_default")]
    pub(crate) cache: CacheSection,
    /// What outlives the process.
    #[serde(deserialize_with = "or_default")]
    pub(crate) storage: StorageSection,
    /// Logs, traces and metrics.
    #[serde(deserialize_with = "or_default")]
    pub(crate) telemetry: TelemetrySection,
    /// What operators are told of, and where.
    #[serde(deserialize_with = "or_default")]
    pub(crate) alerts: AlertsSection,
    /// Bots whose sessions are kept alive.
    #[serde(deserialize_with = "or_default")]
    #[schemars(with = "Vec<KeeperSection>")]
    pub(crate) session_keepers: Vec<Option<KeeperSection>>,
    /// The providers by name, such as `google` and `anam`. A provider that is absent is off,
    /// unless one of its well-known key variables is set.
    #[serde(deserialize_with = "providers")]
    pub(crate) providers: BTreeMap<String, ProviderSection>,
}

/// The JSON Schema of the YAML file, for editors: draft 7, which the YAML language server reads.
pub fn json_schema() -> serde_json::Value {
    SchemaSettings::draft07().into_generator().into_root_schema_for::<Sections>().to_value()
}

/// Reads a section; one whose lines are all commented out takes its defaults.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn providers<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, ProviderSection>, D::Error> {
    let sections: Option<BTreeMap<String, Option<ProviderSection>>> = Option::deserialize(deserializer)?;
    let sections = sections.unwrap_or_default().into_iter();
    Ok(sections.map(|(name, section)| (name, section.unwrap_or_default())).collect())
}
