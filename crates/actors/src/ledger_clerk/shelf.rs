//! Where the ledger is kept, as far as its clerk knows.

use async_trait::async_trait;
use keygate_domain::LedgerRow;

use crate::ShelfTrouble;

/// A database, and a journal beside it for when the database cannot be written to.
#[async_trait]
pub trait LedgerShelf: Send + Sync + 'static {
    /// Enters rows into the database, all or none. The same rows may come twice and count once.
    ///
    /// # Errors
    /// Whatever is wrong with the database; the rows go to the journal then.
    async fn enter(&self, rows: &[LedgerRow]) -> Result<(), ShelfTrouble>;

    /// Appends rows to the journal, so that they outlive the process. Says how many it had room for.
    ///
    /// # Errors
    /// Whatever is wrong with the disk; the rows stay in memory then.
    async fn journal(&self, rows: &[LedgerRow]) -> Result<usize, ShelfTrouble>;

    /// Enters what the journal holds into the database and empties it. Says how many rows that were.
    ///
    /// # Errors
    /// Whatever is wrong with the database; the journal stays as it is.
    async fn replay(&self) -> Result<u64, ShelfTrouble>;

    /// Forgets some of the rows from before this moment, in milliseconds since 1970, and says how many: none when
    /// none are left. To be done in a fraction of a second.
    ///
    /// # Errors
    /// Whatever is wrong with the database; it is tried again later.
    async fn forget(&self, before_ms: i64) -> Result<u64, ShelfTrouble>;
}
