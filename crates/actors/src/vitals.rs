//! What can be seen of an actor without asking it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use async_trait::async_trait;
use keygate_domain::Moment;
use keygate_limits::RestartBudget;
use tokio::sync::Notify;

use crate::gate::Gate;

/// An actor's signs of life. Cheap to clone; all clones show the same actor.
#[derive(Clone, Debug)]
pub struct Vitals {
    signs: Arc<Signs>,
    gate: Gate,
}

#[derive(Debug)]
struct Signs {
    name: String,
    is_alive: AtomicBool,
    is_up: AtomicBool,
    is_beyond_repair: AtomicBool,
    restarts: AtomicU32,
    stirs: AtomicU64,
    broke: Notify,
    ended: Notify,
}

impl Vitals {
    pub(crate) fn new(name: impl Into<String>, gate: Gate) -> Self {
        let signs = Signs {
            name: name.into(),
            is_alive: AtomicBool::new(true),
            is_up: AtomicBool::new(false),
            is_beyond_repair: AtomicBool::new(false),
            restarts: AtomicU32::new(0),
            stirs: AtomicU64::new(0),
            broke: Notify::new(),
            ended: Notify::new(),
        };
        Self { signs: Arc::new(signs), gate }
    }

    /// Whose they are: `keys:google`, `users`.
    pub fn name(&self) -> &str {
        &self.signs.name
    }

    /// Whether the actor still exists. It does while it restarts.
    pub fn is_alive(&self) -> bool {
        self.signs.is_alive.load(Ordering::Acquire)
    }

    /// Whether it can be relied on: it runs, and restarting cures what ails it.
    pub fn is_ready(&self) -> bool {
        self.is_alive() && self.signs.is_up.load(Ordering::Acquire) && !self.is_beyond_repair()
    }

    /// Whether it restarted more often than is allowed. The process should end with exit code
    /// 70, so that whoever started it can start it afresh.
    pub fn is_beyond_repair(&self) -> bool {
        self.signs.is_beyond_repair.load(Ordering::Acquire)
    }

    /// How often it restarted.
    pub fn restarts(&self) -> u32 {
        self.signs.restarts.load(Ordering::Acquire)
    }

    /// How often something happened in it that somebody may want to look at.
    pub(crate) fn stirs(&self) -> u64 {
        self.signs.stirs.load(Ordering::Acquire)
    }

    /// Asks that wait for its answer.
    pub fn in_flight(&self) -> usize {
        self.gate.in_flight()
    }

    /// Asks that may wait at once; one more is refused.
    pub fn capacity(&self) -> usize {
        self.gate.capacity()
    }

    /// Waits until the actor is beyond repair; for ever, if all is well.
    pub async fn until_beyond_repair(&self) {
        let mut broke = std::pin::pin!(self.signs.broke.notified());
        // Listens before it looks: what happens in between is then not missed.
        broke.as_mut().enable();
        if !self.is_beyond_repair() {
            broke.await;
        }
    }

    /// Waits until the actor does not exist any more.
    pub async fn until_ended(&self) {
        let mut ended = std::pin::pin!(self.signs.ended.notified());
        ended.as_mut().enable();
        if self.is_alive() {
            ended.await;
        }
    }

    // === for the actor ===

    pub(crate) fn started(&self) {
        self.gate.open();
        self.signs.is_up.store(true, Ordering::Release);
    }

    pub(crate) fn stirred(&self) {
        self.signs.stirs.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn panicked(&self) {
        self.signs.is_up.store(false, Ordering::Release);
    }

    /// Counts a restart; false if it is one too many.
    pub(crate) fn restarted(&self, budget: &mut RestartBudget, now: Moment) -> bool {
        self.signs.restarts.fetch_add(1, Ordering::AcqRel);
        let is_within_budget = budget.spend(now);
        if !is_within_budget {
            self.signs.is_beyond_repair.store(true, Ordering::Release);
            self.signs.broke.notify_waiters();
        }
        is_within_budget
    }

    pub(crate) fn ended(&self) {
        self.signs.is_alive.store(false, Ordering::Release);
        self.signs.ended.notify_waiters();
    }
}

/// Something that lives, whichever actor it is: what a watchdog and a readiness check need.
#[async_trait]
pub trait Vital: Send + Sync {
    /// Its signs of life.
    fn vitals(&self) -> &Vitals;

    /// Whether a question put to it is answered. Waits as long as the mailbox does; bound it.
    async fn answers(&self) -> bool;
}

/// Waits until one of `watched` is beyond repair, and names it; for ever, if all is well.
pub async fn beyond_repair(watched: &[Arc<dyn Vital>]) -> String {
    let mut waits: Vec<_> =
        watched.iter().map(|vital| Box::pin(vital.vitals().until_beyond_repair())).collect();
    std::future::poll_fn(move |cx| {
        for wait in &mut waits {
            if wait.as_mut().poll(cx).is_ready() {
                return std::task::Poll::Ready(());
            }
        }
        std::task::Poll::Pending
    })
    .await;
    let broken = watched.iter().map(|vital| vital.vitals()).find(|vitals| vitals.is_beyond_repair());
    broken.map(Vitals::name).unwrap_or_default().to_owned()
}
