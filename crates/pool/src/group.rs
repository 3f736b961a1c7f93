//! A quota group: the keys that a provider meters together.

use std::time::Duration;

use keygate_domain::{Allowance, GroupId, KeySpec, ModelName, Moment, Operation, Tier};

use crate::budget::Meters;
use crate::learned::StatedLimits;
use crate::standing::Standing;

/// A group, its members, and what was learned of it.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) id: GroupId,
    /// Positions of its keys, ascending.
    pub(crate) members: Vec<usize>,
    pub(crate) standing: Standing,
    /// Whether the configuration names it.
    pub(crate) is_declared: bool,
    /// The group that it is part of by now, being nothing but a place itself.
    pub(crate) merged_into: Option<usize>,
    /// What the provider calls it, by what it said of its keys first.
    pub(crate) project: Option<GroupId>,
    /// What it pays for, as far as the provider told.
    pub(crate) tier: Option<Tier>,
    /// Limits the provider stated.
    pub(crate) limits: StatedLimits,
    /// What its keys were used for lately.
    pub(crate) uses: Vec<Use>,
    /// Limits of its own.
    pub(crate) allowance: Allowance,
    /// What it used of its budgets.
    pub(crate) meters: Meters,
}

/// Something a group's keys were used for: a model, or the opening of sessions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Use {
    pub(crate) operation: Operation,
    /// Not its bucket: that may be learned later.
    pub(crate) model: Option<ModelName>,
    pub(crate) opens_session: bool,
    pub(crate) at: Moment,
}

impl Use {
    fn is_same(&self, other: &Self) -> bool {
        self.opens_session == other.opens_session
            && self.operation == other.operation
            && self.model == other.model
    }
}

impl Group {
    const MOST_USES: usize = 16;
    /// For how long a use says what a key is in use for (product §6).
    pub(crate) const USE_COUNTS_FOR: Duration = Duration::from_hours(1);

    pub(crate) fn new(id: GroupId) -> Self {
        Self {
            id,
            members: Vec::new(),
            standing: Standing::default(),
            is_declared: false,
            merged_into: None,
            project: None,
            tier: None,
            limits: StatedLimits::default(),
            uses: Vec::new(),
            allowance: Allowance::default(),
            meters: Meters::default(),
        }
    }

    /// The group a key belongs to: the declared one, else one of its own.
    pub(crate) fn id_for(spec: &KeySpec) -> GroupId {
        spec.group.clone().unwrap_or_else(|| GroupId::new(format!("key:{}", spec.secret.id())))
    }

    /// Notes what a key is used for. Of too many uses the one longest ago is forgotten.
    pub(crate) fn used_for(&mut self, new: Use) {
        if let Some(known) = self.uses.iter_mut().find(|known| known.is_same(&new)) {
            known.at = known.at.max(new.at);
            return;
        }
        if self.uses.len() == Self::MOST_USES {
            let oldest = (0..self.uses.len()).min_by_key(|position| self.uses[*position].at);
            oldest.map(|position| self.uses.swap_remove(position));
        }
        self.uses.push(new);
    }
}
