//! Pools of a size, and requests that go through them on a clock of their own.

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use keygate_domain::{
    Allowance, ApiKey, Failure, Fault, GroupId, Hint, KeySpec, LeaseId, ModelName, Moment, Operation,
    Placement, Role, Spend, UserId, Verdict,
};
use keygate_pool::{Ask, Budgets, Granted, KeyPool, Policy, QueueBounds, Strategy};

/// How many keys, in how many groups.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Size {
    pub(super) keys: usize,
    pub(super) groups: usize,
}

pub(super) const FEW: Size = Size { keys: 3, groups: 3 };
pub(super) const MANY: Size = Size { keys: 10_000, groups: 2_000 };

/// What a request is thought to cost, and what it turns out to.
pub(super) const ESTIMATE: Spend = Spend { requests: 1, input_tokens: 100, output_tokens: 0 };
const USED: Spend = Spend { requests: 1, input_tokens: 90, output_tokens: 200 };

/// Between two requests: a thousand a second.
const GAP: Duration = Duration::from_millis(1);
/// How many requests are under way.
const IN_FLIGHT: usize = 32;

/// Every metric that limits by amount, none of which is used up at a thousand requests a second.
pub(super) fn wide() -> Allowance {
    Allowance {
        requests_per_minute: Some(1_000_000),
        requests_per_day: Some(1_000_000_000),
        input_tokens_per_minute: Some(100_000_000),
        tokens_per_day: Some(1_000_000_000_000),
        ..Allowance::default()
    }
}

pub(super) fn specs(size: Size) -> Vec<KeySpec> {
    let spec = |number: usize| KeySpec {
        // As long as a real one, and as little like its neighbours.
        secret: ApiKey::new(format!("AIza{:035x}", (number as u128 + 1) * 0x9e37_79b9_7f4a_7c15_f39c_c060)),
        label: format!("key {number}"),
        group: Some(GroupId::new(format!("projects/{}", number % size.groups))),
        weight: 1 + number as u32 % 5,
        role: if number.is_multiple_of(4) { Role::Backup } else { Role::Primary },
        allowance: Allowance::default(),
    };
    (0..size.keys).map(spec).collect()
}

pub(super) fn policy(strategy: Strategy, default: Allowance) -> Policy {
    let budgets = Budgets { default, ..Budgets::default() };
    let queue = QueueBounds { max_wait: Duration::from_mins(5), max_waiting: 1_000 };
    Policy { strategy, budgets, queue, ..Policy::default() }
}

pub(super) fn ask(model: &str) -> Ask {
    Ask {
        operation: Operation("generate_content"),
        model: Some(ModelName::from(model)),
        opens_session: false,
        references: Vec::new(),
        placement: Placement::Any,
        client: "app".into(),
        user: UserId { client: "app".into(), name: "ada".into() },
        access: keygate_domain::Access::Token,
        tried: Vec::new(),
        estimate: ESTIMATE,
        patience: Duration::ZERO,
        hold: Duration::from_mins(5),
    }
}

fn start() -> Moment {
    Moment { mono: Duration::from_secs(1_000), wall: Timestamp::UNIX_EPOCH + Duration::from_hours(490_000) }
}

/// How long something takes, in nanoseconds.
pub(super) fn nanoseconds(work: impl FnOnce()) -> f64 {
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock, the pool does not")]
    let began = Instant::now();
    work();
    began.elapsed().as_nanos() as f64
}

/// A pool and those who use it.
pub(super) struct World {
    pub(super) pool: KeyPool,
    pub(super) now: Moment,
    pub(super) ask: Ask,
    under_way: VecDeque<LeaseId>,
    in_flight: usize,
}

impl World {
    pub(super) fn new(size: Size, strategy: Strategy, allowance: Allowance) -> Self {
        let now = start();
        let pool = KeyPool::new(1, specs(size), policy(strategy, allowance), 42, now);
        Self { pool, now, ask: ask("gemini-2.5-flash"), under_way: VecDeque::new(), in_flight: IN_FLIGHT }
    }

    /// The same with one request at a time.
    pub(super) fn one_at_a_time(self) -> Self {
        Self { in_flight: 0, ..self }
    }

    pub(super) fn pass(&mut self, span: Duration) {
        self.now = self.now.after(span);
    }

    /// A request comes, another ends: one lease, one settlement.
    pub(super) fn turn(&mut self) {
        self.turn_with(Verdict::Served(USED));
    }

    pub(super) fn turn_with(&mut self, verdict: Verdict) {
        self.pass(GAP);
        if let Ok(Granted::Lease(lease)) = self.pool.lease(&self.ask, self.now) {
            self.under_way.push_back(lease.id);
        }
        if self.under_way.len() > self.in_flight
            && let Some(lease) = self.under_way.pop_front()
        {
            self.pool.settle(lease, verdict, self.now);
        }
        // A shell takes them after every call.
        black_box(self.pool.drain_events());
    }

    /// Somebody asks and is refused, shortly after the one before.
    pub(super) fn refused(&mut self) {
        self.pass(Duration::from_nanos(10));
        let answer = self.pool.lease(&self.ask, self.now);
        assert!(!matches!(answer, Ok(Granted::Lease(_))), "nothing is free");
        let _ = black_box(answer);
    }

    /// The same after answers that make the bucket rest for long, in all groups but some.
    pub(super) fn exhausted_but_for(mut self, groups: usize, of: Size) -> Self {
        let hint = Hint { retry_after: Some(Duration::from_hours(5)), ..Hint::default() };
        for _ in groups..of.groups {
            self.pass(Duration::from_micros(10));
            let Ok(Granted::Lease(lease)) = self.pool.lease(&self.ask, self.now) else { break };
            let failure = Failure::of(Fault::QuotaExhausted).hinting(hint.clone());
            self.pool.settle(lease.id, Verdict::Failed(failure), self.now);
            black_box(self.pool.drain_events());
        }
        self
    }

    /// The same after as many requests as there is room for.
    pub(super) fn used_up(mut self) -> Self {
        while let Ok(Granted::Lease(lease)) = self.pool.lease(&self.ask, self.now) {
            self.pool.settle(lease.id, Verdict::Served(USED), self.now);
            self.pass(Duration::from_micros(10));
            black_box(self.pool.drain_events());
        }
        self
    }
}
