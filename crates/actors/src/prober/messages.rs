//! What the prober is told, and what it tells.

use actix::{Message, Recipient};
use keygate_domain::{ProviderName, Verdict};
use keygate_pool::{Probe, ProbeId};

/// "Ask after that key." A pool has never more than one such wish.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct AskAfter {
    pub(crate) provider: ProviderName,
    pub(crate) probe: Probe,
    /// Who wants to know.
    pub(crate) answer_to: Recipient<Probed>,
}

/// "This is what became of it."
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Probed {
    pub(crate) probe: ProbeId,
    pub(crate) verdict: Verdict,
}
