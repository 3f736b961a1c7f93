//! Why this key, why not that one.

use std::sync::Arc;

use keygate_domain::{Fault, GroupId, KeyId, Metric, Moment, Scope};

use crate::PoolRefusal;

/// What the pool would answer an ask, and why, key by key. Nothing changes by asking for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// The key that would be leased, or why none would. `Ok(None)`: the request brings its own
    /// credential and needs no key.
    pub answer: Result<Option<KeyId>, PoolRefusal>,
    /// The only group that may serve the ask, if a resource it names binds it.
    pub bound_to: Option<GroupId>,
    /// Every key, in the order of the configuration.
    pub keys: Vec<KeyDecision>,
}

/// One key's part in a [`Decision`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyDecision {
    /// Its position in the configuration.
    pub index: usize,
    /// The key.
    pub id: KeyId,
    /// What operators call it.
    pub label: Arc<str>,
    /// Its group.
    pub group: GroupId,
    /// Why it cannot be used, or comes last; `None` when it can.
    pub skip: Option<Skip>,
}

/// Why a key was passed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Skip {
    /// It rests, as a whole or for what was asked.
    Resting {
        /// What rests: the key, its group, or a part of either.
        scope: Scope,
        /// The counter that is full, where a bucket rests.
        metric: Metric,
        /// Why.
        fault: Fault,
        /// Until when.
        until: Moment,
    },
    /// A budget of its group has no room for this.
    OverBudget {
        /// Which budget.
        metric: Metric,
        /// When it has.
        until: Moment,
    },
    /// It, or its group, is out until somebody brings it back.
    Disabled {
        /// Why; `None` when an operator took it out.
        fault: Option<Fault>,
    },
    /// It was refused in this request.
    Refused,
    /// It, or its group, failed in this request: others come first.
    Failed,
    /// What the request names belongs to another group.
    NotOwner,
}

impl Skip {
    /// The name in spans: `resting`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Resting { .. } => "resting",
            Self::OverBudget { .. } => "over_budget",
            Self::Disabled { .. } => "disabled",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::NotOwner => "not_owner",
        }
    }
}
