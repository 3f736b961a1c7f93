//! Calls that the house makes by itself behind a request, with the key that the request used: in the background,
//! never more at a time than [`Errands::MOST`], and with nothing of them kept but what they were made for.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use keygate_actors::KeySupervisor;
use keygate_domain::{ApiKey, GroupId, ProviderName};
use keygate_provider::{Grant, Inbound, Origin, OwnCall, Provider, UpstreamRequest};
use keygate_upstream::{Upstream, UpstreamAnswer};

use crate::Lane;

/// How long the answer to one call may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// How many errands are under way on this worker. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Errands(Rc<Cell<usize>>);

impl Errands {
    /// Most at a time.
    pub const MOST: usize = 64;

    pub(crate) fn enter(&self) -> Option<Place> {
        (self.0.get() < Self::MOST).then(|| {
            self.0.set(self.0.get() + 1);
            Place(self.clone())
        })
    }
}

/// One of the places; given back on drop.
pub(crate) struct Place(Errands);

impl Drop for Place {
    fn drop(&mut self) {
        let taken = &self.0.0;
        taken.set(taken.get().saturating_sub(1));
    }
}

/// Who makes such calls: what of a lane and a lease is needed for them.
pub(crate) struct Errand {
    pub(crate) key: ApiKey,
    pub(crate) group: GroupId,
    pub(crate) name: ProviderName,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) upstream: Upstream,
    pub(crate) supervisor: KeySupervisor,
}

impl Errand {
    pub(crate) fn new(lane: &Lane, key: ApiKey, group: GroupId) -> Self {
        Self {
            key,
            group,
            name: lane.adapter.name,
            provider: Arc::clone(&lane.provider),
            upstream: lane.upstream.clone(),
            supervisor: lane.supervisor.clone(),
        }
    }

    /// Makes a call; nothing if it is not answered.
    pub(crate) async fn answer(&self, call: &OwnCall) -> Option<UpstreamAnswer> {
        self.upstream.send(self.request(call)?, PATIENCE).await.ok()
    }

    fn request(&self, call: &OwnCall) -> Option<UpstreamRequest> {
        let (headers, body) = (HeaderMap::new(), Bytes::clone(&call.body));
        let inbound = Inbound {
            method: &call.method,
            path: &call.path,
            query: call.query.as_deref(),
            headers: &headers,
            body: &body,
            origin: Origin::INSIDE,
            request_id: "",
        };
        let intent = self.provider.understand(&inbound).ok()?;
        let grant = Grant { key: Some(&self.key), group: Some(&self.group), ..Grant::default() };
        Some(self.provider.request(&intent, &inbound, &grant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_are_under_way_at_a_time() {
        let errands = Errands::default();
        let places: Vec<_> = (0..Errands::MOST).map(|_| errands.enter()).collect();
        assert!(places.iter().all(Option::is_some));
        assert!(errands.enter().is_none());
        drop(places);
        assert!(errands.enter().is_some());
    }
}
