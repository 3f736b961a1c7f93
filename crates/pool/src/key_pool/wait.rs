//! Waiting for a key: who may wait, who is served next, and who has waited long enough.

use keygate_domain::{Access, Moment};

use super::KeyPool;
use crate::queue::{Head, Line, Resolved, Ticket};
use crate::{Ask, Granted, PoolRefusal, invariants};

/// What came of a look at the first ticket of a line.
enum Look {
    /// It is out of the line: served, or refused.
    Resolved,
    /// It has to wait on, and so does everybody behind it.
    Blocked(PoolRefusal),
}

/// Where one more may wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Room {
    Free,
    /// For the ticket of somebody who has too many.
    InPlaceOf(u64),
    Nowhere,
}

impl KeyPool {
    /// A key, or a place in the queue, or neither.
    pub(super) fn lease_or_wait(&mut self, ask: &Ask) -> Result<Granted, PoolRefusal> {
        if !ask.access.needs_key() {
            return self.pass(ask);
        }
        self.at_once(ask).or_else(|refusal| self.wait_instead(ask, refusal))
    }

    /// A key at once or none: whoever waits for the same comes first.
    pub(super) fn at_once(&mut self, ask: &Ask) -> Result<Granted, PoolRefusal> {
        if let Some(refusal) = self.refusal_of_those_ahead(ask) {
            return Err(refusal);
        }
        self.choose_and_grant(ask)
    }

    /// Looks after everybody who waits: serves whom it can, in turn, and refuses those whose time
    /// is over or cannot suffice any more.
    pub(super) fn attend(&mut self) {
        loop {
            if self.queue.settle_down(self.now) {
                self.serve_in_turn();
            }
            let Some(number) = self.queue.overdue(self.now) else { break };
            self.turn_away(number);
        }
    }

    /// Looks at all lines, whether anything happened or not.
    #[cfg(test)]
    pub(crate) fn look_at_everybody(&mut self) {
        self.queue.stir();
        self.attend();
    }

    /// Takes somebody out of the queue who does not wait any more. True if it was there.
    pub(super) fn give_up_ticket(&mut self, ticket: Ticket) -> bool {
        ticket.life == self.life && self.queue.leave(ticket.number).is_some()
    }

    /// Serves in the order of turns until every line is blocked that may not be.
    fn serve_in_turn(&mut self) {
        let mut heads = self.queue.heads(|model, operation| self.buckets.name(model, operation), self.now);
        while let Some((head, line)) = heads.pop_first() {
            // A turn only ever moves to the back: what stands here is never too late.
            let resolved = match self.queue.head(&line) {
                Some(current) if current == head => matches!(self.look_at(head, &line), Look::Resolved),
                Some(_) => true,
                None => false,
            };
            if let Some(next) = self.queue.head(&line).filter(|_| resolved) {
                heads.insert((next, line));
            }
        }
        self.queue.looked_through();
    }

    fn look_at(&mut self, head: Head, line: &Line) -> Look {
        let Some((ask, until)) = self.queue.ticket(head.number).map(|it| (it.ask.clone(), it.until)) else {
            return Look::Resolved;
        };
        match self.choose_and_grant(&ask) {
            Ok(granted) => {
                debug_assert!(self.queue.is_turn_of(line, head.turn), "{}", invariants::KP_9.sentence);
                self.queue.serve(head.number);
                self.resolve(head.number, Ok(granted));
            }
            Err(refusal) => {
                if let Some(due) = self.comes_true_at(&refusal).filter(|due| *due <= until) {
                    self.queue.blocked(line, due);
                    return Look::Blocked(refusal);
                }
                self.queue.leave(head.number);
                self.resolve(head.number, Err(refusal));
            }
        }
        Look::Resolved
    }

    /// When there may be a key.
    fn comes_true_at(&self, refusal: &PoolRefusal) -> Option<Moment> {
        let PoolRefusal::Resting { retry_after, .. } = refusal else { return None };
        Some(self.now.after(*retry_after))
    }

    /// Ends a wait with what a newcomer would be told.
    fn turn_away(&mut self, number: u64) {
        let Some(waiting) = self.queue.leave(number) else { return };
        let outcome = self.at_once(&waiting.ask);
        self.resolve(number, outcome);
    }

    /// Why those who wait for the same cannot be served; `None` when there are none.
    pub(super) fn refusal_of_those_ahead(&mut self, ask: &Ask) -> Option<PoolRefusal> {
        if self.queue.is_empty() {
            return None;
        }
        let line = self.line_of(ask)?;
        while let Some(head) = self.queue.head(&line) {
            if let Look::Blocked(refusal) = self.look_at(head, &line) {
                return Some(refusal);
            }
        }
        None
    }

    /// The line of an ask; `None` for one that no key is chosen for.
    pub(super) fn line_of(&self, ask: &Ask) -> Option<Line> {
        let ownership = self.ownership(ask).ok()?;
        let needs_key =
            ask.access.needs_key() && (ownership.is_some() || ask.access != Access::OwnCredential);
        needs_key.then(|| Line::of(ask, ownership.as_ref().and_then(|ownership| ownership.bound_to())))
    }

    fn wait_instead(&mut self, ask: &Ask, refusal: PoolRefusal) -> Result<Granted, PoolRefusal> {
        let (Some((due, until)), Some(line)) = (self.wait_for(ask, &refusal), self.line_of(ask)) else {
            return Err(refusal);
        };
        match self.room_for(ask) {
            Room::Nowhere => return Err(refusal),
            Room::InPlaceOf(spare) => self.turn_away(spare),
            Room::Free => {}
        }
        let number = self.queue.join(ask, line, until, due, self.now);
        Ok(Granted::Wait { ticket: Ticket { life: self.life, number }, until })
    }

    /// When there may be a key for somebody who is refused one, and until when it can be waited for;
    /// `None` where no wait is short enough.
    pub(super) fn wait_for(&self, ask: &Ask, refusal: &PoolRefusal) -> Option<(Moment, Moment)> {
        let until = self.now.after(self.policy.queue.max_wait.min(ask.patience));
        let due = self.comes_true_at(refusal).filter(|due| *due <= until)?;
        Some((due, until))
    }

    /// Where one more may wait. A full queue makes room at the cost of the user who has most
    /// places, so that a burst of one does not keep all others out.
    pub(super) fn room_for(&self, ask: &Ask) -> Room {
        let most = self.policy.queue.max_waiting;
        // What nobody fetched takes room too; a shell fetches after every call.
        if most == 0 || self.resolved.len() > most {
            return Room::Nowhere;
        }
        if self.queue.len() < most {
            return Room::Free;
        }
        self.queue.most_to_spare(&ask.user).map_or(Room::Nowhere, Room::InPlaceOf)
    }

    fn resolve(&mut self, number: u64, outcome: Result<Granted, PoolRefusal>) {
        self.resolved.push(Resolved { ticket: Ticket { life: self.life, number }, outcome });
    }
}
