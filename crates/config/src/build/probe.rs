//! `providers.<name>.probe:`, from a section that was read to a policy that is valid.

use std::time::Duration;

use keygate_pool::ProbePolicy;
use keygate_provider::Adapter;

use super::Judge;
use crate::schema::ProbeSection;

/// Once a second is slow for a provider and quick for whoever tries it out.
const MOST_PER_HOUR: u32 = 3600;

/// The policy. A provider without a free call has no probes, whatever the section says.
pub(super) fn build(
    adapter: &Adapter,
    section: &ProbeSection,
    path: &str,
    judge: &mut Judge<'_>,
) -> ProbePolicy {
    let (every, at_most, per_hour) = (section.every.0, section.at_most.0, section.per_hour.0.get());
    judge.require(
        every >= Duration::from_secs(1),
        &format!("{path}.every"),
        "is shorter than a second",
        "give it 1s or more; 10m is usual",
    );
    judge.require(every <= at_most, path, "has every above at_most", "swap them, or raise at_most");
    judge.require(
        per_hour <= MOST_PER_HOUR,
        &format!("{path}.per_hour"),
        "is more than one a second",
        "use 3600 at most; 60 is usual",
    );
    let is_enabled = section.enabled.0 && adapter.free_call.is_some();
    ProbePolicy { is_enabled, every, at_most, per_hour }
}
