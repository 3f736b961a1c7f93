//! One HTTP client per worker, and its view of one provider.

use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use http::{HeaderMap, Method, StatusCode};
use keygate_provider::{EngineHost, UpstreamRequest};
use reqwest::{Body, Client, Request, redirect};
use tokio::time::timeout;
use url::Url;

use crate::websocket::{WebSocket, handshake_key};
use crate::{ClientUnusable, PipedBody, SendFailure, SendFailureKind, UpstreamAnswer};

/// How connections to providers are made and kept.
#[derive(Clone, Copy, Debug)]
pub struct ClientSettings {
    /// Longest time for name resolution, TCP and TLS together.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept; below what providers grant, so that a request
    /// is not written to a connection that the other side is just closing.
    pub idle_timeout: Duration,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(10), idle_timeout: Duration::from_secs(50) }
    }
}

/// A worker's HTTP client. It never leaves its worker (`!Send`): connections belong to the
/// runtime that opened them, and a shared client stalls one worker on another's load.
#[derive(Clone)]
pub struct UpstreamClient {
    client: Client,
    stays_on_its_worker: PhantomData<Rc<()>>,
}

impl UpstreamClient {
    /// Builds a client.
    ///
    /// # Errors
    /// When the platform has no usable certificate store.
    pub fn new(settings: ClientSettings) -> Result<Self, ClientUnusable> {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(settings.connect_timeout)
            .pool_idle_timeout(settings.idle_timeout)
            .tcp_nodelay(true)
            // Over HTTP/2 a client keeps one connection to a host, and the provider's bound on its
            // streams (about 100) would be a silent queue in front of every key of this worker.
            .http1_only()
            // The journey decides what may be sent twice.
            .retry(reqwest::retry::never())
            .build()
            .map_err(ClientUnusable::from)?;
        Ok(Self { client, stays_on_its_worker: PhantomData })
    }

    /// The client's view of the provider at `base`.
    pub fn upstream(&self, base: Url) -> Upstream {
        Upstream { client: self.clone(), base }
    }
}

/// A provider's base URL, reached through a worker's client.
#[derive(Clone)]
pub struct Upstream {
    client: UpstreamClient,
    base: Url,
}

impl Upstream {
    /// The host name and port of the provider, for spans.
    pub fn host(&self) -> (&str, u16) {
        (self.base.host_str().unwrap_or_default(), self.base.port_or_known_default().unwrap_or_default())
    }

    /// Sends `request` and waits at most `patience` for the head of the answer.
    ///
    /// # Errors
    /// [`SendFailure`] says whether the request can have reached the provider.
    pub async fn send(
        &self,
        request: UpstreamRequest,
        patience: Duration,
    ) -> Result<UpstreamAnswer, SendFailure> {
        let request = self.build(request);
        match timeout(patience, self.client.client.execute(request)).await {
            Ok(Ok(response)) => Ok(UpstreamAnswer::new(response)),
            Ok(Err(error)) => Err(SendFailure::from(error)),
            Err(_elapsed) => Err(SendFailure::unknown(SendFailureKind::TimedOut)),
        }
    }

    /// Sends `request` with a body that is still coming, and waits for the head of the answer. How long is the
    /// caller's affair, who knows whether the body moves; dropping this breaks the request off.
    ///
    /// # Errors
    /// [`SendFailure`] says whether the request can have reached the provider.
    pub async fn send_piped(
        &self,
        request: UpstreamRequest,
        body: PipedBody,
    ) -> Result<UpstreamAnswer, SendFailure> {
        let mut request = self.build(request);
        request.headers_mut().remove(CONTENT_LENGTH);
        *request.body_mut() = Some(Body::wrap(body));
        self.client.client.execute(request).await.map(UpstreamAnswer::new).map_err(SendFailure::from)
    }

