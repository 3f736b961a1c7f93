//! How often something may be rebuilt before it counts as broken.

use std::collections::VecDeque;
use std::time::Duration;

use keygate_domain::Moment;

/// At most so many restarts within so long; one more means that restarting does not cure it.
#[derive(Clone, Debug)]
pub struct RestartBudget {
    allowed: usize,
    within: Duration,
    spent: VecDeque<Duration>,
}

impl Default for RestartBudget {
    /// Five restarts in 60 s.
    fn default() -> Self {
        Self::new(5, Duration::from_mins(1))
    }
}

impl RestartBudget {
    /// `allowed` restarts within any `within`.
    pub fn new(allowed: usize, within: Duration) -> Self {
        Self { allowed, within, spent: VecDeque::new() }
    }

    /// Counts a restart; false if it is one too many.
    pub fn spend(&mut self, now: Moment) -> bool {
        while self.spent.front().is_some_and(|at| *at + self.within <= now.mono) {
            self.spent.pop_front();
        }
        if self.spent.len() >= self.allowed {
            return false;
        }
        self.spent.push_back(now.mono);
        true
    }
}
