//! One key of the pool.

use std::sync::Arc;

use keygate_domain::{ApiKey, GroupId, KeyId, KeySpec, Role};

use crate::probing::Turns;
use crate::standing::Standing;

/// A key, its rank, and what became of it. What every lease looks at comes first and is small: with
/// thousands of keys each line of memory is one that is in no cache.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) secret: ApiKey,
    pub(crate) label: Arc<str>,
    /// Position of its group.
    pub(crate) group: usize,
    pub(crate) counts: KeyUse,
    pub(crate) standing: Standing,
    /// How it was asked after since a fault disabled it.
    pub(crate) probing: Option<Box<Turns>>,
    /// The project that the provider named for it.
    pub(crate) project: Option<GroupId>,
    /// At least 1.
    pub(crate) weight: u32,
    pub(crate) role: Role,
    /// Whether the configuration says so.
    pub(crate) is_declared: bool,
}

/// What became of a key's leases (KP-10).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct KeyUse {
    pub(crate) in_flight: u64,
    pub(crate) attempts: u64,
    pub(crate) served: u64,
    pub(crate) failed: u64,
    pub(crate) refused: u64,
    pub(crate) lost: u64,
    pub(crate) unsent: u64,
}

impl KeyUse {
    /// Adds what became of another key's.
    pub(crate) fn add(&mut self, other: Self) {
        let Self { in_flight, attempts, served, failed, refused, lost, unsent } = other;
        self.in_flight += in_flight;
        self.attempts += attempts;
        self.served += served;
        self.failed += failed;
        self.refused += refused;
        self.lost += lost;
        self.unsent += unsent;
    }

    /// Attempts that ended with an answer of the provider.
    pub(crate) fn settled(&self) -> u64 {
        self.served + self.failed + self.refused
    }
}

impl Key {
    pub(crate) fn new(spec: KeySpec, group: usize) -> Self {
        Self {
            secret: spec.secret,
            label: spec.label.into(),
            group,
            is_declared: spec.group.is_some(),
            project: None,
            weight: spec.weight.max(1),
            role: spec.role,
            standing: Standing::default(),
            probing: None,
            counts: KeyUse::default(),
        }
    }

    pub(crate) fn id(&self) -> &KeyId {
        self.secret.id()
    }
}
