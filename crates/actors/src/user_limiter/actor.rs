//! The mailbox and the fence around quotas and failed logins. Decides nothing.

use std::sync::Arc;

use actix::{Actor, ActorContext as _, Context, Handler, Supervised};
use keygate_domain::{Moment, UserId};
use keygate_limits::{
    Peers, PlanStanding, Plans, RestartBudget, Turnstile, Used, UserAsk, UserPolicy, UserStanding,
};

use super::admission::{LimiterRefusal, Ticket};
use super::call::UserCall;
use super::crowd::Crowd;
use super::messages::{
    Admit, FailedLogin, Leave, LookAtPlan, LookAtUser, Ping, ReadNotices, Restore, SetPlans, SetPolicy,
};
use crate::alarm::Alarm;
use crate::chaos::{Chaos, Saboteur};
use crate::fence::{Panicked, fenced};
use crate::tray::Notices;
use crate::{Unavailable, Vitals, clock, events};

/// The quotas of all users in a mailbox.
pub(crate) struct UserLimiterActor {
    policy: UserPolicy,
    plans: Plans,
    notices: Notices<Leave>,
    limits: Limits,
    /// Counts restarts, so that a call admitted before one cannot end a call admitted after it.
    life: u64,
    alarm: Alarm,
    saboteur: Saboteur,
    budget: RestartBudget,
    vitals: Vitals,
    crowd: Arc<Crowd>,
}

/// The machines in here.
struct Limits {
    users: Turnstile,
    peers: Peers,
}

impl Limits {
    fn new(policy: UserPolicy, plans: Plans) -> Self {
        let users = Turnstile::new(policy, plans, clock::now());
        Self { users, peers: Peers::new(policy.failed_logins_per_minute) }
    }

    /// With what users had of their plans before.
    fn with(mut self, used: Vec<(UserId, Used)>) -> Self {
        self.restore(used, clock::now());
        self
    }

    fn restore(&mut self, used: Vec<(UserId, Used)>, now: Moment) {
        for (user, used) in used {
            self.users.restore(user, used, now);
        }
    }

    /// Failed logins start over where their limit changes.
    fn set_policy(&mut self, policy: UserPolicy) {
        if policy.failed_logins_per_minute != self.users.policy().failed_logins_per_minute {
            self.peers = Peers::new(policy.failed_logins_per_minute);
        }
        self.users.set_policy(policy);
    }

    fn advance(&mut self, now: Moment) {
        self.users.advance(now);
        self.peers.advance(now);
    }

    fn next_wakeup(&self, now: Moment) -> Option<Moment> {
        [self.users.next_wakeup(now), self.peers.next_wakeup(now)].into_iter().flatten().min()
    }
}

impl UserLimiterActor {
    pub(crate) fn new(
        policy: UserPolicy,
        plans: Plans,
        used: Vec<(UserId, Used)>,
        notices: Notices<Leave>,
        chaos: Option<Chaos>,
        (vitals, crowd): (Vitals, Arc<Crowd>),
    ) -> Self {
        Self {
            policy,
            notices,
            limits: Limits::new(policy, plans.clone()).with(used),
            plans,
            life: 1,
            alarm: Alarm::default(),
            saboteur: Saboteur::new(chaos),
            budget: RestartBudget::default(),
            vitals,
            crowd,
        }
    }

    /// Reads what lies in the tray, then calls the machines and sets the alarm.
    fn call<T>(
        &mut self,
        ctx: &mut Context<Self>,
        call: impl FnOnce(&mut Limits, &mut Saboteur, Moment) -> T,
    ) -> Result<T, Unavailable> {
        let now = clock::now();
        let Self { notices, limits, saboteur, life: this_life, .. } = self;
        let outcome = fenced(|| {
            while let Some(Leave { user, life, reservation, spent }) = notices.next() {
                if life == *this_life {
                    limits.users.leave(&user, reservation, spent);
                } else {
                    limits.users.leave_late(&user, reservation, spent);
                }
            }
            let answer = call(limits, saboteur, now);
            (answer, limits.next_wakeup(now))
        });
        let Ok((answer, wakeup)) = outcome else { return Err(self.give_up_this_life(ctx)) };
        self.crowd.tell(self.limits.users.users(), self.limits.users.policy().max_users);
        self.alarm.set(ctx, wakeup, now, Self::wake);
        Ok(answer)
    }

    fn wake(&mut self, ctx: &mut Context<Self>) {
        self.alarm.clear();
        // Limits that panic here are rebuilt like any other, and there is nobody to answer.
        let _ = self.call(ctx, |limits, _, now| limits.advance(now));
    }

    fn give_up_this_life(&mut self, ctx: &mut Context<Self>) -> Unavailable {
        events::panicked(self.vitals.name());
        self.vitals.panicked();
        ctx.stop();
        Unavailable::SHORTLY
    }

