//! `providers.<name>.budgets:`, and `budgets:` of a key.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::time::Duration;

use keygate_domain::Allowance;
use keygate_pool::Budgets;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::or_default;
use crate::setting::Setting;

/// What each quota group may use of each model. Without a number there is no limit but what the
/// provider states when it refuses.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BudgetsSection {
    /// For every model.
    #[serde(deserialize_with = "or_default")]
    pub(crate) default: AllowanceSection,
    /// For some models by name, number by number before `default`.
    #[serde(deserialize_with = "or_default")]
    pub(crate) models: BTreeMap<String, AllowanceSection>,
    /// How far the provider's clock and the wire may be off: this much longer counts what was used.
    pub(crate) margin: Setting<Duration>,
    /// How long a session counts as running when nobody tells its end.
    pub(crate) session_length: Setting<Duration>,
}

impl Default for BudgetsSection {
    fn default() -> Self {
        let usual = Budgets::default();
        Self {
            default: AllowanceSection::default(),
            models: BTreeMap::new(),
            margin: Setting(usual.margin),
            session_length: Setting(usual.session_length),
        }
    }
}

/// What a quota group may use of one model.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AllowanceSection {
    /// Requests in any 60 seconds.
    pub(crate) requests_per_minute: Setting<Option<NonZeroU64>>,
    /// Requests in a day of the provider (Google: Pacific time, Anam: UTC).
    pub(crate) requests_per_day: Setting<Option<NonZeroU64>>,
    /// Tokens sent in any 60 seconds.
    pub(crate) input_tokens_per_minute: Setting<Option<NonZeroU64>>,
    /// Tokens sent and received in a day of the provider.
    pub(crate) tokens_per_day: Setting<Option<NonZeroU64>>,
    /// Tokens sent and received in a calendar month.
    pub(crate) tokens_per_month: Setting<Option<NonZeroU64>>,
    /// Requests, or avatar sessions, at the same time.
    pub(crate) concurrent: Setting<Option<NonZeroU64>>,
    /// Shortest time between the starts of two requests.
    pub(crate) min_interval: Setting<Option<Duration>>,
}

impl AllowanceSection {
    pub(crate) fn allowance(&self) -> Allowance {
        let number = |setting: &Setting<Option<NonZeroU64>>| setting.0.map(NonZeroU64::get);
        Allowance {
            requests_per_minute: number(&self.requests_per_minute),
            requests_per_day: number(&self.requests_per_day),
            input_tokens_per_minute: number(&self.input_tokens_per_minute),
            tokens_per_day: number(&self.tokens_per_day),
            tokens_per_month: number(&self.tokens_per_month),
            concurrent: number(&self.concurrent),
            min_interval: self.min_interval.0,
        }
    }
}
