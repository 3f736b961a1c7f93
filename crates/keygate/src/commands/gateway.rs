//! Talking to a gateway that runs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
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

/// Largest answer read, in bytes: some hundred of them for each of a hundred thousand keys.
const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// The variable that holds the admin token, here as for the gateway itself.
const TOKEN_VARIABLE: &str = "KEYGATE_ADMIN_TOKEN";

/// Why there is no answer, for people, and how the command ends for it.
pub(super) struct NoAnswer {
    pub(super) exit: Exit,
    pub(super) text: String,
}

impl NoAnswer {
    fn usage(text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, text: text.into() }
    }

    fn unavailable(text: impl Into<String>) -> Self {
        Self { exit: Exit::Unavailable, text: text.into() }
    }
}

/// A gateway that runs, or should.
pub(super) struct Gateway {
    url: Url,
    upstream: Upstream,
    token: Option<HeaderValue>,
}

impl Gateway {
    /// The gateway that is meant.
    pub(super) fn find(wanted: &RunningGateway) -> Result<Self, NoAnswer> {
        let environment = environment::read();
        let token = environment.get(TOKEN_VARIABLE).filter(|token| !token.trim().is_empty());
        let token = token.map(|token| secret(token)).transpose()?;
        let url = match &wanted.url {
            Some(url) => named(url)?,
            None => configured(LoadRequest {
                config: wanted.config.clone(),
                working_dir: std::env::current_dir().unwrap_or_default(),
                environment,
                ..LoadRequest::default()
            })?,
        };
        let client = UpstreamClient::new(ClientSettings::default())
            .map_err(|error| NoAnswer { exit: Exit::Internal, text: error.to_string() })?;
        Ok(Self { upstream: client.upstream(url.clone()), url, token })
    }

    /// What `GET path_and_query` answers.
    pub(super) fn get(&self, path_and_query: &str) -> Result<Value, NoAnswer> {
        self.answer(Method::GET, path_and_query)
    }

    /// What `POST path_and_query` without a body answers.
    pub(super) fn post(&self, path_and_query: &str) -> Result<Value, NoAnswer> {
        self.answer(Method::POST, path_and_query)
    }

    fn answer(&self, method: Method, path_and_query: &str) -> Result<Value, NoAnswer> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| NoAnswer { exit: Exit::Internal, text: error.to_string() })?;
        runtime.block_on(self.ask(method, path_and_query))
    }

    async fn ask(&self, method: Method, path_and_query: &str) -> Result<Value, NoAnswer> {
        let mut headers = HeaderMap::new();
        headers.extend(self.token.clone().map(|token| (http::header::AUTHORIZATION, token)));
        let path_and_query = path_and_query.to_owned();
        let request = UpstreamRequest { method, host: None, path_and_query, headers, body: Bytes::new() };
        let sent = self.upstream.send(request, PATIENCE).await;
        let mut answer = sent.map_err(|failure| self.unreachable(failure.kind))?;
        let status = answer.status();
        let body = answer.whole(MAX_ANSWER_BYTES, PATIENCE).await;
        let body = body.map_err(|_lost| self.unreachable(SendFailureKind::Broken))?;
        match serde_json::from_slice::<Value>(&body) {
            Ok(body) if status == StatusCode::OK => Ok(body),
            Ok(body) => Err(self.refused(status, &body)),
            Err(_) => Err(self.refused(status, &Value::Null)),
        }
    }

    fn unreachable(&self, kind: SendFailureKind) -> NoAnswer {
        let url = self.url.as_str().trim_end_matches('/');
        NoAnswer::unavailable(match kind {
            SendFailureKind::NotConnected => format!(
                "No gateway answers at {url}. Start one with `keygate serve`, or name the one that runs with --url."
            ),
            SendFailureKind::Broken => format!("{url} closed the connection. Is it a gateway?"),
            SendFailureKind::TimedOut => format!("{url} did not answer within {} s.", PATIENCE.as_secs()),
        })
    }

    fn refused(&self, status: StatusCode, body: &Value) -> NoAnswer {
        let url = self.url.as_str().trim_end_matches('/');
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

/// Where a gateway with this configuration can be reached from here.
fn configured(request: LoadRequest) -> Result<Url, NoAnswer> {
    let bind = keygate_config::read_bind(request)
        .map_err(|problems| NoAnswer::usage(format!("{problems}\nOr name the gateway with --url.")))?;
    if bind.port() == 0 {
        let text = "server.bind names no port, so the gateway cannot be found by it: name it with --url.";
        return Err(NoAnswer::usage(text));
    }
    named(&format!("http://{}", reachable(bind)))
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
    fn an_address_may_come_without_its_scheme() {
        let url = |text: &str| named(text).ok().map(|url| url.to_string());
        assert_eq!(url("localhost:8080").as_deref(), Some("http://localhost:8080/"));
        assert_eq!(url("https://gateway.example/base").as_deref(), Some("https://gateway.example/base"));
        assert_eq!(url("ftp://gateway.example"), None);
        assert_eq!(url(""), None);
    }
}
