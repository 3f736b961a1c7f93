//! The mailbox and the fence around a key pool. Decides nothing.

use std::sync::Arc;

use actix::{Actor, ActorContext as _, AsyncContext as _, Context, Handler, Supervised};
use keygate_domain::Moment;
use keygate_limits::RestartBudget;
use keygate_pool::{Granted, KeyPool, PoolEvent, PoolState, Probe, Resolved};

use super::SupervisorSpec;
use super::keeping::Keeping;
use super::lease::{Delivery, LeaseRefused, Parcel};
use super::messages::{
    ExplainAsk, LeaseKey, Notice, ObservePool, Ping, ReadNotices, ReloadKeys, ResetKeys, SwitchKey,
};
use super::waiting::Askers;
use crate::alarm::Alarm;
use crate::chaos::Saboteur;
use crate::fence::fenced;
use crate::gate::Gate;
use crate::tray::Notices;
use crate::{Unavailable, Vitals, clock, events};

/// A key pool in a mailbox. What the pool wants to remember is kept beside it after every call,
/// so that a pool that panicked is rebuilt as it was.
pub(crate) struct KeySupervisorActor {
    spec: SupervisorSpec,
    notices: Notices<Notice>,
    pub(super) pool: KeyPool,
    askers: Askers,
    pub(super) kept: PoolState,
    pub(super) keeping: Keeping,
    life: u64,
    alarm: Alarm,
    saboteur: Saboteur,
    budget: RestartBudget,
    vitals: Vitals,
    questions: Gate,
}

/// What a call of the pool leaves to be done.
#[derive(Default)]
struct Aftermath {
    events: Vec<PoolEvent>,
    resolved: Vec<Resolved>,
    probe: Option<Probe>,
}

impl Aftermath {
    fn gather(&mut self, pool: &mut KeyPool) {
        self.events.append(&mut pool.drain_events());
        self.resolved.append(&mut pool.drain_resolved());
    }
}

impl KeySupervisorActor {
    pub(crate) fn new(
        mut spec: SupervisorSpec,
        notices: Notices<Notice>,
        vitals: Vitals,
        questions: Gate,
    ) -> Self {
        let life = 1;
        let saboteur = Saboteur::new(spec.chaos);
        let keeping = Keeping::new(spec.bookkeeper.take());
        // The specification is kept for ever, an earlier process's memory is not.
        let mut kept = Arc::unwrap_or_clone(std::mem::take(&mut spec.memory));
        let pool = revive(&spec, life, &mut kept, vitals.name(), clock::now());
        Self {
            notices,
            kept,
            keeping,
            pool,
            askers: Askers::default(),
            life,
            alarm: Alarm::default(),
            saboteur,
            budget: RestartBudget::default(),
            vitals,
            questions,
            spec,
        }
    }

    /// Reads what lies in the tray, then calls the pool; logs what happened, answers those who waited,
    /// sets the alarm. What the pool wants to remember is kept after every step, so that no panic takes
    /// back what was told before.
    pub(super) fn call<T>(
        &mut self,
        ctx: &mut Context<Self>,
        call: impl FnOnce(&mut KeyPool, &mut Saboteur, Moment) -> T,
    ) -> Result<T, Unavailable> {
        let now = clock::now();
        let Self { notices, pool, askers, kept, saboteur, .. } = self;
        let mut aftermath = Aftermath::default();
        let outcome = fenced(|| {
            heed_all(notices, pool, askers, kept, &mut aftermath, now);
            let answer = call(pool, saboteur, now);
            aftermath.probe = pool.take_probe();
            pool.save_changes(kept);
            aftermath.gather(pool);
            (answer, pool.next_wakeup())
        });
        self.see_to(aftermath, ctx);
        let Ok((answer, wakeup)) = outcome else { return Err(self.give_up_this_life(ctx)) };
        self.alarm.set(ctx, wakeup, now, Self::wake);
        let has_spent = self.pool.has_unsaved_spent();
        self.keeping.tell(self.spec.provider, &self.kept, has_spent, || ctx.address().recipient());
        Ok(answer)
    }

