//! Where the bookkeeper puts what it is given: a disk, as far as it knows.

use async_trait::async_trait;
use keygate_domain::ProviderName;
use keygate_pool::StateRow;

/// Why something could not be put there.
pub type ShelfTrouble = Box<dyn std::error::Error + Send + Sync>;

/// Where rows are put.
#[async_trait]
pub trait Shelf: Send + Sync + 'static {
    /// Puts rows of a provider's pool there, all or none. The same rows may come twice.
    ///
    /// # Errors
    /// Whatever is wrong with the disk; the bookkeeper tries again.
    async fn put(&self, provider: ProviderName, rows: &[StateRow]) -> Result<(), ShelfTrouble>;
}
