//! The accounts of all users.

use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;
use keygate_domain::{Moment, PlanName, UserId, UserLimits};

use super::account::{Account, Amount, Used};
use super::calendar::Today;
use super::terms::{Allowed, Overage, Plan, PlanMetric, Plans};

/// Most accounts kept. Each is of a user who was served this month.
const MOST_ACCOUNTS: usize = 2_000_000;

/// What every user has had of their plan. Without plans it keeps nothing.
#[derive(Debug)]
pub struct PlanBook {
    plans: Plans,
    accounts: IndexMap<UserId, Account>,
    today: Today,
}

/// The right of one call to be served. Ends with [`PlanBook::settle`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reservation {
    amount: Amount,
    day: i32,
    month: i32,
}

/// Why a plan does not cover a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the plan's {} are used up", metric.phrase(*limit))]
pub struct PlanExhausted {
    /// The limit that is met.
    pub metric: PlanMetric,
    /// How much it is.
    pub limit: u64,
    /// When there is more; `None` for a call that is larger than the whole limit.
    pub retry_after: Option<Duration>,
}

/// How a user stands with a plan.
#[derive(Clone, PartialEq, Debug)]
pub struct PlanStanding {
    /// The plan; `None` if the user has none.
    pub plan: Option<(PlanName, Plan)>,
    /// What counts as used; calls under way do not yet.
    pub used: Used,
    /// What calls under way have reserved is in here too.
    pub taken: Used,
    /// When the next day begins.
    pub day_ends: Timestamp,
    /// When the next month begins.
    pub month_ends: Timestamp,
}

impl PlanBook {
    /// An empty book.
    pub fn new(plans: Plans, now: Moment) -> Self {
        Self { plans, accounts: IndexMap::new(), today: Today::at(now.wall) }
    }

    /// Puts other plans in force, at once and for everybody: what was used stays used. Says whether there were none
    /// before: then nobody's use was counted until now, and is to be [restored](Self::restore).
    pub fn set_plans(&mut self, plans: Plans) -> bool {
        let begins = self.plans.are_none() && !plans.are_none();
        if begins {
            self.accounts.clear();
        }
        self.plans = plans;
        begins
    }

    /// The limits of the minute of who is on `named`, and whose client's are `own`.
    pub fn limits_of(&self, named: Option<&PlanName>, own: UserLimits) -> UserLimits {
        self.plans.limits_of(named, own)
    }

    /// Adds what was used before it was counted here.
    pub fn restore(&mut self, user: UserId, used: Used, now: Moment) {
        self.move_to(now);
        let today = self.today;
        if self.accounts.len() < MOST_ACCOUNTS || self.accounts.contains_key(&user) {
            let account = self.accounts.entry(user).or_insert_with(|| Account::new(&today, Used::default()));
            account.move_to(&today);
            account.add(used);
        }
    }

    /// Reserves `amount` for a call of `user`, who is on the plan `named`. While there are no plans at all nothing is
    /// kept for it; it is counted all the same if there are some when it ends.
    ///
    /// # Errors
    /// When the plan does not cover it. Nothing is reserved then.
    pub fn reserve(
        &mut self,
        user: &UserId,
        named: Option<&PlanName>,
        amount: Amount,
        now: Moment,
    ) -> Result<Reservation, PlanExhausted> {
        self.move_to(now);
        if self.plans.are_none() {
            let Today { day, month, .. } = self.today;
            return Ok(Reservation { amount: Amount::default(), day, month });
        }
        let plan = self.plans.of(named).map(|(_, plan)| *plan);
        if let Some(plan) = plan.filter(|plan| plan.overage == Overage::Block) {
            self.covers(&plan, user, amount, now)?;
        }
        self.make_room_for(user);
        let today = self.today;
        let account =
            self.accounts.entry(user.clone()).or_insert_with(|| Account::new(&today, Used::default()));
        account.move_to(&today);
        account.reserve(amount);
        Ok(Reservation { amount, day: today.day, month: today.month })
    }

