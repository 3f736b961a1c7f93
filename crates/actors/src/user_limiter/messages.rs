//! What the user limiter can be told and asked.

use std::net::IpAddr;
use std::sync::Arc;

use actix::Message;
use keygate_domain::{UserId, UserLimits};
use keygate_limits::{UserPolicy, UserStanding};

use super::admission::{LimiterRefusal, Ticket};
use super::handle::Desk;
use crate::Unavailable;
use crate::gate::Permit;

/// "May this user pass?"
#[derive(Message)]
#[rtype(result = "Result<Ticket, LimiterRefusal>")]
pub(crate) struct Admit {
    pub(crate) user: UserId,
    pub(crate) units: u32,
    pub(crate) limits: UserLimits,
    /// Where the call leaves.
    pub(crate) desk: Arc<Desk>,
    pub(crate) permit: Permit,
}

/// "The call ended." A notice: there are never more than calls admitted.
#[derive(Debug)]
pub(crate) struct Leave {
    pub(crate) user: UserId,
    pub(crate) life: u64,
}

/// "Read your notices."
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ReadNotices;

/// "How does this user stand, and would a call pass?"
#[derive(Message)]
#[rtype(result = "Result<UserStanding, Unavailable>")]
pub(crate) struct LookAtUser {
    pub(crate) user: UserId,
    pub(crate) units: u32,
    pub(crate) limits: UserLimits,
    pub(crate) permit: Permit,
}

/// "Someone from there has no valid token."
#[derive(Message)]
#[rtype(result = "Result<(), LimiterRefusal>")]
pub(crate) struct FailedLogin {
    pub(crate) peer: IpAddr,
    pub(crate) permit: Permit,
}

/// "These are the limits from here on." Rare, and not for callers: it needs no place in the queue.
#[derive(Message)]
#[rtype(result = "Result<(), Unavailable>")]
pub(crate) struct SetPolicy(pub(crate) UserPolicy);

/// "Are you there?"
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Ping {
    pub(crate) permit: Permit,
}
