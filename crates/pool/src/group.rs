//! A quota group: the keys that a provider meters together.

use std::time::Duration;

use keygate_domain::{Allowance, GroupId, KeySpec, ModelName, Moment, Operation, Tier};

use crate::budget::Meters;
use crate::learned::StatedLimits;
use crate::standing::Standing;

/// A group, its members, and what was learned of it. What every lease looks at comes first, as in a key.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) id: GroupId,
    /// What it used of its budgets.
    pub(crate) meters: Meters,
    /// What its keys were used for lately.
    pub(crate) uses: Vec<Use>,
    pub(crate) standing: Standing,
    /// Positions of its keys, ascending.
    pub(crate) members: Vec<usize>,
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
    /// Limits of its own.
    pub(crate) allowance: Allowance,
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
    fn is_of(&self, operation: Operation, model: Option<&ModelName>, opens_session: bool) -> bool {
        self.opens_session == opens_session && self.operation == operation && self.model.as_ref() == model
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

    /// Notes what a key is used for.
    pub(crate) fn used_for(
        &mut self,
        operation: Operation,
        model: Option<&ModelName>,
        opens_session: bool,
        at: Moment,
    ) {
        let is_same = |known: &Use| known.is_of(operation, model, opens_session);
        match self.uses.iter_mut().find(|known| is_same(known)) {
            Some(known) => known.at = known.at.max(at),
            None => self.note_use(Use { operation, model: model.cloned(), opens_session, at }),
        }
    }

    /// Takes over a use of another group's.
    pub(crate) fn share_use(&mut self, one: &Use) {
        self.used_for(one.operation, one.model.as_ref(), one.opens_session, one.at);
    }

    /// Of too many uses the one longest ago is forgotten.
    fn note_use(&mut self, new: Use) {
        if self.uses.len() == Self::MOST_USES {
            let oldest = (0..self.uses.len()).min_by_key(|position| self.uses[*position].at);
            oldest.map(|position| self.uses.swap_remove(position));
        }
        self.uses.push(new);
    }
}