    /// Ends a call: gives back what it had reserved and counts what it came to. `is_under_way` is false
    /// for a call whose reservation was forgotten by [`rebuilt`](Self::rebuilt).
    pub fn settle(&mut self, user: &UserId, reservation: Reservation, spent: Amount, is_under_way: bool) {
        let Reservation { amount, day, month } = reservation;
        if self.plans.are_none() {
            return;
        }
        self.make_room_for(user);
        let today = self.today;
        let account =
            self.accounts.entry(user.clone()).or_insert_with(|| Account::new(&today, Used::default()));
        account.move_to(&today);
        if is_under_way {
            account.release(amount);
        }
        account.charge(spent, day, month);
        // Names of users come from clients, who could make up any number of them: only who was served is kept.
        if account.is_blank(&self.today) {
            self.accounts.swap_remove(user);
        }
    }

    /// How a user stands who is on the plan `named`.
    pub fn look(&self, user: &UserId, named: Option<&PlanName>, now: Moment) -> PlanStanding {
        let today = self.today_at(now);
        let account = self.accounts.get(user).map(|account| account.seen_on(&today));
        PlanStanding {
            plan: self.plans.of(named).map(|(name, plan)| (name.clone(), *plan)),
            used: account.as_ref().map(Account::used).unwrap_or_default(),
            taken: account.as_ref().map(Account::taken).unwrap_or_default(),
            day_ends: today.day_ends,
            month_ends: today.month_ends,
        }
    }

    /// What to go on with after a panic: everybody's counts, and no call under way.
    #[must_use]
    pub fn rebuilt(mut self) -> Self {
        self.accounts.values_mut().for_each(Account::release_all);
        self
    }

    // === details ===

    /// A new day is the time to forget accounts of whom nothing counts any more.
    fn move_to(&mut self, now: Moment) {
        let today = self.today_at(now);
        if today != self.today {
            self.today = today;
            self.accounts.retain(|_, account| !account.is_blank(&today));
        }
    }

    fn today_at(&self, now: Moment) -> Today {
        if self.today.contains(now.wall) { self.today } else { Today::at(now.wall) }
    }

    fn covers(&self, plan: &Plan, user: &UserId, amount: Amount, now: Moment) -> Result<(), PlanExhausted> {
        let today = &self.today;
        let taken = self.accounts.get(user).map(|account| account.seen_on(today).taken()).unwrap_or_default();
        // The month first: who has to wait for it need not be told of the day.
        let month = [PlanMetric::RequestsPerMonth, PlanMetric::TokensPerMonth];
        fits(plan.month, taken.month, amount, month, now.until(now.at_wall(today.month_ends)))?;
        let day = [PlanMetric::RequestsPerDay, PlanMetric::TokensPerDay];
        fits(plan.day, taken.day, amount, day, now.until(now.at_wall(today.day_ends)))
    }

    /// Should there be too many, the one opened longest ago goes, or nearly so.
    fn make_room_for(&mut self, user: &UserId) {
        if self.accounts.len() >= MOST_ACCOUNTS && !self.accounts.contains_key(user) {
            self.accounts.swap_remove_index(0);
        }
    }
}

fn fits(
    allowed: Allowed,
    taken: Amount,
    asked: Amount,
    [requests, tokens]: [PlanMetric; 2],
    until_reset: Duration,
) -> Result<(), PlanExhausted> {
    let pairs = [
        (requests, allowed.requests, taken.requests, asked.requests),
        (tokens, allowed.tokens, taken.tokens, asked.tokens),
    ];
    for (metric, limit, taken, asked) in pairs {
        let Some(limit) = limit else { continue };
        // A call of which not even an estimate is left may not begin either.
        if taken.saturating_add(asked) > limit || (taken >= limit && metric == tokens) {
            let retry_after = (asked <= limit).then_some(until_reset);
            return Err(PlanExhausted { metric, limit, retry_after });
        }
    }
    Ok(())
}
