//! A full queue of those who wait.

use std::hint::black_box;
use std::time::Duration;

use keygate_domain::{Allowance, UserId};
use keygate_pool::{Ask, Granted, Strategy, Tried, TriedHow};

use super::cases::{Goal, Row};
use super::world::{MANY, World, nanoseconds};

/// As many as may wait.
const WAITING: usize = 1_000;

/// What those who wait cost while time passes: in one line, and each in a line of its own.
pub fn queues(rounds: u32) -> Vec<Row> {
    let kinds = [("one line", false), ("a line each", true)];
    kinds
        .into_iter()
        .flat_map(|(kind, alone)| {
            let mut full = Full::new(alone);
            let (mut idle, mut woken) = (f64::MAX, f64::MAX);
            for _ in 0..rounds {
                idle = idle.min(full.nothing_happens());
                woken = woken.min(full.a_group_returns());
            }
            let row = |what: &str, goal, many| Row {
                name: format!("{what}, 1000 wait in {kind}"),
                goal,
                few: None,
                many,
            };
            [
                row("nothing happens", Goal::Refusal, idle),
                row("a group returns and serves one", Goal::Nothing, woken),
            ]
        })
        .collect()
}

/// A pool that is used up but for a group that returns now and then, and a full queue.
struct Full {
    world: World,
    alone: bool,
    came: usize,
}

impl Full {
    fn new(alone: bool) -> Self {
        let once = Allowance { requests_per_minute: Some(1), ..super::world::wide() };
        let world = World::new(MANY, Strategy::RoundRobin, once).used_up();
        let mut full = Self { world, alone, came: 0 };
        (0..WAITING).for_each(|_| full.join());
        full
    }

    /// Somebody begins to wait.
    fn join(&mut self) {
        self.came += 1;
        let user = UserId { client: "app".into(), name: format!("user {}", self.came % 100).into() };
        let tried =
            Tried { key: "none".into(), group: "none".into(), at: self.world.now, how: TriedHow::Failed };
        let tried = if self.alone { vec![tried] } else { Vec::new() };
        let ask = Ask { user, tried, patience: Duration::from_mins(5), ..self.world.ask.clone() };
        let waits = matches!(self.world.pool.lease(&ask, self.world.now), Ok(Granted::Wait { .. }));
        assert!(waits, "there is room and time to wait");
    }

    /// One look at a pool in which nothing changed.
    fn nothing_happens(&mut self) -> f64 {
        const TIMES: u32 = 1_000;
        let took = nanoseconds(|| {
            for _ in 0..TIMES {
                self.world.pass(Duration::from_nanos(1));
                self.world.pool.advance(self.world.now);
                black_box(self.world.pool.next_wakeup());
            }
        });
        took / f64::from(TIMES)
    }

    /// The next wakeups, until one is served; another takes its place.
    fn a_group_returns(&mut self) -> f64 {
        let mut served = Vec::new();
        let took = nanoseconds(|| {
            while served.is_empty() {
                let Some(due) = self.world.pool.next_wakeup() else { return };
                self.world.now = self.world.now.max(due);
                self.world.pool.advance(self.world.now);
                served = self.world.pool.drain_resolved();
            }
        });
        black_box(self.world.pool.drain_events());
        for _ in &served {
            self.join();
        }
        took / served.len().max(1) as f64
    }
}
