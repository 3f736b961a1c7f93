//! All that may stand between a user and a key: the minute, the plan.

use keygate_domain::{Moment, PlanName, UserId, UserLimits};

use crate::{
    Admitted, Amount, PlanBook, PlanExhausted, PlanStanding, Plans, Reservation, TurnedAway, Used,
    UserPolicy, UserQuotas, UserStanding,
};

/// Every user's minute and plan.
pub struct Turnstile {
    quotas: UserQuotas,
    plans: PlanBook,
}

/// What a call of a user asks for.
#[derive(Clone, Copy, Debug)]
pub struct UserAsk<'a> {
    /// Whose it is.
    pub user: &'a UserId,
    /// What it counts for the minute and, in requests, for the plan.
    pub units: u32,
    /// The limits of the client's users, where they differ from everybody's and the plan's.
    pub limits: UserLimits,
    /// The plan that the user's client is on.
    pub plan: Option<&'a PlanName>,
    /// What it will cost in tokens, roughly.
    pub tokens: u64,
}

/// A call that was let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Passed {
    /// The user's numbers.
    pub admitted: Admitted,
    /// What the plan keeps for it.
    pub reservation: Reservation,
}

/// Why a call was not let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAdmitted {
    /// A limit of the minute, or of what may run at once.
    #[error(transparent)]
    TurnedAway(#[from] TurnedAway),
    /// The plan has nothing left.
    #[error(transparent)]
    PlanExhausted(#[from] PlanExhausted),
}

impl Turnstile {
    /// Limits nobody has met yet.
    pub fn new(policy: UserPolicy, plans: Plans, now: Moment) -> Self {
        Self { quotas: UserQuotas::new(policy), plans: PlanBook::new(plans, now) }
    }

    /// The policy of the minute in force.
    pub fn policy(&self) -> &UserPolicy {
        self.quotas.policy()
    }

    /// Puts another policy in force; everybody's minute goes on.
    pub fn set_policy(&mut self, policy: UserPolicy) {
        self.quotas.set_policy(policy);
    }

    /// Puts other plans in force; what was used stays used. Says whether counting begins with them.
    pub fn set_plans(&mut self, plans: Plans) -> bool {
        self.plans.set_plans(plans)
    }

    /// Adds what a user had of the plan before it was counted here.
    pub fn restore(&mut self, user: UserId, used: Used, now: Moment) {
        self.plans.restore(user, used, now);
    }

    /// Lets a call in, or not. Every call that was let in must [`leave`](Self::leave).
    ///
    /// # Errors
    /// When the minute or the plan has no room for it. Nothing is charged then.
    pub fn admit(&mut self, ask: &UserAsk<'_>, now: Moment) -> Result<Passed, NotAdmitted> {
        let &UserAsk { user, units, limits, plan, tokens } = ask;
        let amount = Amount { requests: u64::from(units), tokens };
        let limits = self.plans.limits_of(plan, limits);
        let reservation = self.plans.reserve(user, plan, amount, now)?;
        match self.quotas.admit(user, units, limits, now) {
            Ok(admitted) => Ok(Passed { admitted, reservation }),
            Err(away) => {
                self.plans.settle(user, reservation, Amount::default(), true);
                Err(away.into())
            }
        }
    }

    /// Ends a call of this life that was let in, which came to `spent`.
    pub fn leave(&mut self, user: &UserId, reservation: Reservation, spent: Amount) {
        self.quotas.leave(user);
        self.plans.settle(user, reservation, spent, true);
    }

    /// Ends a call that was let in before [`rebuilt`](Self::rebuilt): it is in nobody's count of running calls
    /// any more, but what it cost is to be counted.
    pub fn leave_late(&mut self, user: &UserId, reservation: Reservation, spent: Amount) {
        self.plans.settle(user, reservation, spent, false);
    }

    /// How a user's minute stands, and what would become of this call, as far as the minute goes.
    pub fn look(&self, ask: &UserAsk<'_>, now: Moment) -> UserStanding {
        self.quotas.look(ask.user, ask.units, self.plans.limits_of(ask.plan, ask.limits), now)
    }

    /// How a user stands with the plan.
    pub fn look_at_plan(&self, user: &UserId, plan: Option<&PlanName>, now: Moment) -> PlanStanding {
        self.plans.look(user, plan, now)
    }

    /// How many users are remembered.
    pub fn users(&self) -> usize {
        self.quotas.users()
    }

    /// Forgets users nothing of whom counts any more.
    pub fn advance(&mut self, now: Moment) {
        self.quotas.advance(now);
    }

    /// When [`advance`](Self::advance) would next forget someone.
    pub fn next_wakeup(&self, now: Moment) -> Option<Moment> {
        self.quotas.next_wakeup(now)
    }

    /// What to go on with after a panic: everybody's minute and plan, and no call under way.
    #[must_use]
    pub fn rebuilt(self) -> Self {
        Self { quotas: self.quotas.rebuilt(), plans: self.plans.rebuilt() }
    }
}
