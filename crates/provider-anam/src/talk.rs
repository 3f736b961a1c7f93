//! Speaking with an engine: the one request that goes to another host than the API's.
//!
//! Callers say which, in the path or in a header, and show nothing but the id of their session. So a host is
//! reached only if it is on the operator's list *and* that session was started there through this gateway.

use http::Method;
use keygate_domain::{ErrorKind, Resource};
use keygate_provider::{CallRejected, EngineHost, Inbound, ProviderOptions};

use crate::contract::TARGET_HEADER;
use crate::target::checked_id;

/// The kind of resource an engine is. Its name is that of the session, `@` and the host: who connects to it
/// (here, or by WebSocket) knows both from the answer to the start.
const ENGINE: &str = "engine";

/// Where engines are spoken with through the gateway: the host follows, then the path there.
pub(crate) const ENGINE_PATH: &str = "/engine/";
/// Where they are spoken with by clients that send the whole address in a header.
const TALK_PATH: &str = "/talk";

/// Most segments of a path at an engine.
const MOST_SEGMENTS: usize = 16;

/// Something that an avatar is to say.
pub(crate) struct Spoken {
    pub(crate) host: EngineHost,
    path: String,
    pub(crate) session: String,
}

/// The engine of a session.
pub(crate) fn engine(session: &str, host: &EngineHost) -> Resource {
    Resource::new(ENGINE, format!("{session}@{}", host.authority))
}

/// What is to be said, if that is what the request is about.
///
/// # Errors
/// `Forbidden` when the host is not on the list, else as [`keygate_provider::Provider::understand`].
pub(crate) fn find(options: &ProviderOptions, inbound: &Inbound<'_>) -> Option<Result<Spoken, CallRejected>> {
    if inbound.path == TALK_PATH {
        return Some(by_header(options, inbound));
    }
    // A host and a path there. The API's own routes begin with a version.
    let below = inbound.path.strip_prefix(ENGINE_PATH).filter(|below| below.contains('/'))?;
    Some(by_path(options, inbound, below))
}

fn by_path(options: &ProviderOptions, inbound: &Inbound<'_>, below: &str) -> Result<Spoken, CallRejected> {
    let (authority, path) = below.split_at(below.find('/').unwrap_or(below.len()));
    // Some clients escape the colon before a port.
    let authority = authority.replace("%3A", ":").replace("%3a", ":");
    let host = options.engine_hosts.find(&authority).ok_or_else(no_such_host)?;
    spoken(host, path, session_of(inbound.query), inbound)
}

fn by_header(options: &ProviderOptions, inbound: &Inbound<'_>) -> Result<Spoken, CallRejected> {
    let target = inbound.header(TARGET_HEADER).ok_or_else(|| {
        CallRejected::new(
            ErrorKind::BadRequest,
            format!(
                "/talk needs the engine's address in {TARGET_HEADER}, as Anam's apiGateway option sends it"
            ),
        )
    })?;
    let (host, rest) = options.engine_hosts.find_in_url(target).ok_or_else(no_such_host)?;
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let session = session_of(Some(query));
    if session.is_some() && session_of(inbound.query).is_some_and(|other| Some(other) != session) {
        return Err(CallRejected::new(
            ErrorKind::BadRequest,
            format!("the query and {TARGET_HEADER} name different sessions"),
        ));
    }
    spoken(host, path, session.or_else(|| session_of(inbound.query)), inbound)
}

fn spoken(
    host: EngineHost,
    path: &str,
    session: Option<&str>,
    inbound: &Inbound<'_>,
) -> Result<Spoken, CallRejected> {
    if !is_talk(path) {
        return Err(CallRejected::new(ErrorKind::NotFound, "of an engine only …/talk is served here"));
    }
    if inbound.method != Method::POST {
        return Err(CallRejected::new(ErrorKind::MethodNotAllowed, "use POST on this route"));
    }
    let session = session.ok_or_else(|| {
        CallRejected::new(
            ErrorKind::BadRequest,
            "session_id is missing: it names the session that is to talk",
        )
    })?;
    Ok(Spoken { host, path: path.to_owned(), session: checked_id(session)?.to_owned() })
}

impl Spoken {
    /// Path and query at the engine.
    pub(crate) fn target(&self) -> String {
        format!("{}?session_id={}", self.path, self.session)
    }
}

/// `/v1/webrtc/engines/<pod>/talk` or the like.
fn is_talk(path: &str) -> bool {
    path.ends_with(TALK_PATH) && is_plain(path)
}

/// Nothing that could mean another path to somebody on the way.
pub(crate) fn is_plain(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let is_segment = |segment: &str| {
        !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(plain)
    };
    let Some(below) = path.strip_prefix('/') else { return false };
    below.split('/').count() <= MOST_SEGMENTS && below.split('/').all(is_segment)
}

pub(crate) fn session_of(query: Option<&str>) -> Option<&str> {
    let pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(name, _)| *name == "session_id").map(|(_, value)| value)
}

pub(crate) fn no_such_host() -> CallRejected {
    CallRejected::new(
        ErrorKind::Forbidden,
        "this host is none of Anam's engines; operators list them in providers.anam.engine_hosts",
    )
}