    /// Goes on with the users' minutes and plans: after a panic nobody's starts over. Failed logins are few
    /// and do.
    fn rebuild(&mut self) {
        self.life += 1;
        self.alarm.clear();
        let broken = std::mem::replace(&mut self.limits, Limits::new(self.policy, self.plans.clone()));
        match fenced(|| broken.users.rebuilt()) {
            Ok(users) => {
                self.limits.users = users;
                self.limits.users.set_policy(self.policy);
                self.limits.users.set_plans(self.plans.clone());
            }
            Err(Panicked) => events::state_lost(self.vitals.name()),
        }
    }
}

impl Actor for UserLimiterActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        // The gate bounds the mailbox; its own capacity would only make senders wait.
        ctx.set_mailbox_capacity(0);
        self.vitals.started();
        self.wake(ctx);
    }
}

impl Supervised for UserLimiterActor {
    fn restarting(&mut self, _: &mut Context<Self>) {
        let is_within_budget = self.vitals.restarted(&mut self.budget, clock::now());
        self.rebuild();
        events::restarted(self.vitals.name(), self.vitals.restarts());
        if !is_within_budget {
            events::beyond_repair(self.vitals.name(), self.vitals.restarts());
        }
    }
}

impl Drop for UserLimiterActor {
    fn drop(&mut self) {
        self.vitals.ended();
    }
}

// === handlers: one fenced call each ===

impl Handler<Admit> for UserLimiterActor {
    type Result = Result<Ticket, LimiterRefusal>;

    fn handle(&mut self, message: Admit, ctx: &mut Context<Self>) -> Self::Result {
        let Admit { call, desk, permit: _permit } = message;
        let UserCall { user, units, limits: own, plan, tokens } = call;
        let passed = self.call(ctx, |limits, saboteur, now| {
            let ask = UserAsk { user: &user, units, limits: own, plan: plan.as_ref(), tokens };
            let passed = limits.users.admit(&ask, now);
            saboteur.strike();
            passed
        })?;
        Ok(Ticket::new(passed.map_err(LimiterRefusal::from)?, user, self.life, desk))
    }
}

impl Handler<ReadNotices> for UserLimiterActor {
    type Result = ();

    fn handle(&mut self, _: ReadNotices, ctx: &mut Context<Self>) {
        self.notices.reminded();
        // Limits that panic over a notice are rebuilt, and there is nobody to answer.
        let _ = self.call(ctx, |_, _, _| ());
    }
}

impl Handler<LookAtUser> for UserLimiterActor {
    type Result = Result<UserStanding, Unavailable>;

    fn handle(&mut self, question: LookAtUser, ctx: &mut Context<Self>) -> Self::Result {
        let LookAtUser { call, permit: _permit } = question;
        let UserCall { user, units, limits: own, plan, tokens } = call;
        self.call(ctx, |limits, _, now| {
            let ask = UserAsk { user: &user, units, limits: own, plan: plan.as_ref(), tokens };
            limits.users.look(&ask, now)
        })
    }
}

impl Handler<FailedLogin> for UserLimiterActor {
    type Result = Result<(), LimiterRefusal>;

    fn handle(&mut self, message: FailedLogin, ctx: &mut Context<Self>) -> Self::Result {
        let FailedLogin { peer, permit: _permit } = message;
        let counted = self.call(ctx, |limits, _, now| limits.peers.failed_login(peer, now))?;
        counted.map_err(LimiterRefusal::TurnedAway)
    }
}

impl Handler<LookAtPlan> for UserLimiterActor {
    type Result = Result<PlanStanding, Unavailable>;

    fn handle(&mut self, question: LookAtPlan, ctx: &mut Context<Self>) -> Self::Result {
        let LookAtPlan { user, plan, permit: _permit } = question;
        self.call(ctx, |limits, _, now| limits.users.look_at_plan(&user, plan.as_ref(), now))
    }
}

impl Handler<SetPlans> for UserLimiterActor {
    type Result = Result<Option<Moment>, Unavailable>;

    fn handle(&mut self, SetPlans(plans): SetPlans, ctx: &mut Context<Self>) -> Self::Result {
        // Before the call: a limiter that is rebuilt is rebuilt with them.
        self.plans.clone_from(&plans);
        self.call(ctx, |limits, _, now| limits.users.set_plans(plans).then_some(now))
    }
}

impl Handler<Restore> for UserLimiterActor {
    type Result = Result<(), Unavailable>;

    fn handle(&mut self, Restore(used): Restore, ctx: &mut Context<Self>) -> Self::Result {
        self.call(ctx, |limits, _, now| limits.restore(used, now))
    }
}

impl Handler<SetPolicy> for UserLimiterActor {
    type Result = Result<(), Unavailable>;

    fn handle(&mut self, SetPolicy(policy): SetPolicy, ctx: &mut Context<Self>) -> Self::Result {
        // Before the call: a limiter that is rebuilt is rebuilt with it.
        self.policy = policy;
        self.call(ctx, |limits, _, _| limits.set_policy(policy))
    }
}

impl Handler<Ping> for UserLimiterActor {
    type Result = ();

    fn handle(&mut self, ping: Ping, _: &mut Context<Self>) {
        drop(ping.permit);
    }
}
