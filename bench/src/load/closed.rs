//! Closed loop: each connection sends its next request when the last one was answered.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::plan::Watch;
use super::{Plan, Tally};
use crate::wire::{Connection, Prepared};

/// After a failed reconnect; a contestant that is gone must not be asked in a tight loop.
const PAUSE: Duration = Duration::from_millis(10);

pub(super) async fn run(plan: &Plan) -> io::Result<Tally> {
    let warm = warm_connections(plan).await?;
    let request = plan.prepared();
    let watch = Watch::start(&plan.pids)?;
    let turn = Rc::new(Turn {
        until: Instant::now() + plan.duration,
        left: Cell::new(plan.most_requests),
        user: Cell::new(0),
        users: plan.users,
    });
    let mut senders = JoinSet::new();
    for connection in warm {
        senders.spawn_local(send(plan.address, connection, request.clone(), Rc::clone(&turn)));
    }
    let mut tally = Tally::default();
    while let Some(done) = senders.join_next().await {
        tally.absorb(done.map_err(io::Error::other)?);
    }
    watch.stop(&mut tally)?;
    Ok(tally)
}

/// Opens all connections and exchanges `plan.warm_up` requests on each, side by side: one after the
/// other, the first would be idle for so long that a contestant closes it.
pub(super) async fn warm_connections(plan: &Plan) -> io::Result<Vec<Connection>> {
    let mut warming = JoinSet::new();
    for number in 0..plan.connections {
        warming.spawn_local(warm_connection(plan.clone(), number as u32));
    }
    let mut warm = Vec::new();
    while let Some(connection) = warming.join_next().await {
        warm.push(connection.map_err(io::Error::other)??);
    }
    Ok(warm)
}

async fn warm_connection(plan: Plan, number: u32) -> io::Result<Connection> {
    let mut request = plan.prepared();
    let mut connection = Connection::open(plan.address).await?;
    for turn in 0..plan.warm_up {
        request.speak_for((number * plan.warm_up + turn) % plan.users.max(1));
        connection.exchange(&request).await?;
    }
    Ok(connection)
}

/// Whose turn it is, and whether there is one left.
struct Turn {
    until: Instant,
    left: Cell<usize>,
    user: Cell<u32>,
    users: u32,
}

impl Turn {
    fn next_user(&self) -> Option<u32> {
        if self.left.get() == 0 || Instant::now() >= self.until {
            return None;
        }
        self.left.set(self.left.get() - 1);
        self.user.set((self.user.get() + 1) % self.users.max(1));
        Some(self.user.get())
    }
}

async fn send(
    address: std::net::SocketAddr,
    mut connection: Connection,
    mut request: Prepared,
    turn: Rc<Turn>,
) -> Tally {
    let mut tally = Tally::default();
    while let Some(user) = turn.next_user() {
        request.speak_for(user);
        let outcome = connection.exchange(&request).await;
        let broken = outcome.is_err();
        tally.count(outcome, Duration::ZERO);
        if broken {
            match Connection::open(address).await {
                Ok(fresh) => connection = fresh,
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
    tally
}
