//! The mailbox of the ledger's clerk. Writing runs beside it: it never waits itself.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, Supervised};
use keygate_domain::Moment;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::counts::Counters;
use super::entry::Closing;
use super::forgetting::Forgetting;
use super::messages::{Finish, KeepFor, ReadNotices};
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
    forgetting: Forgetting,
    is_busy: bool,
    alarm: Alarm,
    finishing: Vec<Finishing>,
}

/// Somebody who waits for what there was when they asked.
struct Finishing {
    /// How many attempts had ended by then.
    until: u64,
    done: oneshot::Sender<bool>,
}

impl LedgerClerk {
    pub(crate) fn new(
        shelf: Arc<dyn LedgerShelf>,
        life: String,
        retention: Option<Duration>,
        notices: Notices<Closing>,
        counters: Counters,
    ) -> Self {
        let now = clock::now();
        Self {
            spool: Spool::new(now),
            forgetting: Forgetting::new(retention, now),
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
        self.answer_the_served();
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
                self.forget_meanwhile(ctx, Some(then), now);
            }
            Step::Rest => {
                self.finish();
                self.forget_meanwhile(ctx, None, now);
            }
        }
    }

    /// Nothing is to be written before `then`: time for what is old, if there is any.
    fn forget_meanwhile(&mut self, ctx: &mut Context<Self>, then: Option<Moment>, now: Moment) {
        if let Some(before_ms) = self.forgetting.step(now) {
            let shelf = Arc::clone(&self.shelf);
            self.beside(ctx, PATIENCE, async move { shelf.forget(before_ms).await }, Self::heed_forgetting);
        } else {
            let next = [then, self.forgetting.due()].into_iter().flatten().min();
            self.alarm.set(ctx, next, now, Self::wake);
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

    fn heed_forgetting(&mut self, outcome: Result<u64, ShelfTrouble>) {
        let now = clock::now();
        match outcome {
            Ok(rows) => {
                self.counters.forgot(rows);
                match self.forgetting.forgot(rows, now) {
                    None | Some(0) => {}
                    Some(all) => events::ledger_forgot(all),
                }
            }
            Err(trouble) => {
                self.forgetting.failed(now);
                events::forgetting_failed(trouble.reason, &*trouble.cause);
            }
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
        for asked in self.finishing.drain(..) {
            // Whoever asked may have lost patience.
            let _ = asked.done.send(is_done);
        }
        self.spool.calm();
    }

    /// And before that, when all is written that there was when they asked: more may come without end.
    fn answer_the_served(&mut self) {
        let done = self.counters.read().done();
        for asked in self.finishing.extract_if(.., |asked| asked.until <= done) {
            let _ = asked.done.send(true);
        }
        if self.finishing.is_empty() {
            self.spool.calm();
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

impl Handler<KeepFor> for LedgerClerk {
    type Result = ();

    fn handle(&mut self, KeepFor(retention): KeepFor, ctx: &mut Context<Self>) {
        self.forgetting.set(retention, clock::now());
        self.proceed(ctx);
    }
}

impl Handler<Finish> for LedgerClerk {
    type Result = ();

    fn handle(&mut self, Finish { done }: Finish, ctx: &mut Context<Self>) {
        self.finishing.push(Finishing { until: self.counters.read().closed(), done });
        self.spool.hurry(clock::now());
        self.proceed(ctx);
    }
}
