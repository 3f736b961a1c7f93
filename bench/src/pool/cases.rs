//! What is measured, one row each.

use std::time::Duration;

use keygate_domain::{Allowance, Failure, Fault, Verdict};
use keygate_pool::{KeyPool, PoolState, Strategy};

use super::world::{ESTIMATE, FEW, MANY, Size, World, nanoseconds, policy, specs};
use crate::account;

/// What a case is held against.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Goal {
    /// At most 1 µs with thousands of keys, and at most 1.3 times what few cost.
    Request,
    /// At most 5 µs with thousands of keys.
    Refusal,
    /// Shown only.
    Nothing,
}

/// One thing that is done again and again.
pub struct Case {
    /// What it is, in a few words.
    pub name: String,
    /// What it is held against.
    pub goal: Goal,
    few: Option<Subject>,
    many: Subject,
}

/// A pool and what is done to it.
pub(super) struct Subject {
    world: World,
    step: fn(&mut World),
    best: f64,
}

/// What a case costs, in nanoseconds.
#[derive(Clone, Debug)]
pub struct Row {
    /// The case.
    pub name: String,
    /// What it is held against.
    pub goal: Goal,
    /// With three keys.
    pub few: Option<f64>,
    /// With ten thousand keys in two thousand groups.
    pub many: f64,
}

impl Subject {
    pub(super) fn new(world: World, step: fn(&mut World)) -> Self {
        Self { world, step, best: f64::MAX }
    }

    fn run(&mut self, times: u32) {
        let Self { world, step, best } = self;
        let took = nanoseconds(|| (0..times).for_each(|_| step(world)));
        *best = best.min(took / f64::from(times));
    }
}

impl Case {
    /// One round of it: the fastest round is what counts, since only noise makes one slower.
    pub fn round(&mut self, times: u32) {
        self.few.iter_mut().for_each(|few| few.run(times));
        self.many.run(times);
    }

    /// What was measured so far.
    pub fn row(&self) -> Row {
        let few = self.few.as_ref().map(|few| few.best);
        Row { name: self.name.clone(), goal: self.goal, few, many: self.many.best }
    }

    fn of(name: String, goal: Goal, world: impl Fn(Size) -> World, step: fn(&mut World)) -> Self {
        let subject = |size| Subject::new(world(size), step);
        Self { name, goal, few: Some(subject(FEW)), many: subject(MANY) }
    }
}

const STRATEGIES: [Strategy; 6] = [
    Strategy::RoundRobin,
    Strategy::Weighted,
    Strategy::PrimaryBackup,
    Strategy::LeastRecentlyUsed,
    Strategy::Health,
    Strategy::Headroom,
];

/// How many requests go before the first round: more than a minute of them, so that windows slide.
const WARM_UP: u32 = 70_000;

/// Every case, warm.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (budgets, allowance) in [("no budgets", Allowance::default()), ("budgets", super::world::wide())] {
        for strategy in STRATEGIES {
            let name = format!("{}, {budgets}", strategy.as_str());
            cases.push(Case::of(name, Goal::Request, |size| warm(size, strategy, allowance), World::turn));
        }
    }
    cases.push(Case::of(
        "health, every tenth fails".to_owned(),
        Goal::Request,
        |size| warm(size, Strategy::Health, Allowance::default()),
        some_fail,
    ));
    cases.push(Case::of(
        "round_robin, one at a time per group".to_owned(),
        Goal::Nothing,
        |size| {
            let one = Allowance { concurrent: Some(1), ..Allowance::default() };
            let mut world = World::new(size, Strategy::RoundRobin, one).one_at_a_time();
            (0..1_000).for_each(|_| world.turn());
            world
        },
        World::turn,
    ));
    for strategy in STRATEGIES {
        let mut world = World::new(MANY, strategy, Allowance::default());
        world.exhaust_all_but(2, MANY);
        cases.push(alone(
            format!("{}, all but 2 groups exhausted", strategy.as_str()),
            Goal::Request,
            world,
            World::turn,
        ));
    }
    cases.extend(refusals());
    cases
}

fn refusals() -> Vec<Case> {
    let mut resting = World::new(MANY, Strategy::RoundRobin, Allowance::default());
    resting.exhaust_all_but(0, MANY);
    let once = Allowance { requests_per_minute: Some(1), ..super::world::wide() };
    let mut used_up = World::new(MANY, Strategy::RoundRobin, once);
    used_up.use_up();
    let tokens = Allowance { input_tokens_per_minute: Some(3 * ESTIMATE.input_tokens / 2), ..once };
    let tokens = Allowance { requests_per_minute: Some(100), ..tokens };
    let mut too_large = World::new(MANY, Strategy::RoundRobin, tokens);
    too_large.use_up();
    vec![
        alone("refused, all exhausted".to_owned(), Goal::Refusal, resting, World::refused),
        alone("refused, all over budget".to_owned(), Goal::Refusal, used_up, World::refused),
        alone("refused, room for less everywhere".to_owned(), Goal::Nothing, too_large, World::refused),
    ]
}

fn alone(name: String, goal: Goal, world: World, step: fn(&mut World)) -> Case {
    Case { name, goal, few: None, many: Subject::new(world, step) }
}

fn warm(size: Size, strategy: Strategy, allowance: Allowance) -> World {
    let mut world = World::new(size, strategy, allowance);
    (0..WARM_UP).for_each(|_| world.turn());
    world
}

/// One in ten requests runs into a timeout, which costs its key health.
fn some_fail(world: &mut World) {
    let fails = world.now.mono.as_millis().is_multiple_of(10);
    let timeout = Verdict::Failed(Failure::of(Fault::Timeout));
    if fails { world.turn_with(timeout) } else { world.turn() }
}

/// What thousands of keys weigh, and how long their pool takes to make.
pub fn memory() -> std::io::Result<Vec<(String, f64, &'static str)>> {
    let this = std::process::id();
    let bytes_per_key = |before: u64, after: u64| (after - before) as f64 * 1_024.0 / MANY.keys as f64;
    let empty = account::resident_kib(this)?;
    let mut world = World::new(MANY, Strategy::RoundRobin, super::world::wide());
    let fresh = account::resident_kib(this)?;
    (0..MANY.keys * 2).for_each(|_| world.turn());
    let used = account::resident_kib(this)?;
    let keys = specs(MANY);
    let policy = policy(Strategy::RoundRobin, super::world::wide());
    let now = world.now;
    let made = nanoseconds(|| drop(std::hint::black_box(KeyPool::new(1, keys, policy, 42, now))));
    let snapshot = nanoseconds(|| drop(std::hint::black_box(world.pool.snapshot(now))));
    let mut state = world.pool.state_after(PoolState::default());
    world.pass(Duration::from_millis(1));
    let saved = nanoseconds(|| {
        world.pool.save_changes(&mut state);
    });
    Ok(vec![
        ("memory, a key of a fresh pool".to_owned(), bytes_per_key(empty, fresh), "B"),
        ("memory, a key that was used twice, with budgets".to_owned(), bytes_per_key(empty, used), "B"),
        ("making the pool".to_owned(), made / 1e6, "ms"),
        ("a snapshot for status".to_owned(), snapshot / 1e6, "ms"),
        ("saving what did not change".to_owned(), saved, "ns"),
    ])
}
