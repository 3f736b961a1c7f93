//! The routes served, and what each of them wants.

use http::Method;
use keygate_domain::{Access, ErrorKind, Intent, Operation, Replay, Resource, Right, Spend, Streaming};
use keygate_provider::{CallRejected, Inbound, KnownOperation};

use crate::target::{checked_id, target};
use crate::{references, session_token};

/// Mints a session token for a browser.
pub(crate) const MINT_SESSION_TOKEN: Operation = Operation("mint_session_token");
/// Starts an avatar session: this is what is billed and what concurrency is counted by.
pub(crate) const START_SESSION: Operation = Operation("start_session");
/// Asks how many sessions the organisation may still open.
pub(crate) const SESSION_CONCURRENCY: Operation = Operation("session_concurrency");
/// Ends a session.
pub(crate) const STOP_SESSION: Operation = Operation("stop_session");

/// All of them, the usual one first.
pub(crate) const KNOWN: [KnownOperation; 4] = [
    KnownOperation { opens_session: true, ..KnownOperation::plain(START_SESSION) },
    KnownOperation::plain(MINT_SESSION_TOKEN),
    KnownOperation::plain(SESSION_CONCURRENCY),
    KnownOperation::plain(STOP_SESSION),
];

/// Where tokens are minted, by clients and by a re-mint alike.
pub(crate) const MINT_PATH: &str = "/v1/auth/session-token";
const START_PATH: &str = "/v1/engine/session";
/// Where it is asked how many sessions are taken.
pub(crate) const CONCURRENCY_PATH: &str = "/v1/sessions/concurrency";
const STOP_ROUTE: &str = "/v1/sessions/{id}/stop";

/// What a caller of anything else is told.
const SERVED: &str = "not served here; served below /anam are POST /v1/auth/session-token, \
                      POST /v1/engine/session, GET /v1/sessions/concurrency and \
                      POST /v1/sessions/{id}/stop";

/// What a caller is told whose SDK put Python's `None` where the version belongs: pipecat does
/// so unless it is given a version.
const VERSION_MISSING: &str = "the path begins with /None: the client was given no api version; \
                               set api_version=\"v1\"";

/// The kind of resource a session is.
pub(crate) const SESSION: &str = "session";

/// Reads what the request wants.
///
/// # Errors
/// `NotFound`, `MethodNotAllowed` or `BadRequest`, as [`keygate_provider::Provider::understand`].
pub(crate) fn understand(inbound: &Inbound<'_>) -> Result<Intent, CallRejected> {
    match inbound.path {
        MINT_PATH => only(&Method::POST, inbound).and_then(|()| mint(inbound)),
        START_PATH => only(&Method::POST, inbound).and_then(|()| start(inbound)),
        CONCURRENCY_PATH => only(&Method::GET, inbound).and_then(|()| concurrency(inbound)),
        other => match session_to_stop(other) {
            Some(id) => only(&Method::POST, inbound).and_then(|()| stop(id, inbound)),
            None => Err(unknown(other)),
        },
    }
}

/// May be sent again after a broken connection: a token nobody received starts nothing, costs
/// nothing, takes no slot and lapses by itself.
fn mint(inbound: &Inbound<'_>) -> Result<Intent, CallRejected> {
    Ok(Intent {
        replay: Replay::Safe,
        references: references::in_body(inbound.body),
        ..intent(MINT_SESSION_TOKEN, MINT_PATH, MINT_PATH, inbound)?
    })
}

/// Never sent twice on a guess: a start that was lost on the way back may be running, billed.
fn start(inbound: &Inbound<'_>) -> Result<Intent, CallRejected> {
    let own_token = inbound.bearer().filter(|bearer| session_token::is_session_token(bearer));
    let references = own_token.map_or_else(
        || references::in_body(inbound.body),
        // Anam starts by the snapshot in the token; what else the body names is not looked at.
        |token| vec![session_token::resource(token)],
    );
    Ok(Intent {
        opens_session: true,
        references,
        access: if own_token.is_some() { Access::OwnCredential } else { Access::Token },
        ..intent(START_SESSION, START_PATH, START_PATH, inbound)?
    })
}

fn concurrency(inbound: &Inbound<'_>) -> Result<Intent, CallRejected> {
    Ok(Intent {
        replay: Replay::Safe,
        user_units: 0,
        ..intent(SESSION_CONCURRENCY, CONCURRENCY_PATH, CONCURRENCY_PATH, inbound)?
    })
}

/// May be sent again: a session stopped twice is as stopped as one stopped once. At worst the
/// second answer says that it is gone.
fn stop(id: &str, inbound: &Inbound<'_>) -> Result<Intent, CallRejected> {
    let id = checked_id(id)?;
    Ok(Intent {
        replay: Replay::Safe,
        user_units: 0,
        references: vec![Resource::new(SESSION, id)],
        ..intent(STOP_SESSION, STOP_ROUTE, &STOP_ROUTE.replace("{id}", id), inbound)?
    })
}

/// What all routes have in common; the cautious value wherever they differ.
fn intent(
    operation: Operation,
    route: &'static str,
    path: &str,
    inbound: &Inbound<'_>,
) -> Result<Intent, CallRejected> {
    Ok(Intent {
        operation,
        route,
        target: target(path, inbound)?,
        model: None,
        streaming: Streaming::Whole,
        replay: Replay::OnlyIfRefused,
        right: Right::Avatar,
        opens_session: false,
        user_units: 1,
        references: Vec::new(),
        access: Access::Token,
        estimate: Spend { requests: 1, ..Spend::default() },
        caller_deadline: inbound.server_timeout(),
    })
}

fn session_to_stop(path: &str) -> Option<&str> {
    let id = path.strip_prefix("/v1/sessions/")?.strip_suffix("/stop")?;
    (!id.contains('/')).then_some(id)
}

fn only(allowed: &Method, inbound: &Inbound<'_>) -> Result<(), CallRejected> {
    if inbound.method == allowed {
        return Ok(());
    }
    Err(CallRejected::new(ErrorKind::MethodNotAllowed, format!("use {allowed} on this route")))
}

fn unknown(path: &str) -> CallRejected {
    let message = if path.starts_with("/None/") { VERSION_MISSING } else { SERVED };
    CallRejected::new(ErrorKind::NotFound, message)
}
