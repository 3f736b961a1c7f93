//! Avatar sessions, which go on after the answer that began them.

use std::time::Duration;

use keygate_domain::{LeaseId, OpenedSession, Resource, Spend};

use super::Rehearsal;
use crate::Arrival;
use crate::agenda::Due;
use crate::provider::Admitted;

impl Rehearsal<'_> {
    /// What an answer cost; a session reports nothing.
    pub(super) fn spend(&self, arrival: &Arrival) -> Spend {
        if self.scenario.session_length.is_some() {
            return Spend { requests: 1, ..Spend::default() };
        }
        Spend { requests: 1, input_tokens: arrival.input_tokens, output_tokens: arrival.output_tokens }
    }

    pub(super) fn begin_session(
        &mut self,
        lease: LeaseId,
        group: usize,
        admitted: Admitted,
        length: Duration,
    ) {
        let length = length.mul_f64(self.dice.exponential());
        // As many sessions as leases: no two of either have the same number.
        let session = Resource::new("session", lease.number.to_string());
        let opened = OpenedSession { session: session.clone(), longest: None };
        self.pool.session_opened(lease, opened, self.now);
        let place = self.free_sessions.pop().unwrap_or(self.sessions.len());
        if place == self.sessions.len() {
            self.sessions.push((group, admitted, session));
        } else {
            self.sessions[place] = (group, admitted, session);
        }
        self.agenda.note(self.at.saturating_add(length), Due::SessionEnds(place));
    }

    pub(super) fn end_session(&mut self, place: usize) {
        let (group, admitted, session) = self.sessions[place].clone();
        self.free_sessions.push(place);
        self.provider.ended(admitted, self.now.mono);
        self.pool.session_ended(&self.groups[group], &session, self.now);
    }
}
