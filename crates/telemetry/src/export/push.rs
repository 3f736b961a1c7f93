//! Metrics that are sent, beside those that scrapers ask for: the same numbers from the same place.

use std::io;
use std::time::Duration;

use keygate_domain::{Moment, Redactor};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource as ProtoResource;
use opentelemetry_proto::transform::common::tonic::Attributes;
use opentelemetry_sdk::Resource;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::dispatcher::{get_default, with_default};
use tracing::{Dispatch, info, warn};

use super::deliveries::{Deliveries, Signal};
use super::identity::SERVICE_NAME;
use super::pipeline::without_credentials;
use super::way::Way;
use crate::OtlpSettings;
use crate::metrics::{Metrics, Page};

/// Longest time for the last numbers to leave.
const LAST_NUMBERS: Duration = Duration::from_secs(5);

/// Where numbers come from.
pub trait MetricsSource: Send + 'static {
    /// All of them, at this moment. Asked on a thread of its own.
    fn page(&self) -> impl Future<Output = Page>;

    /// The time.
    fn now(&self) -> Moment;
}

/// What metrics are sent with.
#[derive(Clone)]
pub(crate) struct Outlet {
    pub(crate) settings: OtlpSettings,
    pub(crate) resource: Resource,
    pub(crate) redactor: Redactor,
    pub(crate) deliveries: Deliveries,
}

/// Sends metrics on a thread of its own, until it is [finished](Self::finish) or dropped.
#[derive(Debug)]
pub struct MetricsPush {
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl MetricsPush {
    /// Begins. What cannot be sent is told in the log and costs nobody anything.
    pub(crate) fn begin<S: MetricsSource>(
        outlet: Outlet,
        every: Duration,
        metrics: Metrics,
        source: S,
    ) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let dispatch = get_default(Dispatch::clone);
        std::thread::Builder::new().name("keygate-metrics".into()).spawn(move || {
            let pushing = async move {
                match Way::to(&outlet.settings) {
                    Ok(way) => {
                        let pusher = Pusher { outlet, way, metrics, source, is_failing: false };
                        pusher.run(every, stopped).await;
                    }
                    Err(reason) => tell_unusable(&outlet.settings, &reason),
                }
            };
            with_default(&dispatch, || runtime.block_on(pushing));
            // Nobody waits for it any more when it comes too late.
            let _ = end.send(());
        })?;
        Ok(Self { stop, ended })
    }

    /// Sends what was counted last, if that is possible within a few seconds.
    pub async fn finish(self) {
        // Who has ended already has nothing more to send.
        if self.stop.send(()).is_ok() {
            let _ = timeout(LAST_NUMBERS, self.ended).await;
        }
    }
}

/// Says that nothing is sent, and why.
pub(crate) fn tell_unusable(settings: &OtlpSettings, reason: &str) {
    let endpoint = without_credentials(&settings.endpoint);
    warn!(
        event = "metrics.unusable",
        endpoint, reason, "metrics cannot be sent; see telemetry.otlp.endpoint. Serving without"
    );
}

struct Pusher<S> {
    outlet: Outlet,
    way: Way,
    metrics: Metrics,
    source: S,
    is_failing: bool,
}

impl<S: MetricsSource> Pusher<S> {
    async fn run(mut self, every: Duration, mut stopped: oneshot::Receiver<()>) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    let page = self.source.page().await;
                    self.send(&page).await;
                }
                stop = &mut stopped => {
                    if stop.is_ok() {
                        self.send_last().await;
                    }
                    return;
                }
            }
        }
    }

    /// What was counted. States are none any more: who tells them has gone, or is about to.
    async fn send_last(&mut self) {
        let mut page = Page::default();
        self.metrics.gather(&mut page);
        self.send(&page).await;
    }

    async fn send(&mut self, page: &Page) {
        let metrics = page.to_otlp(self.metrics.started(), self.source.now());
        let scope = InstrumentationScope { name: SERVICE_NAME.to_owned(), ..Default::default() };
        let scope_metrics = vec![ScopeMetrics { scope: Some(scope), metrics, ..Default::default() }];
        let attributes =
            self.outlet.resource.iter().map(|(k, v)| opentelemetry::KeyValue::new(k.clone(), v.clone()));
        let attributes = Attributes::from(attributes).0;
        let resource = Some(ProtoResource { attributes, ..Default::default() });
        let resource_metrics = vec![ResourceMetrics { resource, scope_metrics, ..Default::default() }];
        let sent = self.way.send(ExportMetricsServiceRequest { resource_metrics }).await;
        self.outlet.deliveries.count(Signal::Metrics, sent.is_ok());
        self.tell_change(sent);
    }

    /// A receiver that is away fails each time: only the change is worth a line.
    fn tell_change(&mut self, sent: Result<(), String>) {
        let was_failing = std::mem::replace(&mut self.is_failing, sent.is_err());
        match sent {
            Err(error) if !was_failing => {
                let error = self.outlet.redactor.scrub_text(&error).into_owned();
                warn!(
                    event = "metrics.failed",
                    error, "metrics are not delivered; requests are not affected"
                );
            }
            Ok(()) if was_failing => info!(event = "metrics.recovered", "metrics are delivered again"),
            Ok(()) | Err(_) => {}
        }
    }
}
