//! A receiver of traces on a real socket, by gRPC and by HTTP, and the log's other end.

#![allow(dead_code, missing_docs, reason = "each test binary uses its share")]

pub mod metrics;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use keygate_domain::Redactor;
use keygate_telemetry::{LogFormat, OtlpProtocol, OtlpSettings, Telemetry, TelemetrySettings};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tonic::{Request, Response, Status};
use tracing::Dispatch;

pub const SECRET: &str = "planted-secret-0123456789";
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Everything a receiver got.
pub struct TraceReceiver {
    pub address: SocketAddr,
    got: Receiver<ExportTraceServiceRequest>,
}

impl TraceReceiver {
    pub fn start(protocol: OtlpProtocol) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let (deliver, got) = channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                match protocol {
                    OtlpProtocol::Grpc => serve_grpc(listener, deliver).await,
                    OtlpProtocol::Http => serve_http(listener, deliver).await,
                }
            });
        });
        Self { address, got }
    }

    /// What arrived. Call after the sender's shutdown, which waits for delivery.
    pub fn batches(&self) -> Vec<ExportTraceServiceRequest> {
        self.got.try_iter().collect()
    }

    pub fn spans(&self) -> Vec<Span> {
        let batches = self.batches();
        let scopes =
            batches.into_iter().flat_map(|batch| batch.resource_spans).flat_map(|spans| spans.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

async fn serve_grpc(listener: tokio::net::TcpListener, deliver: Sender<ExportTraceServiceRequest>) {
    struct Collector(Sender<ExportTraceServiceRequest>);

    #[tonic::async_trait]
    impl TraceService for Collector {
        async fn export(
            &self,
            request: Request<ExportTraceServiceRequest>,
        ) -> Result<Response<ExportTraceServiceResponse>, Status> {
            self.0.send(request.into_inner()).unwrap();
            Ok(Response::new(ExportTraceServiceResponse::default()))
        }
    }

    tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(Collector(deliver)))
        .serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener))
        .await
        .unwrap();
}

async fn serve_http(listener: tokio::net::TcpListener, deliver: Sender<ExportTraceServiceRequest>) {
    loop {
        let (socket, _peer) = listener.accept().await.unwrap();
        let deliver = deliver.clone();
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let deliver = deliver.clone();
            async move {
                assert_eq!(request.uri().path(), "/v1/traces");
                assert_eq!(request.headers()["content-type"], "application/x-protobuf");
                let body = request.into_body().collect().await.unwrap().to_bytes();
                deliver.send(ExportTraceServiceRequest::decode(body).unwrap()).unwrap();
                Ok::<_, hyper::Error>(hyper::Response::new(Empty::<bytes::Bytes>::new()))
            }
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service),
        );
    }
}

/// The reading end of a log.
pub struct LogLines(Receiver<Vec<u8>>);

impl LogLines {
    /// Everything written. Call after shutdown, which writes what was waiting.
    pub fn text(&self) -> String {
        String::from_utf8(self.0.try_iter().flatten().collect()).unwrap()
    }

    /// Waits for a line that contains `part`.
    pub fn wait_for(&self, part: &str) -> String {
        let mut seen = String::new();
        while !seen.contains(part) {
            let line = self.0.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no {part:?} in {seen}"));
            seen.push_str(&String::from_utf8(line).unwrap());
        }
        seen
    }
}

struct LogSink(Sender<Vec<u8>>);

impl Write for LogSink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.send(line.to_vec()).map_err(io::Error::other)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub fn settings(otlp: Option<OtlpSettings>) -> TelemetrySettings {
    TelemetrySettings {
        log_format: LogFormat::Json,
        log_level: "info".into(),
        otlp,
        service_version: "1.2.3".into(),
    }
}

pub fn otlp(address: SocketAddr, protocol: OtlpProtocol, sample: f64) -> OtlpSettings {
    OtlpSettings {
        endpoint: format!("http://{address}"),
        protocol,
        sample,
        content_bytes: None,
        metrics_every: None,
    }
}

pub fn prepare(settings: &TelemetrySettings) -> (Dispatch, Telemetry, LogLines) {
    let redactor = Redactor::new([SECRET], &[r"AIza[0-9A-Za-z_-]{35}"]).unwrap();
    let (sink, lines) = channel();
    let (dispatch, telemetry) = Telemetry::prepare(settings, redactor, LogSink(sink), false).unwrap();
    (dispatch, telemetry, LogLines(lines))
}

/// Shuts down on a thread of its own, and fails the test if that does not end.
pub fn shutdown_ends(dispatch: Dispatch, telemetry: Telemetry) {
    let (done, ended) = channel();
    std::thread::spawn(move || {
        tracing::dispatcher::with_default(&dispatch, || telemetry.shutdown());
        done.send(()).unwrap();
    });
    ended.recv_timeout(PATIENCE).expect("shutdown hangs");
}

/// A span's attributes as text.
pub fn attributes(of: &[KeyValue]) -> BTreeMap<String, String> {
    of.iter().map(|pair| (pair.key.clone(), text(pair.value.as_ref()))).collect()
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|any| any.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(truth)) => truth.to_string(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::ArrayValue(array)) => {
            array.values.iter().map(|value| text(Some(value))).collect::<Vec<_>>().join("|")
        }
        other => format!("{other:?}"),
    }
}

/// Waits until something is so.
pub fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let pause = Duration::from_millis(10);
    let mut waited = Duration::ZERO;
    while !is_so() {
        assert!(waited < PATIENCE, "not in time: {what}");
        std::thread::park_timeout(pause);
        waited += pause;
    }
}
