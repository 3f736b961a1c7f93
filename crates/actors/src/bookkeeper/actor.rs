//! The mailbox of the bookkeeper. Reading and writing run beside it: it never waits itself.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, Recipient, Supervised};
use keygate_domain::ProviderName;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::agenda::{Agenda, Batch, MOST_ROWS, Step};
use super::handle::Condition;
use super::messages::{Changed, Finish, LastWords, TakeUnsaved};
use super::shelf::{Shelf, ShelfTrouble};
use crate::alarm::Alarm;
use crate::{clock, events};

/// A write that takes longer is told of as slow, and goes on: nobody waits for it, but somebody
/// should know.
const SLOW: Duration = Duration::from_secs(5);

/// One that takes this much longer counts as failed and is begun anew.
const PATIENCE: Duration = Duration::from_secs(25);

/// Fetches what changed and has it written.
pub(crate) struct BookkeeperActor {
    agenda: Agenda<Recipient<TakeUnsaved>>,
    shelf: Arc<dyn Shelf>,
    condition: Condition,
    is_busy: bool,
    alarm: Alarm,
    finishing: Vec<oneshot::Sender<bool>>,
}

impl BookkeeperActor {
    pub(crate) fn new(shelf: Arc<dyn Shelf>, condition: Condition) -> Self {
        Self {
            agenda: Agenda::default(),
            shelf,
            condition,
            is_busy: false,
            alarm: Alarm::default(),
            finishing: Vec::new(),
        }
    }

    fn proceed(&mut self, ctx: &mut Context<Self>) {
        if self.is_busy {
            return;
        }
        let now = clock::now();
        if !self.finishing.is_empty() {
            self.agenda.hurry(now);
        }
        match self.agenda.next(now) {
            Step::Write(batch) => self.write(batch, ctx),
            Step::Fetch(provider, door) => self.fetch(provider, door, ctx),
            Step::WaitUntil(then) => self.alarm.set(ctx, Some(then), now, Self::wake),
            Step::Rest => self.finish(true),
        }
    }

    fn wake(&mut self, ctx: &mut Context<Self>) {
        self.alarm.clear();
        self.proceed(ctx);
    }

    fn fetch(&mut self, provider: ProviderName, door: Recipient<TakeUnsaved>, ctx: &mut Context<Self>) {
        let answer = door.send(TakeUnsaved { most: MOST_ROWS });
        self.beside(ctx, answer, move |actor, rows| {
            // Who is gone has left its last words.
            let rows = rows.unwrap_or_default();
            actor.agenda.fetched(Batch { provider, rows }, door, clock::now());
        });
    }

    fn write(&mut self, batch: Arc<Batch>, ctx: &mut Context<Self>) {
        let (shelf, condition) = (Arc::clone(&self.shelf), self.condition.clone());
        // A task of its own is a fence: what panics in there is a failure and no more.
        let writing = tokio::spawn(async move { put(&*shelf, &batch, &condition).await });
        self.beside(ctx, writing, |actor, outcome| {
            actor.heed(outcome.unwrap_or_else(|panicked| Err(ShelfTrouble::new("failed", panicked))));
        });
    }

    fn heed(&mut self, outcome: Result<(), ShelfTrouble>) {
        let now = clock::now();
        match outcome {
            Ok(()) => {
                self.agenda.written(now);
                if self.condition.cured() {
                    events::storage_recovered(self.agenda.take_dropped());
                }
            }
            Err(trouble) => {
                self.agenda.not_written(now);
                if self.condition.troubled(trouble.reason) {
                    events::storage_failed(trouble.reason, &*trouble.cause);
                }
                self.finish(false);
            }
        }
    }

    fn finish(&mut self, is_written: bool) {
        for done in self.finishing.drain(..) {
            // Whoever asked may have lost patience.
            let _ = done.send(is_written);
        }
    }

    fn beside<T: 'static>(
        &mut self,
        ctx: &mut Context<Self>,
        work: impl Future<Output = T> + 'static,
        then: impl FnOnce(&mut Self, T) + 'static,
    ) {
        self.is_busy = true;
        ctx.spawn(wrap_future::<_, Self>(work).map(|outcome, actor, ctx| {
            actor.is_busy = false;
            then(actor, outcome);
            actor.proceed(ctx);
        }));
    }
}

async fn put(shelf: &dyn Shelf, batch: &Batch, condition: &Condition) -> Result<(), ShelfTrouble> {
    let mut writing = shelf.put(batch.provider, &batch.rows);
    if let Ok(outcome) = timeout(SLOW, &mut writing).await {
        return outcome;
    }
    if condition.troubled("slow") {
        events::storage_slow();
    }
    match timeout(PATIENCE, writing).await {
        Ok(outcome) => outcome,
        Err(elapsed) => Err(ShelfTrouble::new("slow", elapsed)),
    }
}

impl Actor for BookkeeperActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        // What lies in the mailbox is bounded by who tells; its own capacity would make them wait.
        ctx.set_mailbox_capacity(0);
    }
}

impl Supervised for BookkeeperActor {
    fn restarting(&mut self, _: &mut Context<Self>) {
        // What ran beside the last life is gone with it.
        self.is_busy = false;
        self.alarm.clear();
    }
}

impl Drop for BookkeeperActor {
    fn drop(&mut self) {
        self.condition.ended();
    }
}

impl Handler<Changed> for BookkeeperActor {
    type Result = ();

    fn handle(&mut self, Changed { provider, urgency, from }: Changed, ctx: &mut Context<Self>) {
        self.agenda.changed(provider, urgency, from, clock::now());
        self.proceed(ctx);
    }
}

impl Handler<LastWords> for BookkeeperActor {
    type Result = ();

    fn handle(&mut self, LastWords { provider, rows }: LastWords, ctx: &mut Context<Self>) {
        self.agenda.given(Batch { provider, rows });
        self.proceed(ctx);
    }
}

impl Handler<Finish> for BookkeeperActor {
    type Result = ();

    fn handle(&mut self, Finish { done }: Finish, ctx: &mut Context<Self>) {
        self.finishing.push(done);
        self.proceed(ctx);
    }
}
