//! What a key supervisor can be told and asked.

use std::sync::Arc;

use actix::Message;
use keygate_domain::{
    Binding, ClientId, GroupId, Keepsake, KeyId, KeySpec, LeaseId, OpenedSession, Resource, Spend, Verdict,
};
use keygate_pool::{Ask, Decision, Policy, PoolSnapshot, Reloaded, Ticket, Whose};

use super::handle::Desk;
use super::lease::{Delivery, LeaseRefused};
use crate::Unavailable;
use crate::gate::Permit;

/// "Give me a key."
#[derive(Message)]
#[rtype(result = "Result<Delivery, LeaseRefused>")]
pub(crate) struct LeaseKey {
    pub(crate) ask: Ask,
    /// Where the lease is settled.
    pub(crate) desk: Arc<Desk>,
    pub(crate) permit: Permit,
}

/// What a lease's holder tells, or who waits for one. There are never more of them than leases
/// outstanding and places in the queue.
#[derive(Debug)]
pub(crate) enum Notice {
    /// "This is what became of it."
    Settle {
        /// The lease.
        lease: LeaseId,
        /// Its end.
        verdict: Verdict,
    },
    /// "Its answer has begun, and well."
    Answered {
        /// The lease.
        lease: LeaseId,
    },
    /// "So much more was used, and it goes on."
    Used {
        /// The lease.
        lease: LeaseId,
        /// What was used since this was told last.
        more: Spend,
    },
    /// "This now belongs to that group."
    Bind {
        /// The group.
        group: GroupId,
        /// Whose it is.
        client: ClientId,
        /// What.
        binding: Binding,
    },
    /// "That group has this, and nobody knows who made it."
    Find {
        /// The group.
        group: GroupId,
        /// What.
        binding: Binding,
    },
    /// "This is no more."
    Unbind {
        /// The group that had it.
        group: GroupId,
        /// What.
        resource: Resource,
    },
    /// "I do not wait any more."
    Leave {
        /// Its place in the queue.
        ticket: Ticket,
    },
    /// "Its answer opened a session."
    SessionOpened {
        /// The lease.
        lease: LeaseId,
        /// The session.
        session: OpenedSession,
    },
    /// "A session of that group ended."
    SessionEnded {
        /// The group.
        group: GroupId,
        /// Which.
        session: Resource,
    },
}

/// "Read your notices."
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ReadNotices;

/// "How are the keys?"
#[derive(Message)]
#[rtype(result = "Result<PoolSnapshot, Unavailable>")]
pub(crate) struct ObservePool {
    pub(crate) permit: Permit,
}

/// "What would you answer, and why?"
#[derive(Message)]
#[rtype(result = "Result<Decision, Unavailable>")]
pub(crate) struct ExplainAsk {
    pub(crate) ask: Ask,
    pub(crate) permit: Permit,
}

/// "Which groups have a part of a list?"
#[derive(Message)]
#[rtype(result = "Result<Vec<GroupId>, Unavailable>")]
pub(crate) struct GroupsHaving {
    pub(crate) kind: &'static str,
    /// Only those in which something is this client's.
    pub(crate) client: Option<ClientId>,
    pub(crate) permit: Permit,
}

/// "Whose are these?"
#[derive(Message)]
#[rtype(result = "Result<Vec<Whose>, Unavailable>")]
pub(crate) struct WhoseAre {
    pub(crate) resources: Vec<Resource>,
    pub(crate) client: ClientId,
    pub(crate) permit: Permit,
}

/// "What is kept of it?"
#[derive(Message)]
#[rtype(result = "Result<Option<Keepsake>, Unavailable>")]
pub(crate) struct KeptOf {
    pub(crate) resource: Resource,
    pub(crate) permit: Permit,
}

/// "Which group has this?"
#[derive(Message)]
#[rtype(result = "Result<Option<GroupId>, Unavailable>")]
pub(crate) struct GroupOf {
    pub(crate) resource: Resource,
    /// Only if it is not another client's than this one's.
    pub(crate) client: Option<ClientId>,
    pub(crate) permit: Permit,
}

/// "Forget that they failed": all keys, or those named. Answers how many gained.
#[derive(Message)]
#[rtype(result = "Result<usize, Unavailable>")]
pub(crate) struct ResetKeys {
    pub(crate) ids: Option<Vec<KeyId>>,
    pub(crate) permit: Permit,
}

/// "Take that key out", or "bring it back". Answers whether there is such a key.
#[derive(Message)]
#[rtype(result = "Result<bool, Unavailable>")]
pub(crate) struct SwitchKey {
    pub(crate) id: KeyId,
    pub(crate) is_enabled: bool,
    pub(crate) permit: Permit,
}

/// "These are the keys from here on, and this is how they are used." Rare, and not for callers: it
/// needs no place in the queue.
#[derive(Message)]
#[rtype(result = "Result<Reloaded, Unavailable>")]
pub(crate) struct ReloadKeys {
    pub(crate) keys: Vec<KeySpec>,
    pub(crate) policy: Policy,
}

/// "Are you there?"
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Ping {
    pub(crate) permit: Permit,
}
