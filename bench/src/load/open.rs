//! Open loop: requests are due at a fixed rate, whatever the contestant does. A request that finds
//! its connection busy waits, and its wait counts as latency.
//!
//! The rate is spread over few warm connections: one connection each would measure set-up.

use std::io;
use std::thread::{JoinHandle, park_timeout};
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::closed::warm_connections;
use super::plan::Watch;
use super::{Plan, Tally};
use crate::wire::{Connection, Prepared};

/// Requests that may wait for one connection; more are counted as bad.
const MOST_WAITING: usize = 64;

pub(super) async fn run(plan: &Plan, rate: u32) -> io::Result<Tally> {
    let warm = warm_connections(plan).await?;
    let request = plan.prepared();
    let (mut clocks, mut senders) = (Vec::new(), JoinSet::new());
    let watch = Watch::start(&plan.pids)?;
    for (number, connection) in warm.into_iter().enumerate() {
        let (clock, due) = channel(MOST_WAITING);
        clocks.push(clock);
        senders.spawn_local(send(plan.clone(), connection, request.clone(), due, number as u32));
    }
    let missed = tick(plan, rate, clocks)?;
    let mut tally = Tally::default();
    while let Some(done) = senders.join_next().await {
        tally.absorb(done.map_err(io::Error::other)?);
    }
    let missed = missed.join().map_err(|_| io::Error::other("the clock stopped"))?;
    for _each in 0..missed {
        tally.complain("a connection was so late that its requests piled up".into());
    }
    watch.stop(&mut tally)?;
    Ok(tally)
}

/// Says when each request is due, from a thread of its own: a runtime's timers are a millisecond
/// coarse, which is more than what is measured. Returns how many found a full queue.
fn tick(plan: &Plan, rate: u32, clocks: Vec<Sender<Instant>>) -> io::Result<JoinHandle<usize>> {
    let interval = Duration::from_secs(1) / rate.max(1);
    let wanted = (plan.duration.as_nanos() / interval.as_nanos()) as usize;
    let count = wanted.min(plan.most_requests);
    std::thread::Builder::new().name("clock".into()).spawn(move || {
        let began = Instant::now();
        let turns = (0..count as u32).zip(clocks.iter().cycle());
        turns
            .filter(|(number, clock)| clock.try_send(wait_until(began + interval * *number)).is_err())
            .count()
    })
}

fn wait_until(due: Instant) -> Instant {
    while let Some(left) = due.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        park_timeout(left);
    }
    due
}

async fn send(
    plan: Plan,
    mut connection: Connection,
    mut request: Prepared,
    mut due: Receiver<Instant>,
    first_user: u32,
) -> Tally {
    let (mut tally, mut user) = (Tally::default(), first_user);
    while let Some(due) = due.recv().await {
        user = (user + plan.connections as u32) % plan.users.max(1);
        request.speak_for(user);
        let late = due.elapsed();
        let outcome = connection.exchange(&request).await;
        let broken = outcome.is_err();
        tally.count(outcome, late);
        if broken && let Ok(fresh) = Connection::open(plan.address).await {
            connection = fresh;
        }
    }
    tally
}
