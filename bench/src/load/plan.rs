//! What to send and how, and the account of it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::{Tally, closed, open};
use crate::account;
use crate::report::Measured;
use crate::traffic::Kind;
use crate::wire::Prepared;

/// One run of load against one contestant.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where it listens.
    pub address: SocketAddr,
    /// What is asked for.
    pub kind: Kind,
    /// Warm keep-alive connections.
    pub connections: usize,
    /// Requests a second, spread over the connections; `None` sends the next request of a
    /// connection when its last was answered.
    pub rate: Option<u32>,
    /// How long to send.
    pub duration: Duration,
    /// Requests on each connection before anything is counted.
    pub warm_up: u32,
    /// Most requests, whatever the time: results are kept in memory.
    pub most_requests: usize,
    /// How many users speak in turn.
    pub users: u32,
    /// The gateway token, if one is needed.
    pub token: Option<String>,
    /// The contestant's processes.
    pub pids: Vec<u32>,
}

impl Plan {
    pub(super) fn prepared(&self) -> Prepared {
        Prepared::new(self.kind, self.address, self.token.as_deref())
    }
}

/// Sends the load and measures it.
///
/// # Errors
/// When the contestant cannot be reached before it starts, or its processes are gone after it.
pub async fn run(plan: &Plan) -> io::Result<Measured> {
    let mut tally = match plan.rate {
        Some(rate) => open::run(plan, rate).await?,
        None => closed::run(plan).await?,
    };
    Ok(tally.measured(account::peak_kib(&plan.pids)?))
}

/// CPU and clock between the first and the last counted request.
pub(super) struct Watch<'a> {
    pids: &'a [u32],
    began: Instant,
    cpu_us: u64,
}

impl<'a> Watch<'a> {
    pub(super) fn start(pids: &'a [u32]) -> io::Result<Self> {
        Ok(Self { pids, began: Instant::now(), cpu_us: account::cpu_us(pids)? })
    }

    pub(super) fn stop(self, tally: &mut Tally) -> io::Result<()> {
        tally.elapsed = self.began.elapsed();
        tally.cpu_us = account::cpu_us(self.pids)? - self.cpu_us;
        Ok(())
    }
}
