//! A bot whose request met a limit may lose its session over it: who keeps it alive is told.

use std::sync::Arc;

use keygate_actors::{Keepers, LeaseRefused, LimitMet};
use keygate_domain::{ClientId, Fault, ProviderName};
use keygate_pool::PoolRefusal;

use crate::{Call, Caller, House, Lane};

/// The provider failed an attempt.
pub(crate) fn tell(house: &House, lane: &Lane, call: &Call<'_>, caller: &Caller, fault: Fault) {
    house.keepers.met_limit(LimitMet {
        tag: call.tag(),
        client: caller.client.as_str(),
        bound_to: caller.profile.keeper.as_deref(),
        provider: lane.adapter.name,
        fault,
    });
}

/// What is needed to tell of a limit that the provider tells inside an answer, when the call is gone.
pub(crate) struct Concern {
    keepers: Keepers,
    tag: Option<String>,
    client: ClientId,
    bound_to: Option<Arc<str>>,
    provider: ProviderName,
}

impl Concern {
    /// Of an answer that begins; nothing where nobody keeps sessions.
    pub(crate) fn of(house: &House, lane: &Lane, call: &Call<'_>, caller: &Caller) -> Option<Box<Self>> {
        house.keepers.has_any().then(|| {
            Box::new(Self {
                keepers: house.keepers.clone(),
                tag: call.tag().map(str::to_owned),
                client: caller.client.clone(),
                bound_to: caller.profile.keeper.clone(),
                provider: lane.adapter.name,
            })
        })
    }

    /// The provider failed behind the beginning of its answer.
    pub(crate) fn tell(&self, fault: Fault) {
        self.keepers.met_limit(LimitMet {
            tag: self.tag.as_deref(),
            client: self.client.as_str(),
            bound_to: self.bound_to.as_deref(),
            provider: self.provider,
            fault,
        });
    }
}

/// Nothing was sent: every key rests for what others met before.
pub(crate) fn tell_refused(
    house: &House,
    lane: &Lane,
    call: &Call<'_>,
    caller: &Caller,
    refused: &LeaseRefused,
) {
    if let LeaseRefused::Pool(PoolRefusal::Resting { last_fault, .. }) = refused {
        tell(house, lane, call, caller, *last_fault);
    }
}
