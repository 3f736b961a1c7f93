//! A bot whose request met a limit may lose its session over it: who keeps it alive is told.

use keygate_actors::{LeaseRefused, LimitMet};
use keygate_domain::Fault;
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
