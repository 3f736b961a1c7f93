//! The span of asking for a key: which, which not, and why.

use keygate_actors::{KeyLease, LeaseRefused};
use keygate_domain::UserId;
use keygate_telemetry::spans::{self, AskFacts, ChoiceFacts, RefusalFacts};
use tracing::Span;

use crate::Lane;
use crate::attempt::key_facts;

/// Opens the span of one ask.
pub(crate) fn ask(parent: &Span, lane: &Lane, user: &UserId, attempt: u32) -> Span {
    let (provider, strategy) = (lane.adapter.name, lane.strategy.as_str());
    spans::acquire(parent, &AskFacts { provider, strategy, attempt, user: &user.name })
}

/// Tells which key was given, and what the pool chose from.
pub(crate) fn lease(span: &Span, lease: &KeyLease) {
    let (usable_keys, keys) = lease.usable_keys();
    let bucket = lease.bucket().map(keygate_domain::BucketName::as_str);
    let (is_trial, is_away) = (lease.is_trial(), lease.away().is_some());
    spans::record_key(span, &key_facts(lease));
    spans::record_choice(span, &ChoiceFacts { usable_keys, keys, bucket, is_trial, is_away });
    spans::record_waited(span, lease.waited());
    spans::record_skipped(span, lease.skipped().iter().map(|(key, skip)| (key, skip.as_str())));
}

/// Tells why none was given.
pub(crate) fn refusal(span: &Span, refused: &LeaseRefused) {
    let facts = match refused {
        LeaseRefused::Pool(refusal) => RefusalFacts {
            kind: refusal.as_str(),
            fault: refusal.fault(),
            retry_after: refusal.retry_after(),
        },
        LeaseRefused::Overloaded { retry_after } => {
            RefusalFacts { kind: "overloaded", fault: None, retry_after: Some(*retry_after) }
        }
        LeaseRefused::Unavailable { retry_after } => {
            RefusalFacts { kind: "restarting", fault: None, retry_after: Some(*retry_after) }
        }
    };
    spans::record_pool_refusal(span, refused, &facts);
}
