//! How an operator limits groups.

use std::collections::BTreeMap;
use std::time::Duration;

use keygate_domain::{Allowance, ModelName, Reset};

/// What every quota group of a provider may use of each bucket. A key may have limits of its own
/// ([`keygate_domain::KeySpec::allowance`]), which come first for its group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Budgets {
    /// For every model.
    pub default: Allowance,
    /// For some models, limit by limit before `default`.
    pub models: BTreeMap<ModelName, Allowance>,
    /// How far the provider's clock and the wire may be off; 500 ms.
    pub margin: Duration,
    /// How long a session counts as running when nobody tells its end; 10 min.
    pub session_length: Duration,
    /// When the provider's day ends.
    pub day: Reset,
    /// When the provider's month ends.
    pub month: Reset,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            default: Allowance::default(),
            models: BTreeMap::new(),
            margin: Duration::from_millis(500),
            session_length: Duration::from_mins(10),
            day: Reset::Midnight("UTC"),
            month: Reset::MonthEnd("UTC"),
        }
    }
}
