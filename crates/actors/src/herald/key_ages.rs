//! Since when keys are in use: noted when they are seen first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use keygate_alerts::KeysSeen;
use keygate_domain::{KeyId, ProviderName};
use tokio::time::timeout;

use crate::{NoteBook, ShelfTrouble};

/// How long the disk may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Under which topic the ages of a provider's keys are noted.
pub fn key_ages_topic(provider: ProviderName) -> String {
    format!("keys:{provider}")
}

/// The ages that notes hold. What another version wrote is left out.
pub fn key_ages(notes: &BTreeMap<String, String>) -> KeysSeen {
    notes.iter().filter_map(|(key, at)| Some((KeyId::from(key.as_str()), at.parse().ok()?))).collect()
}

/// What is known of the keys of one pool.
#[derive(Debug, Default)]
pub(super) struct KeyAges {
    seen: KeysSeen,
    has_read: bool,
}

impl KeyAges {
    pub(super) fn seen(&self) -> &KeysSeen {
        &self.seen
    }

    /// Whether one of these was not seen before.
    pub(super) fn lacks<'a>(&self, mut keys: impl Iterator<Item = &'a KeyId>) -> bool {
        !self.has_read || keys.any(|key| !self.seen.contains_key(key))
    }

    /// Notes those that are new. What could not be noted is noted the next time; nothing is known of it until
    /// then.
    pub(super) async fn meet(
        &mut self,
        notes: &Arc<dyn NoteBook>,
        provider: ProviderName,
        keys: BTreeSet<KeyId>,
        now: Timestamp,
    ) -> Result<(), ShelfTrouble> {
        let topic = key_ages_topic(provider);
        if !self.has_read {
            self.seen = key_ages(&within(notes.read(&topic)).await?);
            self.has_read = true;
        }
        self.seen.retain(|key, _| keys.contains(key));
        let new: Vec<KeyId> = keys.into_iter().filter(|key| !self.seen.contains_key(key)).collect();
        if !new.is_empty() {
            let told: BTreeMap<String, String> =
                new.iter().map(|key| (key.to_string(), now.to_string())).collect();
            within(notes.keep(&topic, &told)).await?;
            self.seen.extend(new.into_iter().map(|key| (key, now)));
        }
        Ok(())
    }
}

pub(super) async fn within<T>(
    work: impl Future<Output = Result<T, ShelfTrouble>>,
) -> Result<T, ShelfTrouble> {
    match timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(elapsed) => Err(ShelfTrouble::new("slow", elapsed)),
    }
}
