//! What is wrong in the house itself.

use crate::{AlertKind, Condition};

/// A part of the house that has something to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HouseCondition {
    /// What must outlive the process does not reach the disk; in a word or two why.
    StorageDegraded(&'static str),
    /// The ledger does not.
    LedgerDegraded,
    /// A bot needs a human.
    NeedsLogin(String),
    /// A bot does not answer as agreed: its name, and why.
    KeeperFails(String, String),
}

/// What is wrong, in words.
pub fn of_house(condition: &HouseCondition) -> Condition {
    match condition {
        HouseCondition::StorageDegraded(why) => Condition::of_house(
            AlertKind::Storage,
            "database",
            &format!("the database cannot be written ({why}); requests are served, what is to be kept waits"),
            "look at the disk and at the gateway's log; it is tried again until it works",
        ),
        HouseCondition::LedgerDegraded => Condition::of_house(
            AlertKind::Storage,
            "ledger",
            "rows of the ledger do not reach the database",
            "look at `ledger` in /api/keys/status and at the gateway's log",
        ),
        HouseCondition::NeedsLogin(name) => Condition::of_house(
            AlertKind::SessionKeeper,
            name,
            &format!("the bot of the session keeper {name} needs a human to log in"),
            &format!("log in, then run `keygate session-keepers clear {name}`"),
        ),
        HouseCondition::KeeperFails(name, why) => Condition::of_house(
            AlertKind::SessionKeeper,
            name,
            &format!("the session keeper {name} fails: {why}"),
            "look at the bot, and at `url` and `secret` under session_keepers",
        ),
    }
}
