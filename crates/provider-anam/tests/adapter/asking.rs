//! Requests to ask the adapter about.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use keygate_domain::{GroupId, Intent};
use keygate_provider::{
    CallRejected, EngineHosts, Inbound, Origin, Provider, ProviderOptions, UpstreamRequest,
};
use keygate_provider_anam::ADAPTER;

/// A request as a caller sends it.
#[derive(Clone)]
pub struct Asked {
    pub method: Method,
    pub path: &'static str,
    pub query: Option<&'static str>,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Asked {
    pub fn new(method: Method, path: &'static str) -> Self {
        Self { method, path, query: None, headers: HeaderMap::new(), body: Bytes::new() }
    }

    pub fn post(path: &'static str, body: &'static str) -> Self {
        Self { body: Bytes::from_static(body.as_bytes()), ..Self::new(Method::POST, path) }
    }

    /// A start as Anam's JavaScript SDK sends it.
    pub fn start_by(token: &str) -> Self {
        Self::post("/v1/engine/session", START_BODY).bearer(token).header("content-type", "application/json")
    }

    pub fn query(mut self, query: &'static str) -> Self {
        self.query = Some(query);
        self
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).unwrap_or_else(|_| HeaderValue::from_static("?"));
        self.headers.append(HeaderName::from_static(name), value);
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn inbound(&self) -> Inbound<'_> {
        Inbound {
            method: &self.method,
            path: self.path,
            query: self.query,
            headers: &self.headers,
            body: &self.body,
            origin: Origin { scheme: "https", authority: "gateway.example" },
            request_id: "order-17",
        }
    }

    pub fn understood(&self) -> Result<Intent, CallRejected> {
        anam().understand(&self.inbound())
    }
}

/// What marks the bodies of the request that is asked about, see `labels`.
pub const MARK: &str = "kg-72a90ea3da8b5dd0";

pub const START_BODY: &str = r#"{"clientMetadata":{"client":"js-sdk","version":"4.27.0"}}"#;

/// The adapter as an operator configures it who knows engines, and a persona by one name.
pub fn anam() -> Arc<dyn Provider> {
    with(None)
}

/// The same with an organisation for what is kept.
pub fn with(management_group: Option<&str>) -> Arc<dyn Provider> {
    let ids = [(GroupId::new("studio"), "id-s".to_owned()), (GroupId::new("backup"), "id-b".to_owned())];
    (ADAPTER.build)(&ProviderOptions {
        engine_hosts: EngineHosts::parse(["*.anam.ai", "127.0.0.1:8091"]).unwrap(),
        management_group: management_group.map(GroupId::new),
        personas: BTreeMap::from([("receptionist".to_owned(), BTreeMap::from(ids))]),
    })
}

/// A token as Anam's SDKs accept it; the signature is made up.
pub fn session_token(account: &str) -> String {
    let claims = format!(r#"{{"accountId":"{account}","type":"ephemeral","sessionId":"0000"}}"#);
    format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#), URL_SAFE_NO_PAD.encode(claims))
}

/// A request to Anam as it goes over the wire, headers in order of name.
pub fn wire(request: &UpstreamRequest) -> String {
    let mut headers: Vec<String> = request
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("?")))
        .collect();
    headers.sort();
    let body = String::from_utf8_lossy(&request.body);
    let host = request.host.as_ref().map(|host| format!("{}://{}", host.scheme(), host.authority));
    let target = format!("{}{}", host.unwrap_or_default(), request.path_and_query);
    format!("{} {target}\n{}\n\n{body}", request.method, headers.join("\n"))
}
