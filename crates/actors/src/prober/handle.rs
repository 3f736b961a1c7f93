//! The prober as everyone else sees it.

use std::rc::Rc;

use actix::{Addr, Recipient};
use keygate_domain::ProviderName;
use keygate_pool::Probe;

use super::actor::ProberActor;
use super::errand::Errand;
use super::messages::{AskAfter, Probed};
use crate::Home;

/// Starts the prober; `errand` is made on its thread. Its home must be none that requests wait for.
pub fn start_prober(errand: impl FnOnce() -> Rc<dyn Errand> + Send + 'static, home: &Home) -> Prober {
    Prober { address: home.start(move || ProberActor::new(errand())) }
}

/// Makes free calls with disabled keys, one at a time for each provider. Cheap to clone. Telling it
/// something never waits and never fails.
#[derive(Clone, Debug)]
pub struct Prober {
    address: Addr<ProberActor>,
}

impl Prober {
    pub(crate) fn ask_after(&self, provider: ProviderName, probe: Probe, answer_to: Recipient<Probed>) {
        self.address.do_send(AskAfter { provider, probe, answer_to });
    }
}
