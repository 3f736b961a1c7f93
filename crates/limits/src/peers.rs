//! Failed logins, counted by the address they come from.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use keygate_domain::Moment;

use crate::smoother::Smoother;
use crate::{TurnedAway, TurnedAwayWhy};

/// Addresses remembered at the same time: a burst of ten is whole again after a minute, so this
/// bounds the addresses that fail within one minute.
const MAX_PEERS: usize = 65_536;

/// What is told to a peer when the table is full; it clears at the pace of the burst.
const WAIT_WHEN_FULL: Duration = Duration::from_mins(1);

/// Slows down guessing of tokens. An IPv6 peer is its /64, because every host has one to itself
/// and could otherwise guess from a new address each time.
pub struct Peers {
    failures: Smoother<IpAddr>,
    per_minute: u32,
    forgot_at: Duration,
}

/// How often to forget without being asked.
const FORGET_WHEN_QUIET: Duration = Duration::from_secs(30);

/// Forgetting walks through all addresses, so a flood of failures may not cause it each time.
const FORGET_EVERY: Duration = Duration::from_secs(1);

impl Peers {
    /// Allows `per_minute` failed logins a minute and address, all of them at once if need be.
    pub fn new(per_minute: u32) -> Self {
        let per_minute = per_minute.max(1);
        Self { failures: Smoother::new(per_minute, per_minute), per_minute, forgot_at: Duration::ZERO }
    }

    /// Counts a failed login.
    ///
    /// # Errors
    /// When this address failed too often; the failure should then be answered by "later"
    /// instead of "wrong".
    pub fn failed_login(&mut self, peer: IpAddr, now: Moment) -> Result<(), TurnedAway> {
        let peer = counted_as(peer);
        if self.failures.len() >= MAX_PEERS {
            self.advance(now);
        }
        if self.failures.len() >= MAX_PEERS {
            return Err(self.turned_away(WAIT_WHEN_FULL, TurnedAwayWhy::Full));
        }
        let taken = self.failures.take(&peer, 1, now.mono);
        taken.map_err(|wait| self.turned_away(wait, TurnedAwayWhy::Peer))
    }

    /// Forgets addresses that have not failed for a while.
    pub fn advance(&mut self, now: Moment) {
        if now.mono >= self.forgot_at + FORGET_EVERY {
            self.forgot_at = now.mono;
            self.failures.forget_rested(now.mono);
        }
    }

    /// When [`advance`](Self::advance) should next be called, while anything is remembered.
    pub fn next_wakeup(&self, now: Moment) -> Option<Moment> {
        (!self.is_empty()).then(|| now.after(FORGET_WHEN_QUIET))
    }

    /// Whether anything is remembered.
    pub fn is_empty(&self) -> bool {
        self.failures.len() == 0
    }

    fn turned_away(&self, retry_after: Duration, why: TurnedAwayWhy) -> TurnedAway {
        TurnedAway { retry_after, limit: self.per_minute, why }
    }
}

fn counted_as(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}
