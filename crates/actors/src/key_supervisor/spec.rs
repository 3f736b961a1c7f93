//! What a key supervisor is made from.

use std::sync::Arc;

use keygate_domain::{KeySpec, ProviderName};
use keygate_pool::{Policy, PoolState, ProbePolicy};

use crate::{Bookkeeper, Chaos, Prober};

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
    /// What an earlier process remembered of the keys.
    pub memory: Arc<PoolState>,
    /// Who writes down what is to be remembered; without one it is forgotten with the process.
    pub bookkeeper: Option<Bookkeeper>,
    /// Who asks after disabled keys; without one they are for operators alone.
    pub prober: Option<Prober>,
}

impl SupervisorSpec {
    /// The policy as far as it can be carried out: without a prober nobody is asked after.
    pub(crate) fn feasible(&self, policy: Policy) -> Policy {
        let is_enabled = policy.probe.is_enabled && self.prober.is_some();
        Policy { probe: ProbePolicy { is_enabled, ..policy.probe }, ..policy }
    }
}
