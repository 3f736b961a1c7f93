//! Engines: hosts other than the API's, at which a running session is spoken with.
//!
//! Callers say which, in the path or in a whole address, and show nothing but the id of their session. So a host
//! is reached only if it is on the operator's list *and* that session was started there through this gateway.

use keygate_domain::{ErrorKind, Resource};
use keygate_provider::{CallRejected, EngineHost, ProviderOptions};

use crate::target::checked_id;

/// The kind of resource an engine is. Its name is that of the session, `@` and the host: who connects to it
/// knows both from the answer to the start.
const ENGINE: &str = "engine";

/// Most segments of a path at an engine.
const MOST_SEGMENTS: usize = 16;

/// Where at an engine something is to go, and for which session.
pub(crate) struct AtEngine<'a> {
    pub(crate) host: EngineHost,
    /// The path there.
    pub(crate) path: &'a str,
    pub(crate) session: Option<&'a str>,
}

impl<'a> AtEngine<'a> {
    /// Of `host/path` below one of the gateway's own paths, and the request's query.
    ///
    /// # Errors
    /// `Forbidden` when the host is not on the list.
    pub(crate) fn in_path(
        options: &ProviderOptions,
        below: &'a str,
        query: Option<&'a str>,
    ) -> Result<Self, CallRejected> {
        let (authority, path) = below.split_at(below.find('/').unwrap_or(below.len()));
        // Some clients escape the colon before a port.
        let authority = authority.replace("%3A", ":").replace("%3a", ":");
        let host = options.engine_hosts.find(&authority).ok_or_else(no_such_host)?;
        Ok(Self { host, path, session: session_of(query) })
    }

    /// Of a whole address.
    ///
    /// # Errors
    /// `Forbidden` when the host is not on the list.
    pub(crate) fn in_url(options: &ProviderOptions, url: &'a str) -> Result<Self, CallRejected> {
        let (host, rest) = options.engine_hosts.find_in_url(url).ok_or_else(no_such_host)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        Ok(Self { host, path, session: session_of(Some(query)) })
    }

    /// For this session where it names none itself.
    pub(crate) fn or_session(self, session: Option<&'a str>) -> Self {
        Self { session: self.session.or(session), ..self }
    }

    /// The session, which must be named.
    ///
    /// # Errors
    /// `BadRequest` when it is not, or cannot be one.
    pub(crate) fn checked_session(&self) -> Result<&'a str, CallRejected> {
        let missing =
            || CallRejected::new(ErrorKind::BadRequest, "session_id is missing: it names the session");
        checked_id(self.session.ok_or_else(missing)?)
    }
}

/// The engine of a session.
pub(crate) fn of_session(session: &str, host: &EngineHost) -> Resource {
    Resource::new(ENGINE, format!("{session}@{}", host.authority))
}

/// The session of an engine's name.
pub(crate) fn session_in(engine: &Resource) -> Option<&str> {
    engine.name.rsplit_once('@').map(|(session, _host)| session)
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

/// The session that a query names.
pub(crate) fn session_of(query: Option<&str>) -> Option<&str> {
    let pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(name, _)| *name == "session_id").map(|(_, value)| value)
}

fn no_such_host() -> CallRejected {
    CallRejected::new(
        ErrorKind::Forbidden,
        "this host is none of Anam's engines; operators list them in providers.anam.engine_hosts",
    )
}
