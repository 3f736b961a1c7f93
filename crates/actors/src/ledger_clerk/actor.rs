//! The mailbox of the ledger's clerk. Writing runs beside it: it never waits itself.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, Supervised};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::counts::Counters;
use super::entry::Closing;
use super::messages::{Finish, ReadNotices};
use super::shelf::LedgerShelf;
use super::spool::{Spool, Step};
use crate::ShelfTrouble;
use crate::alarm::Alarm;
use crate::tray::Notices;
use crate::{clock, events};

/// A write that takes longer counts as failed; its rows are written again, and count once.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the journal holds may be much.
const PATIENCE_WITH_THE_JOURNAL: Duration = Duration::from_mins(2);

/// Has rows written.
pub(crate) struct LedgerClerk {
    spool: Spool,
    shelf: Arc<dyn LedgerShelf>,
    life: String,
    notices: Notices<Closing>,
    counters: Counters,
    is_busy: bool,
    alarm: Alarm,
    finishing: Vec<oneshot::Sender<bool>>,
}

impl LedgerClerk {
    pub(crate) fn new(
        shelf: Arc<dyn LedgerShelf>,
        life: String,
        notices: Notices<Closing>,
        counters: Counters,
    ) -> Self {
        Self {
            spool: Spool::new(clock::now()),
            shelf,
            life,
            notices,
            counters,
            is_busy: false,
            alarm: Alarm::default(),
            finishing: Vec::new(),
        }
    }

    fn proceed(&mut self, ctx: &mut Context<Self>) {
        let now = clock::now();
        while let Some(closing) = self.notices.next() {
            self.spool.add(closing.into_row(&self.life), now);
        }
        if self.is_busy {
            return;
        }
        let shelf = Arc::clone(&self.shelf);
        match self.spool.next(now) {
            Step::Enter(rows) => {
                self.beside(ctx, PATIENCE, async move { shelf.enter(&rows).await }, Self::heed_entering);
            }
            Step::Journal(rows) => {
                self.beside(ctx, PATIENCE, async move { shelf.journal(&rows).await }, Self::heed_journaling);
            }
            Step::Replay => {
                let replaying = async move { shelf.replay().await };
                self.beside(ctx, PATIENCE_WITH_THE_JOURNAL, replaying, Self::heed_replaying);
            }
            Step::WaitUntil(then) => {
                self.finish();
                self.alarm.set(ctx, Some(then), now, Self::wake);
            }
            Step::Rest => self.finish(),
        }
    }

    fn wake(&mut self, ctx: &mut Context<Self>) {
        self.alarm.clear();
        self.proceed(ctx);
    }

    fn heed_entering(&mut self, outcome: Result<(), ShelfTrouble>) {
        match outcome {
            Ok(()) => self.counters.entered(self.spool.entered()),
            Err(trouble) => self.refused(&trouble),
        }
    }

    fn heed_journaling(&mut self, outcome: Result<usize, ShelfTrouble>) {
        let now = clock::now();
        match outcome {
            Ok(rows) => self.counters.journaled(self.spool.journaled(rows, now)),
            Err(trouble) => {
                events::journal_failed(&*trouble.cause);
                self.spool.not_journaled(now);
            }
        }
    }

    fn heed_replaying(&mut self, outcome: Result<u64, ShelfTrouble>) {
        match outcome {
            Ok(rows) => {
                self.spool.replayed(clock::now());
                self.counters.replayed();
                let was_troubled = self.counters.cured();
                if rows > 0 || was_troubled {
                    events::ledger_recovered(rows, self.counters.read().dropped);
                }
            }
            Err(trouble) => self.refused(&trouble),
        }
    }

    fn refused(&mut self, trouble: &ShelfTrouble) {
        self.spool.refused(clock::now());
        if self.counters.troubled() {
            events::ledger_failed(trouble.reason, &*trouble.cause);
        }
    }

    /// Whoever asked is answered when there is nothing more to do at once.
    fn finish(&mut self) {
        let is_done = self.spool.is_empty();
        for done in self.finishing.drain(..) {
            // Whoever asked may have lost patience.
            let _ = done.send(is_done);
        }
    }

    fn beside<T: Send + 'static>(
        &mut self,
        ctx: &mut Context<Self>,
        patience: Duration,
        work: impl Future<Output = Result<T, ShelfTrouble>> + Send + 'static,
        then: fn(&mut Self, Result<T, ShelfTrouble>),
    ) {
        self.is_busy = true;
        // A task of its own is a fence: what panics in there is a failure and no more.
        let work = tokio::spawn(async move {
            timeout(patience, work).await.unwrap_or_else(|elapsed| Err(ShelfTrouble::new("slow", elapsed)))
        });
        ctx.spawn(wrap_future::<_, Self>(work).map(move |outcome, actor, ctx| {
            actor.is_busy = false;
            then(actor, outcome.unwrap_or_else(|panicked| Err(ShelfTrouble::new("failed", panicked))));
            actor.proceed(ctx);
        }));
    }
}

impl Actor for LedgerClerk {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        // What lies in the mailbox is bounded by who tells; its own capacity would make them wait.
        ctx.set_mailbox_capacity(0);
        self.proceed(ctx);
    }
}

impl Supervised for LedgerClerk {
    fn restarting(&mut self, _: &mut Context<Self>) {
        // What ran beside the last life is gone with it.
        self.is_busy = false;
        self.alarm.clear();
    }
}

impl Handler<ReadNotices> for LedgerClerk {
    type Result = ();

    fn handle(&mut self, _: ReadNotices, ctx: &mut Context<Self>) {
        self.notices.reminded();
        self.proceed(ctx);
    }
}

impl Handler<Finish> for LedgerClerk {
    type Result = ();

    fn handle(&mut self, Finish { done }: Finish, ctx: &mut Context<Self>) {
        self.finishing.push(done);
        self.spool.hurry(clock::now());
        self.proceed(ctx);
    }
}
