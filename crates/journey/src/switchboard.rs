//! What all open connections of the process have in common: when it leaves, and which sessions are talked to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use keygate_actors::KeySupervisor;
use keygate_domain::{GroupId, Moment, Resource};
use tokio::sync::watch;
use tokio::time::timeout;

/// Shared by all workers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Switchboard {
    leaves_by: watch::Sender<Option<Moment>>,
    /// How many connections talk to each session; as many entries as there are such connections at most.
    talking: Arc<watch::Sender<BTreeMap<Resource, u32>>>,
}

impl Default for Switchboard {
    fn default() -> Self {
        Self { leaves_by: watch::Sender::new(None), talking: Arc::new(watch::Sender::default()) }
    }
}

impl Switchboard {
    /// Tells all connections that they end at `by` at the latest.
    pub fn leave(&self, by: Moment) {
        self.leaves_by.send_replace(Some(by));
    }

    /// The sign that the process leaves.
    pub(crate) fn leaving(&self) -> Leaving {
        Leaving { leaves_by: self.leaves_by.subscribe(), is_known: false }
    }

    /// Notes a connection to a session, as long as what is returned lives.
    pub(crate) fn talk_to(&self, session: Resource) -> Line {
        self.talking.send_modify(|talking| *talking.entry(session.clone()).or_default() += 1);
        Line { board: self.clone(), session }
    }
}

/// A connection to a session.
pub(crate) struct Line {
    board: Switchboard,
    session: Resource,
}

impl Line {
    /// The connection is gone. If no other one comes within `grace`, the session is over, and its place
    /// in `group` is free.
    pub(crate) async fn hang_up(self, grace: Duration, group: GroupId, supervisor: KeySupervisor) {
        let (board, session) = (self.board.clone(), self.session.clone());
        drop(self);
        let mut talking = board.talking.subscribe();
        let is_back = talking.wait_for(|talking| talking.contains_key(&session));
        if timeout(grace, is_back).await.is_err() {
            supervisor.session_ended(group, session);
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.board.talking.send_modify(|talking| {
            if let Some(lines) = talking.get_mut(&self.session) {
                *lines -= 1;
                if *lines == 0 {
                    talking.remove(&self.session);
                }
            }
        });
    }
}

/// The sign that the process leaves, for one connection.
pub(crate) struct Leaving {
    leaves_by: watch::Receiver<Option<Moment>>,
    is_known: bool,
}

impl Leaving {
    /// Waits until the process begins to leave, and tells until when it must be gone. Once.
    pub(crate) async fn begins(&mut self) -> Moment {
        if self.is_known {
            return std::future::pending().await;
        }
        let by = match self.leaves_by.wait_for(Option::is_some).await {
            Ok(by) => *by,
            // The board is gone, and with it whoever could give the sign.
            Err(_) => None,
        };
        self.is_known = true;
        match by {
            Some(by) => by,
            None => std::future::pending().await,
        }
    }
}
