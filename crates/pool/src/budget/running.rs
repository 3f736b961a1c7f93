//! What runs at the same time.

use std::collections::BTreeMap;

use keygate_domain::Moment;

use super::sessions::Sessions;

/// What runs now: leases, and sessions that outlive theirs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Running {
    /// When each lease expires.
    pub(super) leases: BTreeMap<u64, Moment>,
    pub(super) sessions: Sessions,
}

impl Running {
    pub(super) fn used(&self, now: Moment) -> u64 {
        (self.leases.len() + self.sessions.running(now).count()) as u64
    }

    /// Counts what another one counted.
    pub(super) fn absorb(&mut self, other: Self) {
        self.leases.extend(other.leases);
        self.sessions.absorb(other.sessions);
    }

    /// When few enough run that one more fits, if nobody tells of an earlier end.
    pub(super) fn free_from(&self, limit: u64, now: Moment) -> Moment {
        let over = (self.used(now) + 1).saturating_sub(limit.max(1)) as usize;
        if over == 0 {
            return now;
        }
        let sessions = self.sessions.running(now);
        let mut ends: Vec<Moment> = self.leases.values().copied().chain(sessions).collect();
        ends.sort_unstable();
        ends.get(over - 1).copied().unwrap_or(now)
    }
}
