//! Which of the usable keys comes next. One file per strategy.

mod primary_backup;
mod round_robin;
mod weighted;

use crate::Strategy;
use crate::key::Key;
use crate::key_set::KeySet;

use primary_backup::PrimaryBackup;
use round_robin::RoundRobin;
use weighted::Weighted;

/// How eagerly a key is to be used: lower comes first. Only compared within one moment.
pub(crate) type Rank = (u8, u128);

/// The order of turns among the usable keys.
#[derive(Clone, Debug)]
pub(crate) enum Turns {
    RoundRobin(RoundRobin),
    Weighted(Weighted),
    PrimaryBackup(PrimaryBackup),
}

impl Turns {
    /// The turns of keys none of which is usable yet.
    pub(crate) fn new(strategy: Strategy, keys: &[Key]) -> Self {
        match strategy {
            Strategy::RoundRobin => Self::RoundRobin(RoundRobin::new(keys.len())),
            Strategy::Weighted => Self::Weighted(Weighted::new(keys.iter().map(|key| key.weight))),
            Strategy::PrimaryBackup => {
                Self::PrimaryBackup(PrimaryBackup::new(keys.iter().map(|key| key.role)))
            }
        }
    }

    /// A key became usable, or stopped being so.
    pub(crate) fn set_usable(&mut self, key: usize, usable: bool) {
        match self {
            Self::RoundRobin(_) | Self::PrimaryBackup(_) => {}
            Self::Weighted(weighted) => weighted.set_usable(key, usable),
        }
    }

    /// The usable key whose turn it is among those `wanted`.
    pub(crate) fn next(&self, usable: &KeySet, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        match self {
            Self::RoundRobin(round) => round.next(usable, wanted),
            Self::Weighted(weighted) => weighted.next(wanted),
            Self::PrimaryBackup(roles) => roles.next(usable, wanted),
        }
    }

    /// Where a usable key stands in the order: for choosing among a few.
    pub(crate) fn rank(&self, key: usize) -> Rank {
        match self {
            Self::RoundRobin(round) => round.rank(key),
            Self::Weighted(weighted) => weighted.rank(key),
            Self::PrimaryBackup(roles) => roles.rank(key),
        }
    }

    /// A key had its turn. `free` when it was chosen among all, not among a group's.
    pub(crate) fn took(&mut self, key: usize, free: bool) {
        match self {
            Self::RoundRobin(round) if free => round.took(key),
            Self::RoundRobin(_) | Self::PrimaryBackup(_) => {}
            Self::Weighted(weighted) => weighted.took(key),
        }
    }

    /// The unusable keys that would have come before `chosen`, nearest first where that is known.
    pub(crate) fn passed_over<'a>(
        &'a self,
        usable: &'a KeySet,
        chosen: usize,
    ) -> Box<dyn Iterator<Item = usize> + 'a> {
        match self {
            Self::RoundRobin(round) => Box::new(round.passed_over(usable, chosen)),
            Self::Weighted(_) => Box::new(usable.missing_round(0)),
            Self::PrimaryBackup(roles) => Box::new(roles.passed_over(usable, chosen)),
        }
    }
}
