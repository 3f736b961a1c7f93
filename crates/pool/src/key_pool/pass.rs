//! Requests that need no key: which group they are about is all there is to say.

use super::KeyPool;
use super::choose::Ownership;
use crate::{Ask, Granted, PoolRefusal};

impl KeyPool {
    /// The group of what an ask names. Whether its keys rest, are disabled or are there at all does not matter:
    /// none of them goes along, and what runs is not to be broken off because nothing new can begin.
    pub(super) fn pass(&self, ask: &Ask) -> Result<Granted, PoolRefusal> {
        let owner = self.owner_of_named(ask)?;
        match owner.as_ref().and_then(Ownership::home) {
            Some(group) => Ok(Granted::Pass(group.clone())),
            None => Ok(Granted::NotOurs),
        }
    }
}
