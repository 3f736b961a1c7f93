//! What a key supervisor is made from.

use keygate_domain::{KeySpec, ProviderName};
use keygate_pool::Policy;

use crate::Chaos;

/// Everything a supervisor needs to start, and to start again.
#[derive(Clone, Debug)]
pub struct SupervisorSpec {
    /// Whose keys.
    pub provider: ProviderName,
    /// The keys, in the order of the configuration.
    pub keys: Vec<KeySpec>,
    /// How they are chosen and how long they rest.
    pub policy: Policy,
    /// Spreads the jitter of rests; different in each process.
    pub seed: u64,
    /// Asks for a lease that may wait in the mailbox at once; one more is refused.
    pub gate: usize,
    /// Rehearses panics; `None` but for tests.
    pub chaos: Option<Chaos>,
}
