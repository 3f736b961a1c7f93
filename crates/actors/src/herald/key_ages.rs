//! Since when keys are in use: noted when they are seen first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use keygate_alerts::KeysSeen;
use keygate_domain::KeyId;
use tokio::time::timeout;

use crate::{NoteBook, ShelfTrouble};

/// How long the disk may take.
const PATIENCE: Duration = Duration::from_secs(5);

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
        provider: &str,
        keys: BTreeSet<KeyId>,
        now: Timestamp,
    ) -> Result<(), ShelfTrouble> {
        let topic = format!("keys:{provider}");
        if !self.has_read {
            let noted = within(notes.read(&topic)).await?;
            let seen =
                noted.iter().filter_map(|(key, at)| Some((KeyId::from(key.as_str()), at.parse().ok()?)));
            self.seen = seen.collect();
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
