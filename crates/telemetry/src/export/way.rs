//! The way of metrics to their receiver. The SDK's exporter takes numbers from the SDK's own instruments alone, so
//! what is gathered here is sent without it, in the same messages.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method};
use keygate_provider::UpstreamRequest;
use keygate_upstream::{ClientSettings, SendFailureKind, Upstream, UpstreamClient};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use prost::Message;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

use super::pipeline::EXPORT_TIMEOUT;
use crate::{OtlpProtocol, OtlpSettings};

/// Most bytes of a receiver's answer that are read.
const MOST_ANSWER_BYTES: usize = 64 * 1024;

/// Open to one receiver. Made and used on one runtime.
pub(super) enum Way {
    Grpc(MetricsServiceClient<Channel>),
    Http(Upstream),
}

impl Way {
    /// Connects with the first message.
    pub(super) fn to(settings: &OtlpSettings) -> Result<Self, String> {
        match settings.protocol {
            OtlpProtocol::Grpc => grpc(&settings.endpoint),
            OtlpProtocol::Http => http(&settings.endpoint),
        }
    }

    /// Sends; says why it did not arrive.
    pub(super) async fn send(&mut self, request: ExportMetricsServiceRequest) -> Result<(), String> {
        match self {
            Self::Grpc(client) => {
                let sent = tokio::time::timeout(EXPORT_TIMEOUT, client.export(request)).await;
                let answer = sent.map_err(|_elapsed| "it did not answer in time".to_owned())?;
                let answer = answer.map_err(|status| format!("{}: {}", status.code(), status.message()))?;
                taken(answer.get_ref())
            }
            Self::Http(upstream) => post(upstream, request).await,
        }
    }
}

fn grpc(endpoint: &str) -> Result<Way, String> {
    let mut receiver = Endpoint::from_shared(endpoint.to_owned()).map_err(|error| error.to_string())?;
    if endpoint.starts_with("https://") {
        let tls = ClientTlsConfig::new().with_enabled_roots();
        receiver = receiver.tls_config(tls).map_err(|error| error.to_string())?;
    }
    let channel = receiver.connect_timeout(EXPORT_TIMEOUT).connect_lazy();
    Ok(Way::Grpc(MetricsServiceClient::new(channel)))
}

fn http(endpoint: &str) -> Result<Way, String> {
    let client =
        UpstreamClient::new(ClientSettings { connect_timeout: EXPORT_TIMEOUT, ..Default::default() });
    let client = client.map_err(|error| error.to_string())?;
    // Some name the receiver by the path of its traces.
    let base = endpoint.trim_end_matches('/').trim_end_matches("/v1/traces");
    Ok(Way::Http(client.upstream(base.parse().map_err(|error: url::ParseError| error.to_string())?)))
}

async fn post(upstream: &Upstream, request: ExportMetricsServiceRequest) -> Result<(), String> {
    let protobuf = HeaderValue::from_static("application/x-protobuf");
    let request = UpstreamRequest {
        method: Method::POST,
        host: None,
        path_and_query: "/v1/metrics".to_owned(),
        headers: HeaderMap::from_iter([(CONTENT_TYPE, protobuf)]),
        body: Bytes::from(request.encode_to_vec()),
    };
    let sent = upstream.send(request, EXPORT_TIMEOUT).await;
    let mut answer = sent.map_err(|failure| in_words(failure.kind).to_owned())?;
    let status = answer.status();
    let told = answer.text_up_to(MOST_ANSWER_BYTES, EXPORT_TIMEOUT).await;
    if !status.is_success() {
        return Err(format!("it answered {}", status.as_u16()));
    }
    // What cannot be read says nothing against what was sent.
    ExportMetricsServiceResponse::decode(told.bytes.as_ref()).map_or(Ok(()), |answer| taken(&answer))
}

fn in_words(kind: SendFailureKind) -> &'static str {
    match kind {
        SendFailureKind::NotConnected => "no connection",
        SendFailureKind::Broken => "it closed the connection without an answer",
        SendFailureKind::TimedOut => "it did not answer in time",
    }
}

fn taken(answer: &ExportMetricsServiceResponse) -> Result<(), String> {
    match &answer.partial_success {
        Some(partial) if partial.rejected_data_points > 0 => {
            Err(format!("it refused {} numbers: {}", partial.rejected_data_points, partial.error_message))
        }
        Some(_) | None => Ok(()),
    }
}
