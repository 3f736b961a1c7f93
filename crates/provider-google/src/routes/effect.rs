//! What a request does at the provider, and what follows from that.

use keygate_domain::{Operation, Replay};

use super::openai;
use super::table::ROWS;

/// What a request does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// Nothing but its answer, which is worked for: generate, count, embed.
    Ask,
    /// Reads one thing.
    Read,
    /// Reads a collection.
    List,
    /// Makes something.
    Create,
    /// Changes something.
    Change,
    /// Deletes something.
    Delete,
}

/// What paths do that are in no table.
pub(super) const OTHERS: [(Operation, Effect); 9] = [
    (Operation("read_other"), Effect::Read),
    (Operation("get_other"), Effect::Read),
    (Operation("list_other"), Effect::List),
    (Operation("count_other"), Effect::Ask),
    (Operation("create_other"), Effect::Create),
    (Operation("change_other"), Effect::Change),
    (Operation("act_on_other"), Effect::Change),
    (Operation("update_other"), Effect::Change),
    (Operation("delete_other"), Effect::Delete),
];

impl Effect {
    /// What an operation does on what a project keeps; nothing for those of models.
    pub(crate) fn of(operation: Operation) -> Option<Self> {
        let in_table = || ROWS.iter().find(|row| row.operation == operation).map(|row| row.effect);
        let other = || OTHERS.iter().find(|(other, _)| *other == operation).map(|(_, effect)| *effect);
        in_table().or_else(other).or_else(|| openai::effect_of(operation))
    }

    /// When it may be sent a second time.
    pub(crate) fn replay(self) -> Replay {
        match self {
            Self::Ask | Self::Read | Self::List => Replay::Safe,
            Self::Create | Self::Change | Self::Delete => Replay::OnlyIfRefused,
        }
    }

    /// What it counts for the user: what the provider works for, not reading or tidying up.
    pub(crate) fn user_units(self) -> u32 {
        match self {
            Self::Ask | Self::Create => 1,
            Self::Read | Self::List | Self::Change | Self::Delete => 0,
        }
    }
}
