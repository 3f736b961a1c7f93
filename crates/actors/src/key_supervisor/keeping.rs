//! How a supervisor's memory gets to the bookkeeper: it is told that something changed and fetches
//! what. Until then the supervisor only notes which rows; so a slow disk costs no memory, and
//! a row that changes a hundred times is written once.

use actix::{Context, Handler, Recipient};
use keygate_domain::ProviderName;
use keygate_pool::{KeyPool, PoolState, StateRow, Urgency};

use super::actor::KeySupervisorActor;
use crate::Bookkeeper;
use crate::bookkeeper::TakeUnsaved;
use crate::fence::fenced;

/// What the bookkeeper has been told.
#[derive(Debug)]
pub(super) struct Keeping {
    bookkeeper: Option<Bookkeeper>,
    told: Urgency,
}

impl Keeping {
    pub(super) fn new(bookkeeper: Option<Bookkeeper>) -> Self {
        Self { bookkeeper, told: Urgency::Nothing }
    }

    /// Tells the bookkeeper what it does not know yet.
    pub(super) fn tell(
        &mut self,
        provider: ProviderName,
        kept: &PoolState,
        has_spent: bool,
        door: impl FnOnce() -> Recipient<TakeUnsaved>,
    ) {
        let spent = if has_spent { Urgency::Soon } else { Urgency::Nothing };
        let urgency = kept.unsaved().max(spent);
        let Some(bookkeeper) = self.bookkeeper.as_ref().filter(|_| urgency > self.told) else { return };
        self.told = urgency;
        bookkeeper.changed(provider, urgency, door());
    }

    /// Hands over what was never fetched: there is no later.
    pub(super) fn last_words(&self, provider: ProviderName, kept: &mut PoolState, pool: &mut KeyPool) {
        if let Some(bookkeeper) = &self.bookkeeper {
            bookkeeper.last_words(provider, unsaved(kept, pool, usize::MAX));
        }
    }
}

impl Handler<TakeUnsaved> for KeySupervisorActor {
    type Result = Vec<StateRow>;

    fn handle(&mut self, TakeUnsaved { most }: TakeUnsaved, ctx: &mut Context<Self>) -> Vec<StateRow> {
        // The visitor takes what the tray holds along, and need not be told of it.
        self.keeping.told = Urgency::AtOnce;
        let _ = self.call(ctx, |_, _, _| ());
        self.keeping.told = Urgency::Nothing;
        unsaved(&mut self.kept, &mut self.pool, most)
    }
}

/// At most so many rows. What was used comes after what is out; a pool that panics over it is rebuilt
/// at its next call.
fn unsaved(kept: &mut PoolState, pool: &mut KeyPool, most: usize) -> Vec<StateRow> {
    let mut rows = kept.take_unsaved(most);
    let room = most - rows.len();
    rows.extend(fenced(|| pool.take_spent_rows(room)).unwrap_or_default());
    rows
}
