//! What the herald looks at.

use std::sync::Arc;

use jiff::tz::TimeZone;
use keygate_alerts::{Condition, HouseCondition, of_house};
use keygate_keeper::{KeeperShown, KeeperState};

use crate::{Auditor, Bookkeeper, Keepers, KeySupervisor, Ledger, NoteBook};

/// A bot that failed so often in a row is an alert.
const KEEPER_FAILS_FROM: u32 = 3;

/// Everything the herald looks at.
#[derive(Clone)]
pub struct HeraldWatch {
    /// The pools.
    pub pools: Vec<WatchedPool>,
    /// Who writes down what pools learn.
    pub bookkeeper: Bookkeeper,
    /// Who writes down what attempts cost.
    pub ledger: Ledger,
    /// Who writes down who did what.
    pub auditor: Auditor,
    /// Who has bots renew their sessions.
    pub keepers: Keepers,
    /// Where the herald keeps what must outlive the process.
    pub notes: Arc<dyn NoteBook>,
}

/// A pool of keys.
#[derive(Clone, Debug)]
pub struct WatchedPool {
    /// Who lends its keys.
    pub supervisor: KeySupervisor,
    /// The time zone in which its provider's days end.
    pub zone: TimeZone,
}

impl HeraldWatch {
    /// What is wrong with what is to be kept.
    pub(super) fn storage(&self) -> Vec<Condition> {
        let trouble = self.bookkeeper.trouble().or_else(|| self.auditor.trouble());
        let storage = trouble.map(HouseCondition::StorageDegraded);
        let ledger = (!self.ledger.counts().is_well).then_some(HouseCondition::LedgerDegraded);
        storage.iter().chain(&ledger).map(of_house).collect()
    }

    /// What is wrong with bots.
    pub(super) fn bots(&self) -> Vec<Condition> {
        self.keepers.shown().iter().filter_map(of_keeper).map(|wrong| of_house(&wrong)).collect()
    }
}

fn of_keeper(keeper: &KeeperShown) -> Option<HouseCondition> {
    let name = keeper.name.clone();
    if keeper.state == KeeperState::NeedsLogin {
        return Some(HouseCondition::NeedsLogin(name));
    }
    let why = keeper.last_failure.clone().filter(|_| keeper.failures >= KEEPER_FAILS_FROM)?;
    Some(HouseCondition::KeeperFails(name, why))
}
