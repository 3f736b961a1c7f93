//! The requests that are under way.

use std::time::Duration;

use keygate_domain::{LeaseId, Moment};
use keygate_limits::RetryPlan;
use keygate_pool::{Ticket, Tried};

use crate::Arrival;
use crate::provider::Admitted;

/// A request under way.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Of all requests of the run.
    pub(crate) number: u64,
    pub(crate) arrival: Arrival,
    /// When it came.
    pub(crate) came: Moment,
    /// How long the provider will take.
    pub(crate) service: Duration,
    /// When the caller hangs up, or the deadline is over, since the beginning.
    pub(crate) ends_by: Duration,
    pub(crate) tried: Vec<Tried>,
    /// Made at the first failure.
    pub(crate) plan: Option<Box<RetryPlan>>,
    pub(crate) stage: Stage,
    /// How long it has waited for keys.
    pub(crate) waited: Duration,
}

/// Where a request stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stage {
    /// On its way to the pool.
    Asking,
    /// It has a place in the pool's queue, since so long.
    Waiting { ticket: Ticket, since: Duration },
    /// The provider works on it.
    Served { lease: LeaseId, group: usize, admitted: Admitted, is_in_time: bool },
}

/// Requests by a place that is used again when they are done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hands {
    requests: Vec<Option<Request>>,
    free: Vec<usize>,
}

impl Hands {
    pub(crate) fn take(&mut self, request: Request) -> usize {
        if let Some(place) = self.free.pop() {
            self.requests[place] = Some(request);
            return place;
        }
        self.requests.push(Some(request));
        self.requests.len() - 1
    }

    pub(crate) fn get(&self, place: usize) -> Option<&Request> {
        self.requests.get(place)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut Request> {
        self.requests.get_mut(place)?.as_mut()
    }

    pub(crate) fn done(&mut self, place: usize) -> Option<Request> {
        let request = self.requests.get_mut(place)?.take()?;
        self.free.push(place);
        Some(request)
    }
}
