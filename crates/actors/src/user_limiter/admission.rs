//! The right of one call to run, and its end.

use std::sync::Arc;
use std::time::Duration;

use keygate_domain::UserId;
use keygate_limits::{Admitted, TurnedAway};

use super::handle::Desk;
use super::messages::Leave;
use crate::Unavailable;
use crate::gate::{COME_BACK_IN, Full};

/// The limiter's no.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LimiterRefusal {
    /// A limit was met.
    #[error(transparent)]
    TurnedAway(TurnedAway),
    /// Too many asks wait already.
    #[error("too many asks wait for admission")]
    Overloaded {
        /// When asking again makes sense.
        retry_after: Duration,
    },
    /// The limiter is restarting.
    #[error("the user limiter is restarting")]
    Unavailable {
        /// When asking again makes sense.
        retry_after: Duration,
    },
}

impl From<Full> for LimiterRefusal {
    fn from(_: Full) -> Self {
        Self::Overloaded { retry_after: COME_BACK_IN }
    }
}

impl From<Unavailable> for LimiterRefusal {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable { retry_after: unavailable.retry_after }
    }
}

/// One call of a user that is being served. Dropping it ends the call for the limiter, so it is
/// kept as long as the answer flows.
#[derive(Debug)]
pub struct Admission {
    facts: Admitted,
    _ticket: Ticket,
}

impl Admission {
    pub(crate) fn new(ticket: Ticket) -> Self {
        Self { facts: ticket.facts, _ticket: ticket }
    }

    /// The user's numbers, for the `RateLimit` headers.
    pub fn facts(&self) -> Admitted {
        self.facts
    }
}

/// The limiter's yes, from the moment it was said: if nobody is there to hear it, actix drops it
/// and the call ends at once. Its units stay used, as they would for a call that was cut off.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) facts: Admitted,
    pub(crate) user: UserId,
    pub(crate) life: u64,
    pub(crate) desk: Arc<Desk>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.desk.tell(Leave { user: self.user.clone(), life: self.life });
    }
}
