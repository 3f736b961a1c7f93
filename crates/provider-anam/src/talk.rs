//! What an avatar is to say: the one plain request that goes to an engine.

use http::Method;
use keygate_domain::ErrorKind;
use keygate_provider::{CallRejected, EngineHost, Inbound, ProviderOptions};

use crate::contract::TARGET_HEADER;
use crate::engine::{self, AtEngine};

/// Where engines are spoken with through the gateway: the host follows, then the path there.
pub(crate) const ENGINE_PATH: &str = "/engine/";
/// Where they are spoken with by clients that send the whole address in a header.
const TALK_PATH: &str = "/talk";

/// Something that an avatar is to say.
pub(crate) struct Spoken {
    pub(crate) host: EngineHost,
    path: String,
    pub(crate) session: String,
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
    let at = AtEngine::in_path(options, below, inbound.query);
    Some(at.and_then(|at| spoken(at, inbound)))
}

fn by_header(options: &ProviderOptions, inbound: &Inbound<'_>) -> Result<Spoken, CallRejected> {
    let rejected = |message: String| CallRejected::new(ErrorKind::BadRequest, message);
    let target = inbound.header(TARGET_HEADER).ok_or_else(|| {
        rejected(format!(
            "/talk needs the engine's address in {TARGET_HEADER}, as Anam's apiGateway option sends it"
        ))
    })?;
    let at = AtEngine::in_url(options, target)?;
    let in_query = engine::session_of(inbound.query);
    if at.session.is_some() && in_query.is_some() && in_query != at.session {
        return Err(rejected(format!("the query and {TARGET_HEADER} name different sessions")));
    }
    spoken(at.or_session(in_query), inbound)
}

fn spoken(at: AtEngine<'_>, inbound: &Inbound<'_>) -> Result<Spoken, CallRejected> {
    if !is_talk(at.path) {
        return Err(CallRejected::new(ErrorKind::NotFound, "of an engine only …/talk is served here"));
    }
    if inbound.method != Method::POST {
        return Err(CallRejected::new(ErrorKind::MethodNotAllowed, "use POST on this route"));
    }
    let session = at.checked_session()?.to_owned();
    Ok(Spoken { host: at.host, path: at.path.to_owned(), session })
}

impl Spoken {
    /// Path and query at the engine.
    pub(crate) fn target(&self) -> String {
        format!("{}?session_id={}", self.path, self.session)
    }
}

/// `/v1/webrtc/engines/<pod>/talk` or the like.
fn is_talk(path: &str) -> bool {
    path.ends_with(TALK_PATH) && engine::is_plain(path)
}