    fn see_to(&mut self, aftermath: Aftermath, ctx: &mut Context<Self>) {
        for event in &aftermath.events {
            events::in_pool(self.spec.provider, event);
        }
        if !aftermath.events.is_empty() {
            self.vitals.stirred();
        }
        for resolved in aftermath.resolved {
            self.askers.answer(resolved);
        }
        if let (Some(probe), Some(prober)) = (aftermath.probe, &self.spec.prober) {
            prober.ask_after(self.spec.provider, probe, ctx.address().recipient());
        }
    }

    fn wake(&mut self, ctx: &mut Context<Self>) {
        self.alarm.clear();
        // A pool that panics here is rebuilt like any other, and there is nobody to answer.
        let _ = self.call(ctx, |pool, _, now| pool.advance(now));
    }

    fn give_up_this_life(&mut self, ctx: &mut Context<Self>) -> Unavailable {
        // Notices read before the panic had their effect, which is kept: so they are told too.
        for event in fenced(|| self.pool.drain_events()).unwrap_or_default() {
            events::in_pool(self.spec.provider, &event);
        }
        events::panicked(self.vitals.name());
        self.vitals.panicked();
        ctx.stop();
        Unavailable::SHORTLY
    }

    fn rebuild(&mut self, now: Moment) {
        self.life += 1;
        self.alarm.clear();
        self.askers.dismiss();
        let spent = fenced(|| self.pool.spent()).unwrap_or_default();
        self.pool = revive(&self.spec, self.life, &mut self.kept, self.vitals.name(), now);
        if fenced(|| self.pool.remember_spent(&spent)).is_err() {
            events::state_lost(self.vitals.name());
        }
    }
}

/// A pool that goes on where `left` ends, and `left` as that pool knows it.
fn revive(spec: &SupervisorSpec, life: u64, left: &mut PoolState, name: &str, now: Moment) -> KeyPool {
    let (keys, policy) = (spec.keys.clone(), spec.feasible(spec.policy.clone()));
    let restored = fenced(|| KeyPool::restore(life, keys, policy, spec.seed, left, now));
    let pool = restored.unwrap_or_else(|_| {
        events::state_lost(name);
        KeyPool::new(life, spec.keys.clone(), spec.feasible(spec.policy.clone()), spec.seed, now)
    });
    *left = pool.state_after(std::mem::take(left));
    pool
}

/// Reads what lies in the tray. What it changed is kept and what happened is told after each
/// notice, so that neither is lost with a pool that panics later.
fn heed_all(
    notices: &mut Notices<Notice>,
    pool: &mut KeyPool,
    askers: &mut Askers,
    kept: &mut PoolState,
    aftermath: &mut Aftermath,
    now: Moment,
) {
    while let Some(notice) = notices.next() {
        heed(pool, askers, notice, now);
        pool.save_changes(kept);
        aftermath.gather(pool);
    }
}

fn heed(pool: &mut KeyPool, askers: &mut Askers, notice: Notice, now: Moment) {
    match notice {
        Notice::Settle { lease, verdict } => drop(pool.settle(lease, verdict, now)),
        Notice::Answered { lease } => pool.answered(lease, now),
        Notice::Used { lease, more } => pool.used_so_far(lease, more, now),
        Notice::Bind { group, client, binding } => pool.bind(&group, &client, binding, now),
        Notice::SessionOpened { lease, session } => pool.session_opened(lease, session, now),
        Notice::SessionEnded { group, session } => pool.session_ended(&group, &session, now),
        Notice::Find { group, binding } => pool.find(&group, binding, now),
        Notice::Unbind { group, resource } => pool.unbind(&group, &resource, now),
        Notice::Leave { ticket } => {
            // One that is answered already finds nobody there, and what it was given goes back.
            if pool.leave(ticket, now) {
                askers.forget(ticket);
            }
        }
    }
}

impl Actor for KeySupervisorActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        // The gates bound the mailbox; its own capacity would only make senders wait.
        ctx.set_mailbox_capacity(0);
        self.questions.open();
        self.vitals.started();
        self.wake(ctx);
    }
}

impl Supervised for KeySupervisorActor {
    fn restarting(&mut self, _: &mut Context<Self>) {
        let now = clock::now();
        let is_within_budget = self.vitals.restarted(&mut self.budget, now);
        self.rebuild(now);
        events::restarted(self.vitals.name(), self.vitals.restarts());
        if !is_within_budget {
            events::beyond_repair(self.vitals.name(), self.vitals.restarts());
        }
    }
}

