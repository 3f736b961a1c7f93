//! What the pool answers: the right to use one key once, or why not.

use std::sync::Arc;
use std::time::Duration;

use keygate_domain::{
    ApiKey, BucketName, ClientId, Fault, GroupId, Keepsake, KeyId, LeaseId, Moment, Resource, Scope,
};

use crate::{Skip, Ticket};

/// The pool's yes, for now or for later.
#[derive(Clone, Debug)]
pub enum Granted {
    /// A key, for one attempt.
    Lease(Lease),
    /// The request brings its own credential and names nothing this pool knows: pass it as it is.
    NotOurs,
    /// The request needs no key, and is about something of this group's.
    Pass(GroupId),
    /// No key is free, but one may be soon enough: [`KeyPool::drain_resolved`] tells what became
    /// of it, at `until` or before.
    ///
    /// [`KeyPool::drain_resolved`]: crate::KeyPool::drain_resolved
    Wait {
        /// The place in the queue; [`KeyPool::leave`] gives it up.
        ///
        /// [`KeyPool::leave`]: crate::KeyPool::leave
        ticket: Ticket,
        /// The last moment at which it is answered.
        until: Moment,
    },
}

/// The right to use one key once. Ends with exactly one settlement, or by itself.
#[derive(Clone, Debug)]
pub struct Lease {
    /// What to settle.
    pub id: LeaseId,
    /// The key.
    pub key: ApiKey,
    /// Its position in the configuration, from 0.
    pub index: usize,
    /// What operators call it.
    pub label: Arc<str>,
    /// Its quota group.
    pub group: GroupId,
    /// The quota bucket the request counts in; `None` for an operation without a model.
    pub bucket: Option<BucketName>,
    /// Set when the group does not own a resource the request names and an equal one can be
    /// made there from this.
    pub away: Option<Keepsake>,
    /// Whether it is this group because it owns what the request names; else nobody knows who does.
    pub is_owners: bool,
    /// The client for whom that was made which lets the request in, when it is not a client's token: what
    /// the request creates belongs to it.
    pub on_behalf_of: Option<ClientId>,
    /// Keys that came first by the strategy and could not be used, at most 8; for spans.
    pub skipped: Vec<(KeyId, Skip)>,
    /// How many keys could be used for what was asked, budgets that are not used up left out of
    /// account; for spans.
    pub usable: usize,
    /// Of how many keys; for spans.
    pub of_keys: usize,
    /// Whether the lease before was of another key.
    pub is_rotation: bool,
    /// Whether it finds out if a provider in trouble serves again. The beginning of an answer is
    /// worth telling then, see [`crate::KeyPool::answered`].
    pub is_trial: bool,
}

/// The pool's no.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PoolRefusal {
    /// Every key that could serve this rests.
    #[error("every usable key rests for another {retry_after:?}")]
    Resting {
        /// The earliest moment at which asking again succeeds if nothing else changes (KP-6);
        /// at least a millisecond (KP-5).
        retry_after: Duration,
        /// The fault that took a key out last.
        last_fault: Fault,
    },
    /// The provider itself is in trouble; keys are free.
    #[error("the provider is in trouble for another {retry_after:?}")]
    BreakerOpen {
        /// As above.
        retry_after: Duration,
        /// The fault that the provider answers with.
        last_fault: Fault,
    },
    /// No key could serve this, and no time cures it.
    #[error("every usable key is disabled")]
    Disabled {
        /// The fault that took a key out last.
        last_fault: Fault,
    },
    /// Two of the resources named belong to different groups.
    #[error("{first} and {second} belong to different owners")]
    Conflict {
        /// One of them.
        first: Resource,
        /// The other.
        second: Resource,
    },
    /// A resource named belongs to another client.
    #[error("{resource} belongs to another client")]
    Foreign {
        /// Which.
        resource: Resource,
    },
    /// What lets the request in is the name of something that nobody made here, or that is gone.
    #[error("{resource} is not known")]
    Unknown {
        /// Which.
        resource: Resource,
    },
    /// What is asked for is kept by every group apart, and none was named.
    #[error("several groups could serve this, and none is named")]
    Undecided,
    /// All keys that are usable were tried by this request already.
    #[error("every usable key was tried in this request")]
    NothingLeft,
}

impl PoolRefusal {
    /// When asking again succeeds if nothing else changes; `None` if no time cures it.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Resting { retry_after, .. } | Self::BreakerOpen { retry_after, .. } => Some(*retry_after),
            Self::Disabled { .. }
            | Self::Conflict { .. }
            | Self::Foreign { .. }
            | Self::Unknown { .. }
            | Self::Undecided
            | Self::NothingLeft => None,
        }
    }
}

impl PoolRefusal {
    /// The name in spans and explanations: `breaker_open`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Resting { .. } => "resting",
            Self::BreakerOpen { .. } => "breaker_open",
            Self::Disabled { .. } => "disabled",
            Self::Conflict { .. } => "conflict",
            Self::Foreign { .. } => "foreign",
            Self::Unknown { .. } => "unknown",
            Self::Undecided => "undecided",
            Self::NothingLeft => "nothing_left",
        }
    }

    /// The fault that stands in the way, where it is one.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Resting { last_fault, .. }
            | Self::BreakerOpen { last_fault, .. }
            | Self::Disabled { last_fault } => Some(*last_fault),
            Self::Conflict { .. }
            | Self::Foreign { .. }
            | Self::Unknown { .. }
            | Self::Undecided
            | Self::NothingLeft => None,
        }
    }
}

/// What a settlement did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Settled {
    /// The lease ended; nothing was taken out of the pool.
    Ended,
    /// The lease ended and something rests now.
    Rested {
        /// What rests.
        scope: Scope,
        /// Why.
        fault: Fault,
        /// Until when, a longer rest that was running already included (KP-4).
        until: Moment,
    },
    /// The lease ended and its key, or the whole group, is out until it is reset.
    Disabled {
        /// `Key` or `Group`.
        scope: Scope,
        /// Why.
        fault: Fault,
    },
    /// The lease is of another life, expired or settled already: nothing changed (KP-8).
    Stale,
}
