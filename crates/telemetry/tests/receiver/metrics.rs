//! A receiver of metrics on a real socket, by gRPC and by HTTP.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use keygate_telemetry::OtlpProtocol;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::Metric;
use prost::Message;
use tonic::{Request, Response, Status};

use super::PATIENCE;

/// Everything a receiver got.
pub struct MetricsReceiver {
    pub address: SocketAddr,
    got: Receiver<ExportMetricsServiceRequest>,
}

impl MetricsReceiver {
    pub fn start(protocol: OtlpProtocol) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").unwrap(), protocol)
    }

    pub fn start_on(listener: TcpListener, protocol: OtlpProtocol) -> Self {
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

    /// The next batch.
    pub fn next(&self) -> ExportMetricsServiceRequest {
        self.got.recv_timeout(PATIENCE).expect("metrics arrive")
    }
}

/// The metrics of a batch by name.
pub fn by_name(batch: &ExportMetricsServiceRequest) -> BTreeMap<String, Metric> {
    let scopes = batch.resource_metrics.iter().flat_map(|of| &of.scope_metrics);
    scopes.flat_map(|scope| &scope.metrics).map(|one| (one.name.clone(), one.clone())).collect()
}

async fn serve_grpc(listener: tokio::net::TcpListener, deliver: Sender<ExportMetricsServiceRequest>) {
    struct Collector(Sender<ExportMetricsServiceRequest>);

    #[tonic::async_trait]
    impl MetricsService for Collector {
        async fn export(
            &self,
            request: Request<ExportMetricsServiceRequest>,
        ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
            // The test may be over.
            let _ = self.0.send(request.into_inner());
            Ok(Response::new(ExportMetricsServiceResponse::default()))
        }
    }

    tonic::transport::Server::builder()
        .add_service(MetricsServiceServer::new(Collector(deliver)))
        .serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener))
        .await
        .unwrap();
}

async fn serve_http(listener: tokio::net::TcpListener, deliver: Sender<ExportMetricsServiceRequest>) {
    loop {
        let (socket, _peer) = listener.accept().await.unwrap();
        let deliver = deliver.clone();
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let deliver = deliver.clone();
            async move {
                assert_eq!(request.uri().path(), "/v1/metrics");
                assert_eq!(request.headers()["content-type"], "application/x-protobuf");
                let body = request.into_body().collect().await.unwrap().to_bytes();
                // The test may be over.
                let _ = deliver.send(ExportMetricsServiceRequest::decode(body).unwrap());
                Ok::<_, hyper::Error>(hyper::Response::new(Empty::<Bytes>::new()))
            }
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service),
        );
    }
}
