//! Where the herald and the session keepers keep what must outlive the process.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::ShelfTrouble;

/// Notes by topic and name: a database, as far as anybody knows.
#[async_trait]
pub trait NoteBook: Send + Sync + 'static {
    /// All notes on a topic, by name.
    ///
    /// # Errors
    /// Whatever is wrong with the disk.
    async fn read(&self, topic: &str) -> Result<BTreeMap<String, String>, ShelfTrouble>;

    /// Keeps notes in the place of those of the same names, all or none.
    ///
    /// # Errors
    /// Whatever is wrong with the disk; whoever keeps them tries again.
    async fn keep(&self, topic: &str, notes: &BTreeMap<String, String>) -> Result<(), ShelfTrouble>;
}
