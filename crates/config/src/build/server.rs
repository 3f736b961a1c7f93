//! `server:`.

use std::time::Duration;

use url::Url;

use super::{Judge, tls};
use crate::config::{CorsConfig, ServerConfig};
use crate::schema::ServerSection;

/// More threads than this only fight for the processor.
const MAX_WORKERS: u32 = 256;

/// Bodies are held in memory, so their size is bounded whatever is configured.
const MAX_BODY: u64 = 4 << 30;

/// Uploads are not held in memory: this is against a slip of the hand.
const MAX_UPLOAD: u64 = 64 << 30;

/// No load balancer takes longer to notice, and whoever stops a gateway waits for it.
const MAX_SHUTDOWN_DELAY: Duration = Duration::from_mins(10);

pub(super) fn build(section: &ServerSection, judge: &mut Judge<'_>) -> ServerConfig {
    judge.require(section.workers.0.get() <= MAX_WORKERS, "server.workers", "is more than 256", "lower it");
    judge.require(
        (1024..=MAX_BODY).contains(&section.max_body.0.0),
        "server.max_body",
        "is not between 1KiB and 4GiB",
        "the default is 110MiB, which takes Google's largest inline request",
    );
    judge.require(
        (1024..=MAX_UPLOAD).contains(&section.max_upload.0.0),
        "server.max_upload",
        "is not between 1KiB and 64GiB",
        "the default is 2GiB, the largest file Google takes",
    );
    judge.require(
        section.public_url.0.as_ref().is_none_or(is_plain_address),
        "server.public_url",
        "is not a plain http or https address",
        "for example: https://ai.example.com, without user, query and fragment",
    );
    judge.require(
        section.request_head_timeout.0 > Duration::ZERO,
        "server.request_head_timeout",
        "leaves no time at all",
        "the default is 10s",
    );
    judge.require(
        section.shutdown_delay.0 <= MAX_SHUTDOWN_DELAY,
        "server.shutdown_delay",
        "is more than 10m",
        "give load balancers as long as they take to notice, such as 5s",
    );
    ServerConfig {
        bind: section.bind.0,
        tls: tls::build(&section.tls, judge),
        workers: section.workers.0,
        max_body: section.max_body.0.0,
        max_upload: section.max_upload.0.0,
        public_url: section.public_url.0.clone(),
        shutdown_delay: section.shutdown_delay.0,
        shutdown_grace: section.shutdown_grace.0,
        status_public: section.status_public.0,
        max_connections: section.max_connections.0,
        request_head_timeout: section.request_head_timeout.0,
        cors: cors(section, judge),
    }
}

fn is_plain_address(url: &Url) -> bool {
    let names_a_host = matches!(url.scheme(), "http" | "https") && url.has_host();
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    names_a_host && !has_credentials && url.query().is_none() && url.fragment().is_none()
}

fn cors(section: &ServerSection, judge: &mut Judge<'_>) -> CorsConfig {
    let origins: Vec<&str> = section.cors.allow_origins.iter().map(|origin| origin.0.trim()).collect();
    if origins.contains(&"*") {
        return CorsConfig::Everybody;
    }
    for origin in &origins {
        let what = format!("has {origin:?}, which is no origin");
        let remedy = "write scheme, host and port as browsers do: https://app.example.com";
        judge.require(is_origin(origin), "server.cors.allow_origins", &what, remedy);
    }
    if origins.is_empty() {
        return CorsConfig::Nobody;
    }
    CorsConfig::Origins(origins.into_iter().map(str::to_owned).collect())
}

/// Whether browsers would write an origin so (RFC 6454 §6.2): nothing behind the host but a port.
fn is_origin(text: &str) -> bool {
    !text.contains('*')
        && Url::parse(text)
            .is_ok_and(|url| url.origin().is_tuple() && url.origin().ascii_serialization() == text)
}
