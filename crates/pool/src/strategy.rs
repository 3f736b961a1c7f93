//! Which of the usable keys comes next. One file per strategy.

mod headroom;
mod health;
mod least_recently_used;
mod primary_backup;
mod ranking;
mod round_robin;
mod weighted;
mod wheel;

use crate::Strategy;
use crate::key::Key;
use crate::key_set::KeySet;
use crate::order::Order;

use headroom::Headroom;
use health::ByHealth;
use least_recently_used::LeastRecentlyUsed;
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
    LeastRecentlyUsed(LeastRecentlyUsed),
    Health(ByHealth),
    Headroom(Headroom),
}

impl Turns {
    /// The turns of keys none of which is usable yet. What is left to chance follows from `seed`.
    pub(crate) fn new(strategy: Strategy, keys: &[Key], seed: u64) -> Self {
        match strategy {
            Strategy::RoundRobin => Self::RoundRobin(RoundRobin::new(keys.len())),
            Strategy::Weighted => Self::Weighted(Weighted::new(keys.iter().map(|key| key.weight))),
            Strategy::PrimaryBackup => {
                Self::PrimaryBackup(PrimaryBackup::new(keys.iter().map(|key| key.role)))
            }
            Strategy::LeastRecentlyUsed => Self::LeastRecentlyUsed(LeastRecentlyUsed::new(keys.len())),
            Strategy::Health => Self::Health(ByHealth::new(keys.len(), seed)),
            Strategy::Headroom => Self::Headroom(Headroom::new(keys.len())),
        }
    }

    /// A key became usable, or stopped being so.
    pub(crate) fn set_usable(&mut self, key: usize, usable: bool) {
        match self {
            Self::RoundRobin(_) => {}
            Self::Weighted(weighted) => weighted.set_usable(key, usable),
            Self::PrimaryBackup(roles) => roles.set_usable(key, usable),
            Self::LeastRecentlyUsed(order) => order.set_usable(key, usable),
            Self::Health(chances) => chances.set_usable(key, usable),
            Self::Headroom(budgets) => budgets.set_usable(key, usable),
        }
    }

    /// The order begins elsewhere. It is nothing to turns that go round or by chance.
    pub(crate) fn start_at(&mut self, order: Order, lead: usize) {
        match self {
            Self::PrimaryBackup(roles) => roles.start_at(order),
            Self::LeastRecentlyUsed(longest) => longest.start_at(lead),
            Self::RoundRobin(_) | Self::Weighted(_) | Self::Health(_) | Self::Headroom(_) => {}
        }
    }

    /// A key's health changed: it will be whole at `whole_tick`, if it is not.
    pub(crate) fn set_whole_tick(&mut self, key: usize, whole_tick: Option<u64>, usable: bool) {
        if let Self::Health(chances) = self {
            chances.set_whole_tick(key, whole_tick, usable);
        }
    }

    /// Time passed, in points of health.
    pub(crate) fn set_tick(&mut self, tick: u64) {
        if let Self::Health(chances) = self {
            chances.set_tick(tick);
        }
    }

    /// What is left of a key's budget, in parts per million of it.
    pub(crate) fn set_headroom(&mut self, key: usize, parts_per_million: u32) {
        if let Self::Headroom(budgets) = self {
            budgets.set_left(key, parts_per_million);
        }
    }

    /// The usable key whose turn it is among those `wanted`.
    pub(crate) fn next(&self, usable: &KeySet, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        match self {
            Self::RoundRobin(round) => round.next(usable, wanted),
            Self::Weighted(weighted) => weighted.next(wanted),
            Self::PrimaryBackup(roles) => roles.next(wanted),
            Self::LeastRecentlyUsed(order) => order.next(wanted),
            Self::Health(chances) => chances.next(usable, wanted),
            Self::Headroom(budgets) => budgets.next(wanted),
        }
    }

    /// Where a usable key stands in the order: for choosing among a few.
    pub(crate) fn rank(&self, key: usize) -> Rank {
        match self {
            Self::RoundRobin(round) => round.rank(key),
            Self::Weighted(weighted) => weighted.rank(key),
            Self::PrimaryBackup(roles) => roles.rank(key),
            Self::LeastRecentlyUsed(order) => order.rank(key),
            Self::Health(chances) => chances.rank(key),
            Self::Headroom(budgets) => budgets.rank(key),
        }
    }

    /// A key had its turn. `free` when it was chosen among all, not among a group's.
    pub(crate) fn took(&mut self, key: usize, free: bool) {
        match self {
            Self::RoundRobin(round) if free => round.took(key),
            Self::Headroom(budgets) if free => budgets.took(key),
            Self::Weighted(weighted) => weighted.took(key),
            Self::Health(chances) => chances.took(key, free),
            Self::RoundRobin(_) | Self::Headroom(_) | Self::PrimaryBackup(_) | Self::LeastRecentlyUsed(_) => {
            }
        }
    }

    /// Goes on with the order of earlier turns as far as it is the keys' own. What the others
    /// know follows from the keys, or is over with the round.
    pub(crate) fn carry_over(&mut self, earlier: &Self, moved: impl Fn(usize) -> Option<usize>) {
        if let (Self::LeastRecentlyUsed(order), Self::LeastRecentlyUsed(earlier)) = (self, earlier) {
            order.carry_over(earlier, moved);
        }
    }

    /// A key was leased, in whichever lane; `number` is larger than that of any lease before.
    pub(crate) fn leased(&mut self, key: usize, number: u64) {
        if let Self::LeastRecentlyUsed(order) = self {
            order.leased(key, number);
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
            Self::PrimaryBackup(roles) => Box::new(roles.passed_over(usable, chosen)),
            Self::Weighted(_) | Self::LeastRecentlyUsed(_) | Self::Health(_) | Self::Headroom(_) => {
                Box::new(usable.missing())
            }
        }
    }
}
