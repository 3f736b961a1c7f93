//! Where the audit trail is kept: a database, as far as anybody knows.

use async_trait::async_trait;
use keygate_domain::{AuditEntry, AuditPage, AuditRow};

use crate::ShelfTrouble;

/// Where entries are added, and read.
#[async_trait]
pub trait AuditBook: Send + Sync + 'static {
    /// Adds entries at the end, all or none. One that is there already is not added again.
    ///
    /// # Errors
    /// Whatever is wrong with the disk; the auditor tries again.
    async fn append(&self, entries: &[AuditEntry]) -> Result<(), ShelfTrouble>;

    /// The newest rows first.
    ///
    /// # Errors
    /// Whatever is wrong with the disk.
    async fn page(&self, page: AuditPage) -> Result<Vec<AuditRow>, ShelfTrouble>;
}
