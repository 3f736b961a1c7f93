//! Talking to a gateway that runs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use keygate_actors::clock;
use keygate_config::LoadRequest;
use keygate_provider::UpstreamRequest;
use keygate_upstream::{ClientSettings, SendFailureKind, Upstream, UpstreamClient};
use serde_json::Value;
use url::Url;

use crate::cli::RunningGateway;
use crate::environment;
use crate::exit::Exit;

/// How long a gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long to wait before looking once more.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Largest answer read, in bytes: some hundred of them for each of a hundred thousand keys.
const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// The variable that holds the admin token, here as for the gateway itself.
const TOKEN_VARIABLE: &str = "KEYGATE_ADMIN_TOKEN";

/// Why there is no answer, for people, and how the command ends for it.
pub(super) struct NoAnswer {
    pub(super) exit: Exit,
    pub(super) text: String,
    /// Whether nobody listens there: no gateway runs, as far as can be seen from here.
    pub(super) is_nobody_there: bool,
}

impl NoAnswer {
    fn usage(text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, text: text.into(), is_nobody_there: false }
    }

    pub(super) fn unavailable(text: impl Into<String>) -> Self {
        Self { exit: Exit::Unavailable, text: text.into(), is_nobody_there: false }
    }

    fn internal(text: impl Into<String>) -> Self {
        Self { exit: Exit::Internal, text: text.into(), is_nobody_there: false }
    }
}

/// A gateway that runs, or should.
pub(super) struct Gateway {
    url: Url,
    /// Where the address was named, for people: `--url`.
    named_by: String,
    upstream: Upstream,
    token: Option<HeaderValue>,
}

impl Gateway {
    /// The gateway that is meant.
    pub(super) fn find(wanted: &RunningGateway) -> Result<Self, NoAnswer> {
        let request = LoadRequest {
            config: wanted.config.clone(),
            working_dir: std::env::current_dir().unwrap_or_default(),
            environment: environment::read(),
            ..LoadRequest::default()
        };
        let token = keygate_config::read_variable(request.clone(), TOKEN_VARIABLE);
        let token = token.map(|token| secret(&token)).transpose()?;
        let (url, named_by) = match &wanted.url {
            Some(url) => (named(url)?, "--url".to_owned()),
            None => configured(request)?,
        };
        let client = UpstreamClient::new(ClientSettings::default())
            .map_err(|error| NoAnswer::internal(error.to_string()))?;
        Ok(Self { upstream: client.upstream(url.clone()), url, named_by, token })
    }

    /// Whether there is an admin token to ask with.
    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// What `GET path_and_query` answers.
    pub(super) fn get(&self, path_and_query: &str) -> Result<Value, NoAnswer> {
        waiting_for(self.ask(Method::GET, path_and_query, Bytes::new()))
    }

    /// What `POST path` with this JSON answers.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, NoAnswer> {
        waiting_for(self.ask(Method::POST, path, body.to_string().into()))
    }

    /// Asks `GET path` again and again, until `is_so` of an answer or `patience` is over: the last answer, and
    /// whether it is so.
    pub(super) fn watch(
        &self,
        path: &str,
        patience: Duration,
        is_so: impl Fn(&Value) -> bool,
    ) -> Result<(Value, bool), NoAnswer> {
        waiting_for(async {
            let end = clock::now().after(patience);
            loop {
                let answer = self.ask(Method::GET, path, Bytes::new()).await?;
                let is_so = is_so(&answer);
                if is_so || clock::left_until(end).is_zero() {
                    return Ok((answer, is_so));
                }
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
        })
    }

    /// Where it is.
    pub(super) fn address(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// Whether `GET path` answers well, and what it answers: for routes whose refusal is an answer, too.
    pub(super) fn look(&self, path: &str) -> Result<(bool, Value), NoAnswer> {
        let (status, body) = waiting_for(self.exchange(Method::GET, path, Bytes::new()))?;
        Ok((status == StatusCode::OK, body))
    }

    async fn ask(&self, method: Method, path_and_query: &str, body: Bytes) -> Result<Value, NoAnswer> {
        let (status, body) = self.exchange(method, path_and_query, body).await?;
        if status == StatusCode::OK && !body.is_null() { Ok(body) } else { Err(self.refused(status, &body)) }
    }

    /// The status, and the body if it is JSON.
    async fn exchange(
        &self,
        method: Method,
        path_and_query: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Value), NoAnswer> {
        let mut headers = HeaderMap::new();
        headers.extend(self.token.clone().map(|token| (http::header::AUTHORIZATION, token)));
        if !body.is_empty() {
            headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let path_and_query = path_and_query.to_owned();
        let request = UpstreamRequest { method, host: None, path_and_query, headers, body };
        let sent = self.upstream.send(request, PATIENCE).await;
        let mut answer = sent.map_err(|failure| self.unreachable(failure.kind))?;
        let status = answer.status();
        let body = answer.whole(MAX_ANSWER_BYTES, PATIENCE).await;
        let body = body.map_err(|_lost| self.unreachable(SendFailureKind::Broken))?;
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    fn unreachable(&self, kind: SendFailureKind) -> NoAnswer {
        let url = self.address();
        let is_nobody_there = matches!(kind, SendFailureKind::NotConnected);
        let text = match kind {
            SendFailureKind::NotConnected => format!(
                "No gateway answers at {} ({}). Is it running? Start one with `keygate serve`, or name the one that \
                 runs with --url.",
                place_of(&self.url),
                self.named_by
            ),
            SendFailureKind::Broken => format!(
                "{url} closed the connection ({}). Is it a gateway? One with server.tls is named with --url \
                 https://HOST:PORT.",
                self.named_by
            ),
            SendFailureKind::TimedOut => format!(
                "{url} did not answer within {} s ({}). Is it a gateway? Its log may tell what holds it up.",
                PATIENCE.as_secs(),
                self.named_by
            ),
        };
        NoAnswer { is_nobody_there, ..NoAnswer::unavailable(text) }
    }

    fn refused(&self, status: StatusCode, body: &Value) -> NoAnswer {
        let url = self.address();
        let Some(detail) = body["detail"].as_str() else {
            let text = format!(
                "{url} answered with status {} and not as a gateway of this version does.",
                status.as_u16()
            );
            return NoAnswer::unavailable(text);
        };
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            let whose = if self.token.is_some() { "the one in" } else { "set" };
            return NoAnswer::usage(format!("{detail} ({whose} {TOKEN_VARIABLE})"));
        }
        if status.is_client_error() { NoAnswer::usage(detail) } else { NoAnswer::unavailable(detail) }
    }
}

fn waiting_for<T>(work: impl Future<Output = Result<T, NoAnswer>>) -> Result<T, NoAnswer> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| NoAnswer::internal(error.to_string()))?.block_on(work)
}

