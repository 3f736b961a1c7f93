//! Step 10: one place where a lease ends and what was seen is told.

use std::time::Duration;

use keygate_actors::KeyLease;
use keygate_domain::{ClientId, Failure, Fault, OpenedSession, Resource, Spend, Usage, Verdict};
use keygate_limits::Amount;
use keygate_provider::{Ended, Metered};
use keygate_telemetry::spans;
use tracing::Span;

use crate::answer::Slot;

/// What a session is that is nothing but a connection; it has no name.
const CONNECTION: &str = "connection";

/// How a successful answer ended, and whose doing it was when it ended early.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// The provider finished it.
    Complete,
    /// It was cut by this fault of the provider.
    Cut(Fault),
    /// The caller left.
    Abandoned,
}

impl Ending {
    pub(crate) fn as_ended(self) -> Ended {
        match self {
            Self::Complete => Ended::Complete,
            Self::Cut(_) => Ended::Broken,
            Self::Abandoned => Ended::Abandoned,
        }
    }
}

/// Settles the lease of a successful answer by what the meter saw of it.
pub(crate) fn by_meter(
    lease: Option<KeyLease>,
    client: &ClientId,
    estimate: Spend,
    metered: &Metered,
    ending: Ending,
    span: &Span,
) {
    spans::record_metered(span, metered);
    let verdict = verdict_on(estimate, metered, ending);
    if let Verdict::Failed(failure) = &verdict {
        spans::record_failure(span, failure);
    }
    let Some(lease) = lease else { return };
    for binding in &metered.bindings {
        lease.bind(client, binding.clone());
    }
    if let Some(session) = &metered.opened {
        lease.opened(session.clone());
    }
    if let Some(session) = &metered.ended {
        lease.ended(session.clone());
    }
    for found in &metered.found {
        lease.find(found.clone());
    }
    for gone in &metered.gone {
        lease.unbind(gone.clone());
    }
    // 10 tell supervisor
    lease.settle(verdict);
}

/// Settles the lease of a connection by what was seen of it. What it created was told as it was seen.
pub(crate) fn by_watcher(
    lease: Option<KeyLease>,
    estimate: Spend,
    metered: &Metered,
    failure: Option<Failure>,
    is_session: bool,
    span: &Span,
) {
    spans::record_metered(span, metered);
    if let Some(failure) = &failure {
        spans::record_failure(span, failure);
    }
    let served = || verdict_on(estimate, metered, Ending::Complete);
    let verdict = failure.map_or_else(served, Verdict::Failed);
    let Some(lease) = lease else { return };
    if is_session {
        // It has taken its place as long as the lease, and takes none after it.
        let session = Resource::new(CONNECTION, "");
        lease.opened(OpenedSession { session: session.clone(), longest: Some(Duration::ZERO) });
        lease.ended(session);
    }
    if let Some(session) = &metered.ended {
        lease.ended(session.clone());
    }
    lease.settle(verdict);
}

/// Counts a call against the user's plan, with the tokens it came to as far as that is known. What the
/// provider failed to finish costs its user nothing.
pub(crate) fn charge(slot: &mut Slot, units: u32, estimate: Spend, metered: &Metered, ending: Ending) {
    let Some(admission) = slot else { return };
    let estimated = match ending {
        _ if metered.failure.is_some() => return,
        Ending::Cut(_) => return,
        Ending::Complete => estimate.input_tokens + estimate.output_tokens,
        // The answer is not known to have been more than a beginning.
        Ending::Abandoned => estimate.input_tokens,
    };
    let tokens = metered.usage.map_or(estimated, Usage::tokens);
    admission.charge(Amount { requests: u64::from(units), tokens });
}

/// Counts a call against the user's plan for which nobody was asked: a request, and no tokens.
pub(crate) fn charge_request(slot: &mut Slot, units: u32) {
    if let Some(admission) = slot {
        admission.charge(Amount { requests: u64::from(units), tokens: 0 });
    }
}

/// Settles the lease of a failed attempt.
pub(crate) fn by_failure(lease: Option<KeyLease>, failure: &Failure, span: &Span) {
    spans::record_failure(span, failure);
    if let Some(lease) = lease {
        lease.settle(Verdict::Failed(failure.clone()));
    }
}

fn verdict_on(estimate: Spend, metered: &Metered, ending: Ending) -> Verdict {
    if let Some(failure) = &metered.failure {
        return Verdict::Failed(failure.clone());
    }
    match ending {
        Ending::Complete => {
            Verdict::Served(metered.usage.map_or(estimate, |usage| usage.as_spend(estimate.requests)))
        }
        Ending::Cut(fault) => Verdict::Failed(Failure::of(fault)),
        Ending::Abandoned => Verdict::Abandoned,
    }
}
