//! A receiver of traces and metrics on a real socket, as collectors are.

use std::net::SocketAddr;
use std::sync::Arc;

use keygate_tests::eventually;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Told;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// Everything it got.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    spans: UnboundedReceiver<Span>,
    metrics: UnboundedReceiver<Vec<Metric>>,
}

struct Inbox(Arc<UnboundedSender<Span>>);

struct Numbers(Arc<UnboundedSender<Vec<Metric>>>);

#[tonic::async_trait]
impl MetricsService for Numbers {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let scopes = request.into_inner().resource_metrics.into_iter().flat_map(|of| of.scope_metrics);
        let metrics = scopes.flat_map(|scope| scope.metrics).collect();
        self.0.send(metrics).map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl TraceService for Inbox {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes = request.into_inner().resource_spans.into_iter().flat_map(|spans| spans.scope_spans);
        for span in scopes.flat_map(|scope| scope.spans) {
            self.0.send(span).map_err(|_| Status::unavailable("the test is over"))?;
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Receiver {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let (sender, spans) = unbounded_channel();
        let (numbers, metrics) = unbounded_channel();
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(Inbox(Arc::new(sender))))
            .add_service(MetricsServiceServer::new(Numbers(Arc::new(numbers))));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        Self { address, spans, metrics }
    }

    /// All spans received until the trace's root is there: it ends last.
    pub(crate) async fn trace(&mut self, trace_id: &str) -> Vec<Span> {
        let mut trace: Vec<Span> = Vec::new();
        eventually("the whole trace arrives", async || {
            while let Ok(span) = self.spans.try_recv() {
                trace.push(span);
            }
            let of_trace: Vec<Span> =
                trace.iter().filter(|span| hex(&span.trace_id) == trace_id).cloned().collect();
            of_trace.iter().any(|span| span.name.starts_with("POST ")).then_some(of_trace)
        })
        .await
    }

    /// All spans received by now.
    pub(crate) fn all(&mut self) -> Vec<Span> {
        std::iter::from_fn(|| self.spans.try_recv().ok()).collect()
    }

    /// Everything received so far and from here on until the metrics tell what is looked for.
    pub(crate) async fn metrics(&mut self, what: &str, found: impl Fn(&[Metric]) -> bool) -> Vec<Metric> {
        eventually(what, async || {
            while let Ok(metrics) = self.metrics.try_recv() {
                if found(&metrics) {
                    return Some(metrics);
                }
            }
            None
        })
        .await
    }
}

/// An id as it is written.
pub(crate) fn hex(id: &[u8]) -> String {
    id.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// An attribute of a span, as text.
pub(crate) fn attribute(span: &Span, name: &str) -> Option<String> {
    told(&span.attributes, name)
}

/// One of these attributes, as text.
pub(crate) fn told(attributes: &[KeyValue], name: &str) -> Option<String> {
    let value = attributes.iter().find(|attribute| attribute.key == name)?.value.as_ref()?;
    let told = value.value.as_ref()?;
    if let Told::StringValue(text) = told {
        return Some(text.clone());
    }
    if let Told::IntValue(number) = told { Some(number.to_string()) } else { Some(format!("{told:?}")) }
}