fn secret(token: &str) -> Result<HeaderValue, NoAnswer> {
    let invalid = |_| NoAnswer::usage(format!("{TOKEN_VARIABLE} holds what cannot be sent as a header."));
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.trim())).map_err(invalid)?;
    value.set_sensitive(true);
    Ok(value)
}

fn named(text: &str) -> Result<Url, NoAnswer> {
    // `localhost:8080` alone would be read as the scheme `localhost`.
    let scheme = if text.contains("://") { "" } else { "http://" };
    match Url::parse(&format!("{scheme}{text}")) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        Ok(_) | Err(_) => {
            Err(NoAnswer::usage("--url is not the address of a gateway, such as http://127.0.0.1:8080."))
        }
    }
}

/// `127.0.0.1:8080`, also where the port is the usual one.
fn place_of(url: &Url) -> String {
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default());
    format!("{host}:{port}")
}

/// Where a gateway with this configuration can be reached from here, and where that is said.
fn configured(request: LoadRequest) -> Result<(Url, String), NoAnswer> {
    let (bind, place) = keygate_config::read_bind(request)
        .map_err(|problems| NoAnswer::usage(format!("{problems}\nOr name the gateway with --url.")))?;
    if bind.port() == 0 {
        let text = "server.bind names no port, so the gateway cannot be found by it: name it with --url.";
        return Err(NoAnswer { is_nobody_there: true, ..NoAnswer::usage(text) });
    }
    Ok((named(&format!("http://{}", reachable(bind)))?, format!("server.bind, {place}")))
}

/// A gateway that listens everywhere is here, too.
fn reachable(bind: SocketAddr) -> SocketAddr {
    let ip = match bind.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, bind.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_that_listens_everywhere_is_found_on_loopback() {
        let reach = |bind: &str| reachable(bind.parse().unwrap()).to_string();
        assert_eq!(reach("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(reach("[::]:8080"), "[::1]:8080");
        assert_eq!(reach("192.0.2.7:80"), "192.0.2.7:80");
    }

    #[test]
    fn a_place_has_its_port_also_where_it_is_the_usual_one() {
        let place = |text: &str| named(text).ok().map(|url| place_of(&url));
        assert_eq!(place("http://gateway.example").as_deref(), Some("gateway.example:80"));
        assert_eq!(place("https://[::1]/base").as_deref(), Some("[::1]:443"));
        assert_eq!(place("127.0.0.1:8080").as_deref(), Some("127.0.0.1:8080"));
    }

    #[test]
    fn an_address_may_come_without_its_scheme() {
        let url = |text: &str| named(text).ok().map(|url| url.to_string());
        assert_eq!(url("localhost:8080").as_deref(), Some("http://localhost:8080/"));
        assert_eq!(url("https://gateway.example/base").as_deref(), Some("https://gateway.example/base"));
        assert_eq!(url("ftp://gateway.example"), None);
        assert_eq!(url(""), None);
    }
}
