//! Askers who wait for a key: the pool decides when and whether they get one, this carries the
//! answer to them.
//!
//! No gate is held meanwhile: the pool's queue is bounded itself, and an asker who waits must not
//! take the place of one who asks for something else.

use std::collections::BTreeMap;
use std::sync::Arc;

use keygate_pool::{Granted, PoolRefusal, Resolved, Ticket};
use tokio::sync::oneshot;

use super::handle::Desk;
use super::lease::{LeaseRefused, Leased, Parcel};
use super::messages::Notice;
use crate::{Unavailable, clock};

/// What became of a wait; `None` for a request that needs no key after all.
type Outcome = Result<Option<Box<Parcel>>, PoolRefusal>;

/// A place in the queue, in the hands of the asker. Dropped before the answer, wherever it is by
/// then, it is given up.
#[derive(Debug)]
pub(crate) struct Place {
    outcome: oneshot::Receiver<Outcome>,
    /// What to give up; `None` once there is an answer.
    ticket: Option<Ticket>,
    desk: Arc<Desk>,
}

impl Place {
    /// Waits for the answer. A supervisor that restarts meanwhile forgets who waited.
    pub(crate) async fn leased(mut self) -> Result<Leased, LeaseRefused> {
        let began = clock::now();
        let outcome = (&mut self.outcome).await;
        self.ticket = None;
        match outcome.map_err(|_| Unavailable::SHORTLY)?.map_err(LeaseRefused::Pool)? {
            Some(parcel) => Ok(Leased::Key(parcel.open().after(began.until(clock::now())))),
            None => Ok(Leased::NotOurs),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.desk.tell(Notice::Leave { ticket });
        }
    }
}

/// Everybody who waits, on the supervisor's side.
#[derive(Debug, Default)]
pub(crate) struct Askers {
    waiting: BTreeMap<Ticket, Asker>,
}

#[derive(Debug)]
struct Asker {
    answer: oneshot::Sender<Outcome>,
    desk: Arc<Desk>,
}

impl Askers {
    /// Somebody has to wait.
    pub(crate) fn seat(&mut self, ticket: Ticket, desk: Arc<Desk>) -> Place {
        let (answer, outcome) = oneshot::channel();
        self.waiting.insert(ticket, Asker { answer, desk: Arc::clone(&desk) });
        Place { outcome, ticket: Some(ticket), desk }
    }

    /// Somebody does not wait any more, and the pool knows it.
    pub(crate) fn forget(&mut self, ticket: Ticket) {
        self.waiting.remove(&ticket);
    }

    /// Answers somebody. A lease that nobody takes goes back unsent.
    pub(crate) fn answer(&mut self, resolved: Resolved) {
        let Some(Asker { answer, desk }) = self.waiting.remove(&resolved.ticket) else { return };
        let outcome = resolved.outcome.map(|granted| match granted {
            Granted::Lease(lease) => Some(Box::new(Parcel::new(lease, desk))),
            Granted::NotOurs | Granted::Pass(_) | Granted::Wait { .. } => None,
        });
        let _ = answer.send(outcome);
    }

    /// The pool that they waited for is gone: each is told to ask again.
    pub(crate) fn dismiss(&mut self) {
        self.waiting.clear();
    }
}
