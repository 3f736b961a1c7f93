//! Asking the pool for a key, and waiting for one.

use keygate_pool::{Granted, Ticket};

use super::{LEASE_MARGIN, Rehearsal};
use crate::Arrival;
use crate::agenda::Due;
use crate::hands::Stage;
use crate::tally::End;

impl Rehearsal<'_> {
    /// Asks the pool for everybody who has to, and hands out what it decided about those who wait.
    pub(super) fn see_to_askers(&mut self) {
        loop {
            let resolved = if self.waiting.is_empty() { Vec::new() } else { self.pool.drain_resolved() };
            if resolved.is_empty() {
                let Some(place) = self.asking.pop() else { break };
                self.ask(place);
            }
            for one in resolved {
                if let Some(place) = self.waiting.remove(&one.ticket) {
                    self.resolved(place, one.outcome.ok());
                }
            }
        }
    }

    fn ask(&mut self, place: usize) {
        let Some(bucket) = self.prepare_ask(place) else { return };
        match self.pool.lease(&self.asks[bucket], self.now) {
            Ok(Granted::Wait { ticket, .. }) => {
                self.note_stop(bucket, false);
                self.seat(place, ticket);
            }
            Ok(Granted::Lease(lease)) => self.send(place, &lease),
            Ok(Granted::NotOurs | Granted::Pass(_)) | Err(_) => {
                self.note_stop(bucket, true);
                self.finish(place, End::RefusedByPool);
            }
        }
    }

    /// Fills in what a request asks for; its bucket.
    fn prepare_ask(&mut self, place: usize) -> Option<usize> {
        let request = self.hands.get(place)?;
        let bucket = self.bucket_of(&request.arrival);
        let left = self.scenario.timeout.saturating_sub(request.came.until(self.now));
        let ask = &mut self.asks[bucket];
        ask.user.clone_from(&self.users[request.arrival.user as usize]);
        ask.estimate.input_tokens = if ask.opens_session { 0 } else { request.arrival.input_tokens };
        ask.tried.clone_from(&request.tried);
        ask.patience = left;
        ask.hold = left + LEASE_MARGIN;
        Some(bucket)
    }

    pub(super) fn bucket_of(&self, arrival: &Arrival) -> usize {
        if self.scenario.session_length.is_some() { 0 } else { usize::from(arrival.model) }
    }

    /// A place in the queue. Who loses patience before the pool does hangs up.
    fn seat(&mut self, place: usize, ticket: Ticket) {
        let Some(request) = self.hands.get_mut(place) else { return };
        request.stage = Stage::Waiting { ticket, since: self.at };
        self.waiting.insert(ticket, place);
        let longest = self.scenario.policy.queue.max_wait;
        if request.ends_by <= self.at.saturating_add(longest) {
            self.agenda.note(request.ends_by, Due::HangsUp(place, request.number));
        }
    }

    fn resolved(&mut self, place: usize, granted: Option<Granted>) {
        let Some(request) = self.hands.get_mut(place) else { return };
        if let Stage::Waiting { since, .. } = request.stage {
            request.waited += self.at.saturating_sub(since);
        }
        request.stage = Stage::Asking;
        let bucket = request.arrival;
        if let Some(Granted::Lease(lease)) = granted {
            return self.send(place, &lease);
        }
        let bucket = self.bucket_of(&bucket);
        self.note_stop(bucket, true);
        self.finish(place, End::RefusedByPool);
    }
}
