//! From a finished span to the receiver: queue, exporter, connection.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::trace::{BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider};
use tokio::runtime::{Builder, Runtime};

use super::identity::SERVICE_NAME;
use super::push::Outlet;
use super::redacting::RedactingExporter;
use crate::content::Inbox;
use crate::{OtlpProtocol, TelemetryError};

/// How long one batch may take; a receiver that accepts and never answers must not keep the
/// queue behind it for longer.
pub(super) const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// A running exporter.
pub(crate) struct Pipeline {
    provider: SdkTracerProvider,
    /// Where gRPC lives. One of its own, because an export asked for from a runtime's only thread
    /// waits for that very thread; so callers may be on any runtime, or on none.
    runtime: Option<Runtime>,
    failing: Arc<AtomicBool>,
}

impl Pipeline {
    /// Prepares to send to the receiver; connects with the first batch.
    pub(crate) fn start(outlet: &Outlet, content: Option<Inbox>) -> Result<Self, TelemetryError> {
        let Outlet { settings, resource, redactor, deliveries } = outlet;
        let failed =
            |source| TelemetryError::Otlp { endpoint: without_credentials(&settings.endpoint), source };
        let (exporter, runtime) = match settings.protocol {
            OtlpProtocol::Grpc => {
                let runtime = connection_runtime().map_err(|error| failed(Box::new(error)))?;
                let exporter = {
                    let _on_its_runtime = runtime.enter();
                    grpc_exporter(&settings.endpoint)
                };
                (exporter, Some(runtime))
            }
            OtlpProtocol::Http => (http_exporter(&settings.endpoint), None),
        };
        let exporter = match exporter {
            Ok(exporter) => RedactingExporter::new(redactor.clone(), exporter, deliveries.clone(), content),
            Err(error) => {
                if let Some(runtime) = runtime {
                    runtime.shutdown_background();
                }
                return Err(failed(Box::new(error)));
            }
        };
        let failing = exporter.failing();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            // The root span is sampled before it is made; what arrives here is wanted.
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
            .with_span_processor(BatchSpanProcessor::builder(exporter).build())
            .build();
        Ok(Self { provider, runtime, failing })
    }

    /// What makes the spans.
    pub(crate) fn tracer(&self) -> SdkTracer {
        self.provider.tracer(SERVICE_NAME)
    }

    /// Sends what is queued, and returns whether it arrived within `patience`. The SDK calls a
    /// shutdown a success though every export of it failed, hence the look at the last batch.
    ///
    /// The SDK's own bound is not enough: it joins its thread after the flush. So the whole of it
    /// happens on a thread that is left behind when it hangs.
    pub(crate) fn shutdown(mut self, patience: Duration) -> bool {
        let provider = self.provider.clone();
        let (done, ended) = mpsc::channel();
        let flusher = std::thread::Builder::new().name("keygate-flush".into()).spawn(move || {
            let result = provider.shutdown_with_timeout(patience);
            // Nobody waits for it any more when it comes too late.
            let _ = done.send(result.is_ok());
        });
        let in_time = flusher.is_ok() && ended.recv_timeout(patience).unwrap_or(false);
        self.leave_runtime();
        in_time && !self.failing.load(Ordering::Relaxed)
    }

    fn leave_runtime(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Pipeline {
    /// A runtime dropped on another runtime's thread would panic.
    fn drop(&mut self) {
        self.leave_runtime();
    }
}

fn connection_runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(1).thread_name("keygate-otlp").enable_all().build()
}

fn grpc_exporter(endpoint: &str) -> Result<SpanExporter, ExporterBuildError> {
    let builder = SpanExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(EXPORT_TIMEOUT);
    if endpoint.starts_with("https://") {
        return builder.with_tls_config(ClientTlsConfig::new().with_enabled_roots()).build();
    }
    builder.build()
}

fn http_exporter(endpoint: &str) -> Result<SpanExporter, ExporterBuildError> {
    SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(traces_url(endpoint))
        .with_timeout(EXPORT_TIMEOUT)
        .build()
}

/// The exporter uses an endpoint given in code as it is; operators know the base URL.
fn traces_url(endpoint: &str) -> String {
    let base = endpoint.trim_end_matches('/');
    if base.ends_with("/v1/traces") { base.to_owned() } else { format!("{base}/v1/traces") }
}

pub(super) fn without_credentials(endpoint: &str) -> String {
    match (endpoint.find("://"), endpoint.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            format!("{}{}", &endpoint[..scheme + 3], &endpoint[at + 1..])
        }
        (Some(_) | None, _) => endpoint.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("http://h:4318", "http://h:4318/v1/traces")]
    #[case("http://h:4318/", "http://h:4318/v1/traces")]
    #[case("http://h/otlp", "http://h/otlp/v1/traces")]
    #[case("http://h:4318/v1/traces", "http://h:4318/v1/traces")]
    fn the_path_is_added_once(#[case] endpoint: &str, #[case] expected: &str) {
        assert_eq!(traces_url(endpoint), expected);
    }

    #[test]
    fn an_endpoint_is_told_without_its_password() {
        assert_eq!(without_credentials("https://user:hidden@collector:4317"), "https://collector:4317");
        assert_eq!(without_credentials("http://collector:4317"), "http://collector:4317");
    }
}
