//! What one worker owns: its HTTP client and the house built on it.

use std::sync::Arc;

use keygate_actors::{Bookkeeper, KeySupervisor};
use keygate_config::ProviderConfig;
use keygate_journey::{House, Lane};
use keygate_upstream::UpstreamClient;

use crate::credentials::Doorkeeper;
use crate::error_response::status_of;
use crate::front::{Crew, FrontSettings};

/// A worker's belongings. Never leaves its thread: connections belong to the runtime that
/// opened them.
pub(crate) struct Worker {
    pub(crate) house: House,
    pub(crate) bookkeeper: Bookkeeper,
    pub(crate) doorkeeper: Arc<Doorkeeper>,
    pub(crate) settings: Arc<FrontSettings>,
    pub(crate) max_body_bytes: usize,
}

impl Worker {
    pub(crate) fn new(
        settings: Arc<FrontSettings>,
        doorkeeper: Arc<Doorkeeper>,
        crew: &Crew,
        client: &UpstreamClient,
    ) -> Self {
        let lanes = settings.providers.iter().zip(&crew.supervisors);
        let lanes = lanes.map(|(config, supervisor)| (config.adapter.name, lane(config, supervisor, client)));
        let house = House {
            lanes: lanes.collect(),
            limiter: crew.limiter.clone(),
            redactor: settings.redactor.clone(),
            status_of,
        };
        let max_body_bytes = usize::try_from(settings.server.max_body).unwrap_or(usize::MAX);
        Self { house, bookkeeper: crew.bookkeeper.clone(), doorkeeper, settings, max_body_bytes }
    }
}

fn lane(config: &ProviderConfig, supervisor: &KeySupervisor, client: &UpstreamClient) -> Lane {
    Lane {
        adapter: config.adapter,
        provider: (config.adapter.build)(),
        supervisor: supervisor.clone(),
        upstream: client.upstream(config.base_url.clone()),
        retry: config.retry,
        timeout: config.timeout,
    }
}
