//! The key pool: a pure state machine that leases keys and learns from verdicts.
//!
//! Time goes in with every call, events come out of a drain. Nothing in here does I/O, reads a
//! clock, logs, or draws random numbers of its own; the actor around it does.

mod affinity;
mod ask;
mod breaker;
mod buckets;
mod budget;
mod calendar;
mod carry;
mod cooldown;
mod decision;
mod event;
mod group;
mod health;
mod invariants;
mod key;
mod key_pool;
mod key_set;
mod lane;
mod learned;
mod lease;
mod leases;
mod narrow;
mod order;
mod policy;
mod probing;
mod queue;
mod reloaded;
mod resting;
mod roster;
mod rotation;
mod rows;
mod snapshot;
mod standing;
mod state;
mod strategy;
#[cfg(test)]
mod tests;
mod tried;
mod unclaimed;

pub use ask::{Ask, Tried, TriedHow};
pub use budget::{Budgets, SpentState};
pub use decision::{Decision, KeyDecision, QueueFacts, Skip, Wait};
pub use event::PoolEvent;
pub use invariants::{INVARIANTS, Invariant};
pub use key_pool::{KeyPool, Whose};
pub use learned::{KeyPlace, StatedLimit, Warning};
pub use lease::{Granted, Lease, PoolRefusal, Settled};
pub use policy::{Cooldowns, Overloaded, Policy, QueueBounds, Strategy};
pub use probing::{Probe, ProbeId, ProbePolicy, ProbingSnapshot};
pub use queue::{Resolved, Ticket};
pub use reloaded::{KeyName, Reloaded};
pub use rotation::{InvalidRotation, Rotation};
pub use rows::{StateRow, UnreadableRow, Urgency};
pub use snapshot::{
    BreakerSnapshot, BreakerState, BucketBudgets, BudgetUse, KeyCounts, KeyReason, KeySnapshot, KeyState,
    PoolLedger, PoolSnapshot, RestingPart,
};
pub use state::PoolState;
