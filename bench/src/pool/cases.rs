//! What is measured, one row each.

use std::time::Duration;

use keygate_domain::{Allowance, Failure, Fault, Verdict};
use keygate_pool::{KeyPool, PoolState, Strategy};

use super::world::{ESTIMATE, FEW, MANY, Size, World, nanoseconds, policy, specs, wide};
use crate::account;

/// What a case is held against.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Goal {
    /// At most 1 µs with thousands of keys, and so little more than with few that a whole request costs at
    /// most 1.3 times as much.
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

    /// Some milliseconds of it: long enough for what happens now and then to be among it, and short
    /// enough to fall between two turns of whoever else uses the machine.
    fn run(&mut self) {
        const AT_ONCE: u32 = 100;
        const LONG_ENOUGH: f64 = 3e6;
        let Self { world, step, best } = self;
        let (mut took, mut times) = (0.0, 0);
        while took < LONG_ENOUGH {
            took += nanoseconds(|| (0..AT_ONCE).for_each(|_| step(world)));
            times += AT_ONCE;
        }
        *best = best.min(took / f64::from(times));
    }
}

impl Case {
    /// One round of it: the fastest round is what counts, since only noise makes one slower.
    pub fn round(&mut self) {
        self.few.iter_mut().for_each(Subject::run);
        self.many.run();
    }

    /// What was measured so far.
    pub fn row(&self) -> Row {
        let few = self.few.as_ref().map(|few| few.best);
        Row { name: self.name.clone(), goal: self.goal, few, many: self.many.best }
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

/// How many requests go before the first round where nothing slides.
const WARM_UP: u32 = 10_000;
/// The same with windows: more than a minute of requests.
const WARM_UP_WINDOWS: u32 = 70_000;

/// Every case whose name has `part` in it, warm.
pub fn cases(part: &str) -> Vec<Case> {
    let mut plans = Vec::new();
    for (budgets, allowance) in [("no budgets", Allowance::default()), ("budgets", wide())] {
        for strategy in STRATEGIES {
            let name = format!("{}, {budgets}", strategy.as_str());
            plans.push(Plan::of(
                name,
                Goal::Request,
                move |size| warm(size, strategy, allowance),
                World::turn,
            ));
        }
    }
    let health = |size| warm(size, Strategy::Health, Allowance::default());
    plans.push(Plan::of("health, every tenth fails".to_owned(), Goal::Request, health, some_fail));
    plans.push(Plan::of("one at a time in each group".to_owned(), Goal::Nothing, one_at_a_time, World::turn));
    for strategy in STRATEGIES {
        let name = format!("{}, all but 2 groups exhausted", strategy.as_str());
        let world = move || World::new(MANY, strategy, Allowance::default()).exhausted_but_for(2, MANY);
        plans.push(Plan::alone(name, Goal::Request, world, World::turn));
    }
    let refused = |name: &str, goal, world: fn() -> World| {
        Plan::alone(format!("refused, {name}"), goal, world, World::refused)
    };
    plans.push(refused("all exhausted", Goal::Refusal, all_exhausted));
    plans.push(refused("all over budget", Goal::Refusal, all_over_budget));
    plans.push(refused("room for less everywhere", Goal::Refusal, room_for_less));
    plans.into_iter().filter(|plan| plan.name.contains(part)).map(Plan::warm).collect()
}

/// A case that has no pools yet.
struct Plan {
    name: String,
    goal: Goal,
    few: Option<Box<dyn Fn() -> World>>,
    many: Box<dyn Fn() -> World>,
    step: fn(&mut World),
}

impl Plan {
    fn of(
        name: String,
        goal: Goal,
        world: impl Fn(Size) -> World + Copy + 'static,
        step: fn(&mut World),
    ) -> Self {
        let few: Box<dyn Fn() -> World> = Box::new(move || world(FEW));
        Self { name, goal, few: Some(few), many: Box::new(move || world(MANY)), step }
    }

    fn alone(name: String, goal: Goal, world: impl Fn() -> World + 'static, step: fn(&mut World)) -> Self {
        Self { name, goal, few: None, many: Box::new(world), step }
    }

    fn warm(self) -> Case {
        let Self { name, goal, few, many, step } = self;
        let few = few.map(|few| Subject::new(few(), step));
        Case { name, goal, few, many: Subject::new(many(), step) }
    }
}

fn one_at_a_time(size: Size) -> World {
    let one = Allowance { concurrent: Some(1), ..Allowance::default() };
    World::new(size, Strategy::RoundRobin, one).one_at_a_time()
}

fn all_exhausted() -> World {
    World::new(MANY, Strategy::RoundRobin, Allowance::default()).exhausted_but_for(0, MANY)
}

fn all_over_budget() -> World {
    let once = Allowance { requests_per_minute: Some(1), ..wide() };
    World::new(MANY, Strategy::RoundRobin, once).used_up()
}

/// Each group has tokens left, but not as many as a request needs.
fn room_for_less() -> World {
    let tokens = Allowance { input_tokens_per_minute: Some(3 * ESTIMATE.input_tokens / 2), ..wide() };
    World::new(MANY, Strategy::RoundRobin, tokens).used_up()
}

fn warm(size: Size, strategy: Strategy, allowance: Allowance) -> World {
    let mut world = World::new(size, strategy, allowance);
    let turns = if allowance.is_unlimited() { WARM_UP } else { WARM_UP_WINDOWS };
    (0..turns).for_each(|_| world.turn());
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
    let mut world = World::new(MANY, Strategy::RoundRobin, wide());
    let fresh = account::resident_kib(this)?;
    (0..MANY.keys * 2).for_each(|_| world.turn());
    let used = account::resident_kib(this)?;
    let keys = specs(MANY);
    let policy = policy(Strategy::RoundRobin, wide());
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
