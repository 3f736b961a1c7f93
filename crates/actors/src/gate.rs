//! The door in front of a mailbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// When to come back to a door that was shut: an actor answers in microseconds, so a second is
/// long enough for any queue, and the shortest that `Retry-After` can say.
pub(crate) const COME_BACK_IN: Duration = Duration::from_secs(1);

/// How many may ask before the actor runs: its mailbox parks senders beyond sixteen until it has
/// lifted that bound itself.
const BEFORE_START: usize = 8;

/// Bounds how many asks wait in a mailbox, because a mailbox does not: every way of sending gets
/// in past its capacity.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    places: Arc<Semaphore>,
    given: Arc<AtomicUsize>,
    capacity: usize,
}

/// A place in the queue. Travels in the message, so that it is held until the message has been
/// handled even if the asker is gone.
#[derive(Debug)]
pub(crate) struct Permit(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Gate {
    /// A gate for `capacity` asks at once; only a few pass until it is [opened](Self::open).
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, Semaphore::MAX_PERMITS);
        let given = capacity.min(BEFORE_START);
        Self { places: Arc::new(Semaphore::new(given)), given: Arc::new(AtomicUsize::new(given)), capacity }
    }

    /// Gives all places; more than once does nothing.
    pub(crate) fn open(&self) {
        let given = self.given.swap(self.capacity, Ordering::AcqRel);
        self.places.add_permits(self.capacity - given);
    }

    /// A place, or none at once.
    pub(crate) fn enter(&self) -> Result<Permit, Full> {
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Full)?;
        Ok(Permit(permit))
    }

    /// Asks that wait for their answer.
    pub(crate) fn in_flight(&self) -> usize {
        self.given.load(Ordering::Acquire).saturating_sub(self.places.available_permits())
    }

    /// Asks that may wait at once.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }
}

/// Too many are waiting.
#[derive(Debug)]
pub(crate) struct Full;

/// The actor is restarting, or too many questions wait for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the actor cannot answer, ask again in {retry_after:?}")]
pub struct Unavailable {
    /// When asking again makes sense.
    pub retry_after: Duration,
}

impl Unavailable {
    pub(crate) const SHORTLY: Self = Self { retry_after: COME_BACK_IN };
}

impl From<Full> for Unavailable {
    fn from(_: Full) -> Self {
        Self::SHORTLY
    }
}

impl From<actix::MailboxError> for Unavailable {
    fn from(_: actix::MailboxError) -> Self {
        Self::SHORTLY
    }
}
