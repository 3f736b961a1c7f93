//! What is asked for a user.

use keygate_domain::{PlanName, UserId, UserLimits};

/// A call that wants to be let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserCall {
    /// Whose it is.
    pub user: UserId,
    /// What it counts for the user's minute and, in requests, for the plan.
    pub units: u32,
    /// The limits of the client's users, where they differ from everybody's and the plan's.
    pub limits: UserLimits,
    /// The plan that the user's client is on, if it is said.
    pub plan: Option<PlanName>,
    /// What it will cost in tokens, roughly.
    pub tokens: u64,
}
