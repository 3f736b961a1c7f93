//! An exact sliding window: a log of what was admitted in the last 60 s.

use std::collections::VecDeque;
use std::time::Duration;

/// The length of every window.
pub(crate) const WINDOW: Duration = Duration::from_mins(1);

/// What one user did in the last [`WINDOW`]. A unit admitted at `t` counts until `t + 60 s` and
/// not at that instant. Holds at most as many entries as units are allowed.
#[derive(Clone, Default, Debug)]
pub(crate) struct Window {
    log: VecDeque<(Duration, u32)>,
    used: u32,
}

impl Window {
    /// Units that count.
    pub(crate) fn used(&self) -> u32 {
        self.used
    }

    /// Drops what no longer counts.
    pub(crate) fn slide(&mut self, now: Duration) {
        while let Some(&(at, units)) = self.log.front() {
            if at + WINDOW > now {
                break;
            }
            self.log.pop_front();
            self.used -= units;
        }
    }

    /// Counts `units` from `now` on.
    pub(crate) fn add(&mut self, units: u32, now: Duration) {
        if units == 0 {
            return;
        }
        self.used += units;
        match self.log.back_mut() {
            Some((at, same)) if *at == now => *same += units,
            Some(_) | None => self.log.push_back((now, units)),
        }
    }

    /// How long until no more than `allowed` units count.
    pub(crate) fn wait_until_used_is(&self, allowed: u32, now: Duration) -> Duration {
        let mut left = self.used;
        for &(at, units) in &self.log {
            if left <= allowed {
                break;
            }
            left -= units;
            if left <= allowed {
                return (at + WINDOW).saturating_sub(now);
            }
        }
        Duration::ZERO
    }

    /// When the oldest unit comes back.
    pub(crate) fn oldest_leaves(&self) -> Option<Duration> {
        self.log.front().map(|&(at, _)| at + WINDOW)
    }

    /// When nothing counts any more.
    pub(crate) fn newest_leaves(&self) -> Option<Duration> {
        self.log.back().map(|&(at, _)| at + WINDOW)
    }
}
