//! How much is allowed, and how often: user quotas, failed logins, retries, restarts.
//!
//! Everything in here is pure: it is handed a [`keygate_domain::Moment`] and answers. Exact
//! windows are the crate's own; governor's GCRA smooths bursts inside them and counts failed
//! logins, on a clock that is driven by the same moments.

mod backoff;
mod driven_clock;
mod jitter;
mod peers;
mod plan;
mod policy;
mod refusal;
mod restart_budget;
mod retry_plan;
mod smoother;
mod turnstile;
mod user_quota;
mod user_table;
mod window;

pub use backoff::Backoff;
pub use peers::Peers;
pub use plan::{
    Allowed, Amount, Overage, Plan, PlanBook, PlanExhausted, PlanMetric, PlanStanding, Plans, Price,
    Reservation, Used,
};
pub use policy::{RetryPolicy, UserPolicy};
pub use refusal::{Admitted, TurnedAway, TurnedAwayWhy, UserStanding};
pub use restart_budget::RestartBudget;
pub use retry_plan::{GaveUp, Next, Reach, RetryPlan};
pub use turnstile::{NotAdmitted, Passed, Turnstile, UserAsk};
pub use user_quota::UserQuotas;
