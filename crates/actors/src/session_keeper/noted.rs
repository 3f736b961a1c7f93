//! What session keepers note, and where: it outlives the process.

use std::collections::BTreeMap;
use std::time::Duration;

use keygate_keeper::SavedKeeper;
use tokio::time::timeout;

use crate::NoteBook;

/// Where it is kept.
pub(super) const TOPIC: &str = "session_keepers";

/// How long the disk may take.
pub(super) const DISK_PATIENCE: Duration = Duration::from_secs(5);

/// What is noted, by the names of keepers.
#[derive(Clone, Debug, Default)]
pub struct KeepersNoted(pub(super) BTreeMap<String, String>);

impl KeepersNoted {
    /// Reads what an earlier process noted; nothing, where the disk does not tell in time.
    pub async fn read(book: &dyn NoteBook) -> Self {
        let read = timeout(DISK_PATIENCE, book.read(TOPIC)).await;
        Self(read.ok().and_then(Result::ok).unwrap_or_default())
    }

    /// How a keeper fared. What another version wrote is no reason to fail.
    pub(super) fn of(&self, name: &str) -> SavedKeeper {
        self.0.get(name).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}
