//! Where the bookkeeper puts what it is given: a disk, as far as it knows.

use async_trait::async_trait;
use keygate_domain::ProviderName;
use keygate_pool::StateRow;

/// Why something could not be put there.
#[derive(Debug)]
pub struct ShelfTrouble {
    /// In a word or two, for whoever may see the status.
    pub reason: &'static str,
    /// In full, for the log.
    pub cause: Box<dyn std::error::Error + Send + Sync>,
}

impl ShelfTrouble {
    /// A trouble with its short name.
    pub fn new(reason: &'static str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { reason, cause: cause.into() }
    }
}

/// Where rows are put.
#[async_trait]
pub trait Shelf: Send + Sync + 'static {
    /// Puts rows of a provider's pool there, all or none. The same rows may come twice.
    ///
    /// # Errors
    /// Whatever is wrong with the disk; the bookkeeper tries again.
    async fn put(&self, provider: ProviderName, rows: &[StateRow]) -> Result<(), ShelfTrouble>;
}
