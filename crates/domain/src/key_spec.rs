//! A key as the operator configured it.

use serde::{Deserialize, Serialize};

use crate::{Allowance, ApiKey, GroupId};

/// Which keys are used first under `primary_backup`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Used while it can be.
    #[default]
    Primary,
    /// Used while no primary can be.
    Backup,
}

/// One configured key, resolved to its secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeySpec {
    /// The secret.
    pub secret: ApiKey,
    /// What operators call it; also printed in logs.
    pub label: String,
    /// The quota group it belongs to, if declared; else it is a group of its own.
    pub group: Option<GroupId>,
    /// Its share under `weighted`, at least 1.
    pub weight: u32,
    /// Its rank under `primary_backup`.
    pub role: Role,
    /// Limits of its group that come before those of its provider; none by default.
    pub allowance: Allowance,
}