    /// The path and query of `location` below the base URL, if it is there: same scheme, host and port.
    pub fn own_target(&self, location: &str) -> Option<String> {
        let url = self.base.join(location).ok()?;
        let base = self.base.path().trim_end_matches('/');
        let path = url.path().strip_prefix(base).filter(|path| path.starts_with('/'))?;
        (url.origin() == self.base.origin()).then(|| match url.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        })
    }

    /// Asks for a WebSocket with `request` and waits at most `patience` for it to be open.
    ///
    /// # Errors
    /// [`SendFailure`] when no answer comes, or one that is no handshake's.
    pub async fn connect(
        &self,
        mut request: UpstreamRequest,
        patience: Duration,
    ) -> Result<Connected, SendFailure> {
        let (key, accept) = handshake_key();
        put_handshake(&mut request.headers, &key);
        let opening = async {
            let response = self.client.client.execute(self.build(request)).await?;
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                return Ok(Connected::Answer(UpstreamAnswer::new(response)));
            }
            let answered = response.headers().get(SEC_WEBSOCKET_ACCEPT);
            if answered.is_none_or(|answered| answered.as_bytes() != accept.as_bytes()) {
                return Err(SendFailure::unknown(SendFailureKind::Broken));
            }
            let line = response.upgrade().await?;
            Ok(Connected::Socket(WebSocket::of_client(line).await))
        };
        let too_late = |_elapsed| Err(SendFailure::unknown(SendFailureKind::TimedOut));
        timeout(patience, opening).await.unwrap_or_else(too_late)
    }

    fn build(&self, asked: UpstreamRequest) -> Request {
        let (path, query) = match asked.path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (asked.path_and_query.as_str(), None),
        };
        let mut url =
            asked.host.as_ref().map_or_else(|| self.base.clone(), |host| elsewhere(host, &self.base));
        match url.path().trim_end_matches('/') {
            "" => url.set_path(path),
            prefix => {
                let path = format!("{prefix}{path}");
                url.set_path(&path);
            }
        }
        url.set_query(query);
        let mut request = Request::new(asked.method, url);
        *request.headers_mut() = asked.headers;
        if !asked.body.is_empty() {
            *request.body_mut() = Some(Body::from(asked.body));
        } else if matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH) {
            // RFC 9110 §8.6: else servers ask for the length (411).
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        request
    }
}

/// What became of asking for a WebSocket.
#[derive(Debug)]
pub enum Connected {
    /// It is open.
    Socket(WebSocket),
    /// The provider answered like to any other request.
    Answer(UpstreamAnswer),
}

fn put_handshake(headers: &mut HeaderMap, key: &str) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    if let Ok(key) = HeaderValue::from_str(key) {
        headers.insert(SEC_WEBSOCKET_KEY, key);
    }
}

/// The root of another host of the provider's. What is no host after all goes to the base URL, which answers
/// that it has no such path.
fn elsewhere(host: &EngineHost, base: &Url) -> Url {
    Url::parse(&format!("{}://{}/", host.scheme(), host.authority)).unwrap_or_else(|_| base.clone())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;

    fn upstream(base: &str) -> Upstream {
        UpstreamClient::new(ClientSettings::default()).unwrap().upstream(base.parse().unwrap())
    }

    fn asked(method: Method, path_and_query: &str) -> UpstreamRequest {
        let path_and_query = path_and_query.to_owned();
        UpstreamRequest { host: None, method, path_and_query, headers: HeaderMap::new(), body: Bytes::new() }
    }

    fn url_of(base: &str, path_and_query: &str) -> String {
        upstream(base).build(asked(Method::GET, path_and_query)).url().to_string()
    }

    #[test]
    fn a_creation_without_a_body_says_so() {
        let length = |method| {
            let request = upstream("https://provider.example").build(asked(method, "/v1/x:cancel"));
            request.headers().get(CONTENT_LENGTH).cloned()
        };
        assert_eq!(length(Method::POST).unwrap(), "0");
        assert_eq!(length(Method::GET), None);
    }

    #[test]
    fn only_the_providers_own_host_is_its_own() {
        let upstream = upstream("https://provider.example/base/");
        let own = |location| upstream.own_target(location);
        assert_eq!(own("https://provider.example/base/a?b=c").as_deref(), Some("/a?b=c"));
        assert_eq!(own("https://provider.example:443/base/a").as_deref(), Some("/a"));
        assert_eq!(own("/base/a").as_deref(), Some("/a"));
        for foreign in [
            "https://elsewhere.example/base/a",
            "//elsewhere.example/base/a",
            "http://provider.example/base/a",
            "https://provider.example:444/base/a",
            "https://provider.example/basement",
            "https://provider.example/base/../a",
            "https://[",
        ] {
            assert_eq!(own(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn path_and_query_arrive_as_they_were_given() {
        let base = "https://provider.example";
        assert_eq!(
            url_of(base, "/v1/models/m%3Ax:generateContent?alt=sse&$fields=a%20b"),
            "https://provider.example/v1/models/m%3Ax:generateContent?alt=sse&$fields=a%20b"
        );
        assert_eq!(
            url_of("https://provider.example/base/", "/v1/models"),
            "https://provider.example/base/v1/models"
        );
    }
}