impl Drop for KeySupervisorActor {
    fn drop(&mut self) {
        // What lies in the tray was told before the end.
        let Self { notices, pool, askers, kept, .. } = self;
        let _ = fenced(|| heed_all(notices, pool, askers, kept, &mut Aftermath::default(), clock::now()));
        self.keeping.last_words(self.spec.provider, &mut self.kept, &mut self.pool);
        self.vitals.ended();
    }
}

// === handlers: one fenced call each ===

impl Handler<LeaseKey> for KeySupervisorActor {
    type Result = Result<Delivery, LeaseRefused>;

    fn handle(&mut self, message: LeaseKey, ctx: &mut Context<Self>) -> Self::Result {
        let LeaseKey { ask, desk, permit: _permit } = message;
        let granted = self.call(ctx, |pool, saboteur, now| {
            let granted = pool.lease(&ask, now);
            saboteur.strike();
            granted
        })?;
        match granted.map_err(LeaseRefused::Pool)? {
            Granted::Lease(lease) => Ok(Delivery::Key(Box::new(Parcel::new(lease, desk)))),
            Granted::NotOurs => Ok(Delivery::NotOurs),
            Granted::Pass(group) => Ok(Delivery::Pass(group)),
            Granted::Wait { ticket, .. } => Ok(Delivery::Wait(self.askers.seat(ticket, desk))),
        }
    }
}

impl Handler<ReadNotices> for KeySupervisorActor {
    type Result = ();

    fn handle(&mut self, _: ReadNotices, ctx: &mut Context<Self>) {
        self.notices.reminded();
        // A pool that panics over a notice is rebuilt, and there is nobody to answer.
        let _ = self.call(ctx, |_, _, _| ());
    }
}

impl Handler<ObservePool> for KeySupervisorActor {
    type Result = Result<keygate_pool::PoolSnapshot, Unavailable>;

    fn handle(&mut self, question: ObservePool, ctx: &mut Context<Self>) -> Self::Result {
        let _permit = question.permit;
        self.call(ctx, |pool, _, now| pool.snapshot(now))
    }
}

impl Handler<ExplainAsk> for KeySupervisorActor {
    type Result = Result<keygate_pool::Decision, Unavailable>;

    fn handle(&mut self, question: ExplainAsk, ctx: &mut Context<Self>) -> Self::Result {
        let ExplainAsk { ask, permit: _permit } = question;
        self.call(ctx, |pool, _, now| pool.explain(&ask, now))
    }
}

impl Handler<ResetKeys> for KeySupervisorActor {
    type Result = Result<usize, Unavailable>;

    fn handle(&mut self, order: ResetKeys, ctx: &mut Context<Self>) -> Self::Result {
        let ResetKeys { ids, permit: _permit } = order;
        self.call(ctx, |pool, _, now| pool.reset(ids.as_deref(), now))
    }
}

impl Handler<ReloadKeys> for KeySupervisorActor {
    type Result = Result<keygate_pool::Reloaded, Unavailable>;

    fn handle(&mut self, order: ReloadKeys, ctx: &mut Context<Self>) -> Self::Result {
        let ReloadKeys { keys, policy } = order;
        let policy = self.spec.feasible(policy);
        // Before the call: a pool that is rebuilt is rebuilt from these.
        self.spec.keys.clone_from(&keys);
        self.spec.policy.clone_from(&policy);
        self.call(ctx, |pool, _, now| pool.reload(keys, policy, now))
    }
}

impl Handler<SwitchKey> for KeySupervisorActor {
    type Result = Result<bool, Unavailable>;

    fn handle(&mut self, order: SwitchKey, ctx: &mut Context<Self>) -> Self::Result {
        let SwitchKey { id, is_enabled, permit: _permit } = order;
        self.call(ctx, |pool, _, now| if is_enabled { pool.enable(&id, now) } else { pool.disable(&id, now) })
    }
}

impl Handler<Ping> for KeySupervisorActor {
    type Result = ();

    fn handle(&mut self, ping: Ping, _: &mut Context<Self>) {
        drop(ping.permit);
    }
}
