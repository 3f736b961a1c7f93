//! Starting and ending.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use keygate_domain::Redactor;
use tracing::{Dispatch, Subscriber, warn};
use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt as log_layer};

use crate::content::{Inbox, desk};
use crate::export::{Outlet, Pipeline, resource, tell_unusable};
use crate::log::{JsonLine, RedactingWriter, filter, non_blocking, panics_to_log};
use crate::metrics::Metrics;
use crate::sampling::Sampling;
use crate::{Deliveries, LogFormat, MetricsPush, MetricsSource, TelemetryError, TelemetrySettings};

/// Longest time for the last spans to leave.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);

/// What runs beside the requests. Keep it until the process ends, then [`Telemetry::shutdown`] it;
/// a mere drop still writes the last log lines, but leaves the last spans behind.
pub struct Telemetry {
    pipeline: Option<Pipeline>,
    problem: Option<TelemetryError>,
    outlet: Option<Outlet>,
    deliveries: Deliveries,
    log: WorkerGuard,
}

/// Starts logging to standard error and, if asked for, tracing. May be called on any thread, with
/// or without a runtime.
///
/// A receiver of traces that cannot be used is logged, kept as [`Telemetry::problem`], and costs
/// the process its traces and nothing else.
///
/// # Errors
/// [`TelemetryError::LogLevel`] and [`TelemetryError::AlreadyStarted`].
pub fn start(settings: &TelemetrySettings, redactor: Redactor) -> Result<Telemetry, TelemetryError> {
    let (dispatch, telemetry) = Telemetry::prepare(settings, redactor, io::stderr(), wants_colours())?;
    dispatch.try_init().map_err(TelemetryError::AlreadyStarted)?;
    panics_to_log();
    if let Some(problem) = &telemetry.problem {
        let source = std::error::Error::source(problem).map(ToString::to_string);
        warn!(event = "traces.unusable", reason = source, "{problem}; serving without traces");
    }
    Ok(telemetry)
}

impl Telemetry {
    /// Builds everything [`start`] installs, for a caller that installs it elsewhere (a test, for
    /// its own scope) and wants the log in `sink`.
    ///
    /// # Errors
    /// [`TelemetryError::LogLevel`].
    pub fn prepare(
        settings: &TelemetrySettings,
        redactor: Redactor,
        sink: impl Write + Send + 'static,
        colours: bool,
    ) -> Result<(Dispatch, Self), TelemetryError> {
        let wanted = filter(&settings.log_level)?;
        let deliveries = Deliveries::default();
        let outlet = outlet(settings, &redactor, &deliveries);
        let (desk, inbox) =
            outlet.as_ref().and_then(|outlet| outlet.settings.content_bytes).map(desk).unzip();
        let (pipeline, problem) = outlet.as_ref().map(|outlet| pipeline(outlet, inbox)).unwrap_or_default();
        let (writer, log) = non_blocking(RedactingWriter::new(redactor, sink));
        let dispatch = match (&pipeline, &settings.otlp) {
            (Some(pipeline), Some(otlp)) => Dispatch::new(
                Registry::default()
                    .with(trace_layer(pipeline, Sampling::of(otlp.sample).with_desk(desk)))
                    .with(log_lines(settings.log_format, writer, colours).with_filter(wanted)),
            ),
            (None, _) | (_, None) => Dispatch::new(
                Registry::default().with(log_lines(settings.log_format, writer, colours).with_filter(wanted)),
            ),
        };
        Ok((dispatch, Self { pipeline, problem, outlet, deliveries, log }))
    }

    /// Why there are no traces although they were asked for.
    pub fn problem(&self) -> Option<&TelemetryError> {
        self.problem.as_ref()
    }

    /// Counts what is delivered.
    pub fn deliveries(&self) -> Deliveries {
        self.deliveries.clone()
    }

    /// Begins to send metrics, if that is switched on: what `source` tells, and in the end what `metrics` counted.
    pub fn push_metrics(&self, metrics: Metrics, source: impl MetricsSource) -> Option<MetricsPush> {
        let outlet = self.outlet.clone()?;
        let every = outlet.settings.metrics_every?;
        let settings = outlet.settings.clone();
        match MetricsPush::begin(outlet, every, metrics, source) {
            Ok(push) => Some(push),
            Err(error) => {
                tell_unusable(&settings, &error.to_string());
                None
            }
        }
    }

    /// Sends the last spans and writes the last lines. Blocks, at most 5 s for spans and about 1 s
    /// for lines, whatever the receiver does; needs no runtime and may be called on one.
    pub fn shutdown(self) {
        if self.pipeline.is_some_and(|pipeline| !pipeline.shutdown(SHUTDOWN_PATIENCE)) {
            warn!(event = "traces.lost", "the last traces could not be delivered");
        }
        drop(self.log);
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("traces", &self.pipeline.is_some()).finish_non_exhaustive()
    }
}

fn outlet(settings: &TelemetrySettings, redactor: &Redactor, deliveries: &Deliveries) -> Option<Outlet> {
    settings.otlp.as_ref().map(|otlp| Outlet {
        settings: otlp.clone(),
        resource: resource(&settings.service_version),
        redactor: redactor.clone(),
        deliveries: deliveries.clone(),
    })
}

fn pipeline(outlet: &Outlet, inbox: Option<Inbox>) -> (Option<Pipeline>, Option<TelemetryError>) {
    match Pipeline::start(outlet, inbox) {
        Ok(pipeline) => (Some(pipeline), None),
        Err(problem) => (None, Some(problem)),
    }
}

fn trace_layer<S>(pipeline: &Pipeline, sampling: Sampling) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    OpenTelemetryLayer::new(pipeline.tracer())
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_level(false)
        .with_target(false)
        .with_filter(sampling)
}

fn log_lines<S>(format: LogFormat, writer: NonBlocking, colours: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = log_layer::layer().with_writer(writer);
    match format {
        LogFormat::Pretty => layer.with_ansi(colours).boxed(),
        LogFormat::Json => layer
            .with_ansi(false)
            .fmt_fields(tracing_subscriber::fmt::format::JsonFields::new())
            .event_format(JsonLine::new())
            .boxed(),
    }
}

fn wants_colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
