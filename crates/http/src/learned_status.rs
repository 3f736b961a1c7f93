//! What the provider told of itself, as status pages show it.

use std::sync::Arc;

use keygate_domain::{BucketName, GroupId, KeyId, Metric};
use keygate_pool::{KeyPlace, StatedLimit, Warning};
use serde::Serialize;

/// Where the configuration and the provider disagree.
#[derive(Serialize)]
pub(crate) struct WarningStatus {
    /// Which kind: `one_project`, `several_projects`, `declared_apart`, `budget_differs`.
    kind: &'static str,
    group: GroupId,
    /// One sentence. It counts keys from 1.
    text: String,
    keys: Vec<KeyName>,
}

#[derive(Serialize)]
struct KeyName {
    index: usize,
    id: KeyId,
    label: Arc<str>,
}

/// A limit that the provider stated for the key's group.
#[derive(Serialize)]
pub(crate) struct StatedStatus {
    model: BucketName,
    metric: Metric,
    limit: u64,
    /// What the configuration says of the same.
    configured: Option<u64>,
    /// How often it was stated so.
    stated: u32,
    last_stated: String,
    /// Per cent.
    confidence: u8,
}

impl From<Warning> for WarningStatus {
    fn from(warning: Warning) -> Self {
        let name =
            |key: &KeyPlace| KeyName { index: key.index, id: key.id.clone(), label: key.label.clone() };
        Self {
            kind: warning.kind(),
            group: warning.group().clone(),
            text: warning.to_string(),
            keys: warning.keys().map(name).collect(),
        }
    }
}

impl From<StatedLimit> for StatedStatus {
    fn from(stated: StatedLimit) -> Self {
        let StatedLimit { bucket, metric, limit, times, last_stated, confidence, configured } = stated;
        Self {
            model: bucket,
            metric,
            limit,
            configured,
            stated: times,
            last_stated: last_stated.to_string(),
            confidence,
        }
    }
}
