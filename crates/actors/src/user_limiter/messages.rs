//! What the user limiter can be told and asked.

use std::net::IpAddr;
use std::sync::Arc;

use actix::Message;
use keygate_domain::{Moment, PlanName, UserId};
use keygate_limits::{Amount, PlanStanding, Plans, Reservation, Used, UserPolicy, UserStanding};

use super::admission::{LimiterRefusal, Ticket};
use super::call::UserCall;
use super::handle::Desk;
use crate::Unavailable;
use crate::gate::Permit;

/// "May this user pass?"
#[derive(Message)]
#[rtype(result = "Result<Ticket, LimiterRefusal>")]
pub(crate) struct Admit {
    pub(crate) call: UserCall,
    /// Where the call leaves.
    pub(crate) desk: Arc<Desk>,
    pub(crate) permit: Permit,
}

/// "The call ended." A notice: there are never more than calls admitted.
#[derive(Debug)]
pub(crate) struct Leave {
    pub(crate) user: UserId,
    pub(crate) life: u64,
    pub(crate) reservation: Reservation,
    pub(crate) spent: Amount,
}

/// "How does this user stand with the plan?"
#[derive(Message)]
#[rtype(result = "Result<PlanStanding, Unavailable>")]
pub(crate) struct LookAtPlan {
    pub(crate) user: UserId,
    pub(crate) plan: Option<PlanName>,
    pub(crate) permit: Permit,
}

/// "These plans hold from now on." Answers from when on counting begins with them, if it does.
#[derive(Message)]
#[rtype(result = "Result<Option<Moment>, Unavailable>")]
pub(crate) struct SetPlans(pub(crate) Plans);

/// "This was used before you counted."
#[derive(Message)]
#[rtype(result = "Result<(), Unavailable>")]
pub(crate) struct Restore(pub(crate) Vec<(UserId, Used)>);

/// "Read your notices."
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ReadNotices;

/// "How does this user stand, and would a call pass?"
#[derive(Message)]
#[rtype(result = "Result<UserStanding, Unavailable>")]
pub(crate) struct LookAtUser {
    pub(crate) call: UserCall,
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
