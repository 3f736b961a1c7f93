//! How a free call is made; whoever starts the prober knows it.

use async_trait::async_trait;
use keygate_domain::{ApiKey, ProviderName, Verdict};

/// Makes free calls. It lives on the prober's thread and never leaves it, like the HTTP client in it.
#[async_trait(?Send)]
pub trait Errand: 'static {
    /// Makes `provider`'s free call with `key` and says what the answer means for it.
    async fn run(&self, provider: ProviderName, key: &ApiKey) -> Verdict;
}
