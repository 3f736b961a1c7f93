//! What all workers count, and where a scrape finds it.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use keygate_domain::{ModelName, Moment, ProviderName};
use tracing::Span;

use super::Page;
use super::gather;
use super::request::RequestMetrics;
use super::series::{AttemptKey, AttemptSeries, ProviderSeries, RequestKey, RequestSeries, Table};
use crate::Deliveries;

/// Most models that are labels, over all providers.
const MOST_MODELS: usize = 100;

/// All counts of the process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Registry>);

#[derive(Debug)]
struct Registry {
    started: Moment,
    workers: ArcSwap<Vec<Arc<Sheet>>>,
    /// Models that a provider has served.
    models: ArcSwap<BTreeSet<(&'static str, ModelName)>>,
    reloads: [AtomicU64; 3],
    deliveries: Deliveries,
}

/// What one worker counts.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    pub(crate) requests: Table<RequestKey, RequestSeries>,
    pub(crate) attempts: Table<AttemptKey, AttemptSeries>,
    pub(crate) providers: Table<&'static str, ProviderSeries>,
    pub(crate) refusals: Table<(&'static str, &'static str), AtomicU64>,
}

/// What became of reading the configuration again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reload {
    /// It is in force.
    Applied,
    /// It is not valid.
    Refused,
    /// It could not be put in force.
    Failed,
}

impl Reload {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Applied, Self::Refused, Self::Failed];

    /// The value of the label.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl Metrics {
    /// Counts of a process that begins now, and of what its telemetry delivers.
    pub fn new(started: Moment, deliveries: Deliveries) -> Self {
        Self(Arc::new(Registry {
            started,
            workers: ArcSwap::default(),
            models: ArcSwap::default(),
            reloads: Default::default(),
            deliveries,
        }))
    }

    /// The handle of a worker that begins. Called once by each: what a worker counted stays.
    pub fn worker(&self) -> WorkerMetrics {
        let sheet = Arc::new(Sheet::default());
        self.0.workers.rcu(|workers| {
            let mut more = Vec::clone(workers);
            more.push(Arc::clone(&sheet));
            more
        });
        WorkerMetrics(Rc::new(Worker { sheet, metrics: self.clone() }))
    }

    /// Counts a configuration that was read again.
    pub fn reloaded(&self, result: Reload) {
        if let Some(count) = self.0.reloads.get(result as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Puts everything counted on a page.
    pub fn gather(&self, page: &mut Page) {
        gather::workers(page, &self.0.workers.load());
        for result in Reload::ALL {
            let count = self.0.reloads.get(result as usize).map(|count| count.load(Ordering::Relaxed));
            page.count(&super::table::CONFIG_RELOADS, &[result.as_str()], count.unwrap_or_default());
        }
        for (signal, result, batches) in self.0.deliveries.told() {
            page.count(&super::table::OTLP_BATCHES, &[signal, result], batches);
        }
        let started = self.0.started.wall.as_millisecond() as f64 / 1e3;
        page.tell(&super::table::PROCESS_STARTED, &[], started);
    }

    /// When the process began.
    pub(crate) fn started(&self) -> Moment {
        self.0.started
    }

    /// The model as a label: itself while there is room for it.
    fn label(&self, provider: &'static str, model: &ModelName) -> Option<ModelName> {
        let named = (provider, model.clone());
        let known = self.0.models.load();
        if known.contains(&named) {
            return Some(named.1);
        }
        if known.len() >= MOST_MODELS {
            return None;
        }
        self.0.models.rcu(|models| {
            let mut more = BTreeSet::clone(models);
            if more.len() < MOST_MODELS {
                more.insert(named.clone());
            }
            more
        });
        self.0.models.load().contains(&named).then_some(named.1)
    }
}

/// What one worker counts with. Never leaves its thread; cheap to clone.
#[derive(Clone, Debug)]
pub struct WorkerMetrics(Rc<Worker>);

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) sheet: Arc<Sheet>,
    metrics: Metrics,
}

impl WorkerMetrics {
    /// A request whose head was read; `span` is that of the whole request.
    pub fn request(&self, provider: Option<ProviderName>, span: &Span) -> RequestMetrics {
        RequestMetrics::new(Rc::clone(&self.0), provider.map_or("none", ProviderName::as_str), span)
    }

    /// The counts of all workers.
    pub fn all(&self) -> &Metrics {
        &self.0.metrics
    }
}

impl Worker {
    pub(crate) fn label(&self, provider: &'static str, model: &ModelName) -> Option<ModelName> {
        self.metrics.label(provider, model)
    }

    pub(crate) fn provider(&self, name: &'static str) -> Arc<ProviderSeries> {
        self.sheet.providers.at(&name, || "other", ProviderSeries::new)
    }
}
