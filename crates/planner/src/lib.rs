//! The key pool on a virtual clock: what a traffic would meet, which budget is in its way first, and
//! the smallest quota that is enough.
//!
//! The pool, the user limiter and the retry plan in here are those of the gateway; what is modelled are
//! the callers ([`Traffic`]) and the provider, which counts in its own way. Everything follows from the
//! scenario and its seed: the same plan twice is the same report twice.

mod advice;
mod agenda;
mod calendar;
mod dice;
mod hands;
mod provider;
mod quota;
mod rehearsal;
mod report;
mod scenario;
mod shape;
mod tally;
#[cfg(test)]
mod tests;
mod traffic;
mod uses;
mod waits;

pub use advice::{Advice, GroupAdvice, LimitChange, Objective, Plan, Recommendation, Step, TierAdvice, plan};
pub use rehearsal::{Progress, rehearse};
pub use report::{Binding, BudgetUse, Hour, Report, TimedBinding, UserRefusals, WaitTimes};
pub use scenario::{Scenario, Window, planned_keys};
pub use shape::{InvalidProfile, Profile, Shape};
pub use traffic::{Arrival, Traffic};
