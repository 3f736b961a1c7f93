//! What one worker owns: its HTTP client and the house built on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use keygate_journey::{House, Lane};
use keygate_upstream::{ClientSettings, ClientUnusable, UpstreamClient};

use crate::credentials::Doorkeeper;
use crate::error_response::status_of;
use crate::front::{FrontSettings, LanePlan};

/// A worker's belongings. Never leaves its thread: connections belong to the runtime that
/// opened them.
pub(crate) struct Worker {
    pub(crate) house: House,
    pub(crate) doorkeeper: Arc<Doorkeeper>,
    pub(crate) settings: Arc<FrontSettings>,
    pub(crate) max_body_bytes: usize,
}

impl Worker {
    pub(crate) fn new(
        settings: Arc<FrontSettings>,
        doorkeeper: Arc<Doorkeeper>,
    ) -> Result<Self, ClientUnusable> {
        let client = UpstreamClient::new(ClientSettings::default())?;
        let lanes: BTreeMap<_, _> =
            settings.lanes.iter().map(|plan| (plan.config.adapter.name, lane(plan, &client))).collect();
        let house = House {
            lanes,
            limiter: settings.limiter.clone(),
            redactor: settings.redactor.clone(),
            status_of,
        };
        let max_body_bytes = usize::try_from(settings.server.max_body).unwrap_or(usize::MAX);
        Ok(Self { house, doorkeeper, settings, max_body_bytes })
    }
}

fn lane(plan: &LanePlan, client: &UpstreamClient) -> Lane {
    let config = &plan.config;
    Lane {
        adapter: config.adapter,
        provider: (config.adapter.build)(),
        supervisor: plan.supervisor.clone(),
        upstream: client.upstream(config.base_url.clone()),
        retry: config.retry,
        timeout: config.timeout,
    }
}
