//! Sessions that nobody came to know of.
//!
//! A session start is seen through when its caller hangs up: only the answer tells what was started. If the
//! caller is gone by then, nobody will ever connect, and the session would be billed and take one of its
//! organisation's places until it ends by itself. So the house ends it: in the background, with the key that
//! started it, and never more of them at a time than [`Orphans::MOST`].

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use keygate_actors::KeySupervisor;
use keygate_domain::{ApiKey, GroupId, OpenedSession, ProviderName};
use keygate_provider::{Grant, Inbound, Origin, OwnCall, Provider, UpstreamRequest};
use keygate_upstream::Upstream;
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::{Lane, events};

/// How long the answer to one attempt may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pauses between attempts. Beyond them the session is left to its own end.
const PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(8)];

/// How many sessions are being ended on this worker. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Orphans(Rc<Cell<usize>>);

impl Orphans {
    /// Most at a time.
    pub const MOST: usize = 64;

    fn enter(&self) -> Option<Place> {
        (self.0.get() < Self::MOST).then(|| {
            self.0.set(self.0.get() + 1);
            Place(self.clone())
        })
    }
}

/// One of the places; given back on drop.
struct Place(Orphans);

impl Drop for Place {
    fn drop(&mut self) {
        let taken = &self.0.0;
        taken.set(taken.get().saturating_sub(1));
    }
}

/// A session that an answer opened, for the case that nobody is there to be told of it.
pub struct OpenSession {
    opened: OpenedSession,
    key: ApiKey,
    group: GroupId,
    name: ProviderName,
    provider: Arc<dyn Provider>,
    upstream: Upstream,
    supervisor: KeySupervisor,
}

impl std::fmt::Debug for OpenSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenSession").field("opened", &self.opened).finish_non_exhaustive()
    }
}

impl OpenSession {
    pub(crate) fn new(lane: &Lane, key: ApiKey, group: GroupId, opened: OpenedSession) -> Self {
        Self {
            opened,
            key,
            group,
            name: lane.adapter.name,
            provider: Arc::clone(&lane.provider),
            upstream: lane.upstream.clone(),
            supervisor: lane.supervisor.clone(),
        }
    }

    /// Ends it in the background. Must be called on a worker.
    pub fn end(self, orphans: &Orphans) {
        let Some(call) = self.provider.end_session(&self.opened) else { return };
        match orphans.enter() {
            Some(place) => drop(spawn_local(async move {
                let is_over = self.ended(&call).await;
                events::orphan(self.name, &self.opened.session, is_over);
                if is_over {
                    self.supervisor.session_ended(self.group.clone(), self.opened.session.clone());
                }
                drop(place);
            })),
            None => events::orphan(self.name, &self.opened.session, false),
        }
    }

    async fn ended(&self, call: &OwnCall) -> bool {
        for pause in PAUSES.into_iter().map(Some).chain([None]) {
            match self.asked(call).await {
                Some(is_over) => return is_over,
                None => match pause {
                    Some(pause) => sleep(pause).await,
                    None => return false,
                },
            }
        }
        false
    }

    /// One attempt: whether the session is over, if the answer says anything of it.
    async fn asked(&self, call: &OwnCall) -> Option<bool> {
        let answer = self.upstream.send(self.request(call)?, PATIENCE).await;
        let mut answer = answer.ok()?;
        let status = answer.status();
        // To the end: what is left unread would look like a caller that hung up.
        answer.text_up_to(0, PATIENCE).await;
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return None;
        }
        Some(status.is_success())
    }

    fn request(&self, call: &OwnCall) -> Option<UpstreamRequest> {
        let (headers, body) = (HeaderMap::new(), Bytes::clone(&call.body));
        let (method, path) = (&call.method, call.path.as_str());
        let inbound =
            Inbound { method, path, query: None, headers: &headers, body: &body, origin: Origin::INSIDE };
        let intent = self.provider.understand(&inbound).ok()?;
        let grant = Grant { key: Some(&self.key), group: Some(&self.group), ..Grant::default() };
        Some(self.provider.request(&intent, &inbound, &grant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_are_ended_at_a_time() {
        let orphans = Orphans::default();
        let places: Vec<_> = (0..Orphans::MOST).map(|_| orphans.enter()).collect();
        assert!(places.iter().all(Option::is_some));
        assert!(orphans.enter().is_none());
        drop(places);
        assert!(orphans.enter().is_some());
    }
}
