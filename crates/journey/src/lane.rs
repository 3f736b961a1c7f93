//! What a worker needs to serve: one lane per provider, and the limiter in front of all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use keygate_actors::{Keepers, KeySupervisor, Ledger, UserLimiter};
use keygate_domain::{ErrorKind, Messages, ModelName, ProviderName, Redactor};
use keygate_limits::RetryPolicy;
use keygate_pool::Strategy;
use keygate_provider::{Adapter, Provider};
use keygate_telemetry::metrics::WorkerMetrics;
use keygate_upstream::Upstream;

use crate::{Errands, ResponseCache, StoredAnswers};

/// One provider, ready to serve on this worker.
pub struct Lane {
    /// The catalogue entry.
    pub adapter: Adapter,
    /// The translation.
    pub provider: Arc<dyn Provider>,
    /// How the pool chooses, for spans.
    pub strategy: Strategy,
    /// The pool of keys.
    pub supervisor: KeySupervisor,
    /// The way out.
    pub upstream: Upstream,
    /// How often to try.
    pub retry: RetryPolicy,
    /// The deadline of a whole request, unless the caller asks for a shorter one.
    pub timeout: Duration,
    /// What users are told when nobody can answer them.
    pub messages: Messages,
    /// The models to ask, one after the other, when every key failed for one.
    pub model_fallback: Arc<BTreeMap<ModelName, Vec<ModelName>>>,
}

/// Everything a worker serves with.
pub struct House {
    /// The lanes by provider.
    pub lanes: BTreeMap<ProviderName, Lane>,
    /// The per-user limiter.
    pub limiter: UserLimiter,
    /// What attempts cost.
    pub ledger: Ledger,
    /// Sessions being looked for, or ended, of which no caller came to know.
    pub errands: Errands,
    /// Who has bots renew their sessions.
    pub keepers: Keepers,
    /// Takes secrets out of what providers say.
    pub redactor: Redactor,
    /// Answers that are given again, if they are.
    pub cache: Option<ResponseCache>,
    /// Answers for when nobody can be asked, if there are any.
    pub answers: Option<StoredAnswers>,
    /// The front's table of statuses, for errors told inside a stream.
    pub status_of: fn(ErrorKind) -> u16,
    /// What this worker counts with, if it does.
    pub metrics: Option<WorkerMetrics>,
}

impl House {
    /// Finds the lane of a path, and the path below it: `/google/v1/…` and `/v1/…` are Google's.
    pub fn lane_of<'p>(&self, path: &'p str) -> Option<(&Lane, &'p str)> {
        let first = path.get(1..).and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let named = self.lanes.values().find(|lane| lane.is_called(first));
        match named {
            Some(lane) => Some((lane, &path[1 + first.len()..])),
            None => self.lanes.values().find(|lane| lane.provider.claims(path)).map(|lane| (lane, path)),
        }
    }

    /// Finds a lane by its configured name or an alias (`gemini` for `google`).
    pub fn lane_called(&self, name: &str) -> Option<&Lane> {
        self.lanes.values().find(|lane| lane.is_called(name) || lane.adapter.aliases.contains(&name))
    }
}

impl Lane {
    fn is_called(&self, name: &str) -> bool {
        self.adapter.name.as_str() == name
    }
}
