//! Avatar sessions, which go on after the answer that began them.

use std::time::Duration;

use keygate_domain::Spend;

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

    pub(super) fn begin_session(&mut self, group: usize, admitted: Admitted, length: Duration) {
        let length = length.mul_f64(self.dice.exponential());
        let place = self.free_sessions.pop().unwrap_or_else(|| {
            self.sessions.push((group, admitted));
            self.sessions.len() - 1
        });
        self.sessions[place] = (group, admitted);
        self.agenda.note(self.at.saturating_add(length), Due::SessionEnds(place));
    }

    pub(super) fn end_session(&mut self, place: usize) {
        let (group, admitted) = self.sessions[place];
        self.free_sessions.push(place);
        self.provider.ended(admitted, self.now.mono);
        self.pool.slot_freed(&self.groups[group], self.now);
    }
}
