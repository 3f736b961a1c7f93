//! The right of one call to run, and its end.

use std::sync::Arc;
use std::time::Duration;

use keygate_domain::UserId;
use keygate_limits::{Admitted, Amount, NotAdmitted, Passed, PlanExhausted, Reservation, TurnedAway};

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
    /// The user's plan has nothing left.
    #[error(transparent)]
    PlanExhausted(PlanExhausted),
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

impl From<NotAdmitted> for LimiterRefusal {
    fn from(refused: NotAdmitted) -> Self {
        match refused {
            NotAdmitted::TurnedAway(away) => Self::TurnedAway(away),
            NotAdmitted::PlanExhausted(exhausted) => Self::PlanExhausted(exhausted),
        }
    }
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
    ticket: Ticket,
}

impl Admission {
    pub(crate) fn new(ticket: Ticket) -> Self {
        Self { ticket }
    }

    /// The user's numbers, for the `RateLimit` headers.
    pub fn facts(&self) -> Admitted {
        self.ticket.facts
    }

    /// Counts what the call came to against the user's plan. A call that comes to nothing costs the
    /// plan nothing.
    pub fn charge(&mut self, spent: Amount) {
        self.ticket.spent = self.ticket.spent.plus(spent);
    }
}

/// The limiter's yes, from the moment it was said: if nobody is there to hear it, actix drops it
/// and the call ends at once. Its units stay used, as they would for a call that was cut off.
#[derive(Debug)]
pub(crate) struct Ticket {
    facts: Admitted,
    reservation: Reservation,
    spent: Amount,
    user: UserId,
    life: u64,
    desk: Arc<Desk>,
}

impl Ticket {
    pub(crate) fn new(passed: Passed, user: UserId, life: u64, desk: Arc<Desk>) -> Self {
        let Passed { admitted: facts, reservation } = passed;
        Self { facts, reservation, spent: Amount::default(), user, life, desk }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Self { reservation, spent, life, .. } = *self;
        self.desk.tell(Leave { user: self.user.clone(), life, reservation, spent });
    }
}
