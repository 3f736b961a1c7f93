//! The routes served, and what each of them wants.

mod table;

use std::time::Duration;

use http::Method;
use keygate_domain::{
    Access, ErrorKind, GroupId, Intent, Operation, Placement, Resource, Right, Spend, Streaming,
};
use keygate_provider::{CallRejected, Inbound, KnownOperation, ProviderOptions};

pub(crate) use table::{Creates, KEPT, Row};

use crate::target::{checked_id, target};
use crate::{contract, engine, references, session_token, talk};

/// Mints a session token for a browser.
pub(crate) const MINT_SESSION_TOKEN: Operation = Operation("mint_session_token");
/// Starts an avatar session: this is what is billed and what concurrency is counted by.
pub(crate) const START_SESSION: Operation = Operation("start_session");
/// Asks how many sessions the organisation may still open.
pub(crate) const SESSION_CONCURRENCY: Operation = Operation("session_concurrency");
/// Ends a session.
pub(crate) const STOP_SESSION: Operation = Operation("stop_session");
/// Ends a session, as it was done before there was a stop.
pub(crate) const KILL_SESSION: Operation = Operation("kill_session");
/// Looks at a session.
pub(crate) const GET_SESSION: Operation = Operation("get_session");
/// Lets an avatar say something.
pub(crate) const TALK: Operation = Operation("talk");

/// Where tokens are minted, by clients and by a re-mint alike.
pub(crate) const MINT_PATH: &str = "/v1/auth/session-token";
/// Where sessions are listed.
pub(crate) const SESSIONS_PATH: &str = "/v1/sessions";
const START_PATH: &str = "/v1/engine/session";
/// Where it is asked how many sessions are taken.
pub(crate) const CONCURRENCY_PATH: &str = "/v1/sessions/concurrency";
/// Where browsers report how they fare.
const METRICS_PATH: &str = "/v1/metrics/client";
/// The one route at which a token of its own stands in for the key.
const DOCUMENTS_ROUTE: &str = "/v1/knowledge/groups/{id}/documents";

/// What stands for an id in a route.
const ID: &str = "{id}";

/// The kind of resource a session is.
pub(crate) const SESSION: &str = "session";

/// The longest a start may take. Anam's JavaScript SDK gives up after 10 s and starts a second, billed
/// session: whatever an operator allows other calls, an answer later than that does harm.
pub(crate) const START_TIMEOUT: Duration = Duration::from_secs(8);

/// The header in which a caller names the organisation.
const GROUP_HEADER: &str = "x-keygate-group";
/// The header that may stand in for a key where documents are uploaded.
pub(crate) const UPLOAD_TOKEN: &str = "x-upload-token";

/// All operations, the usual one first.
pub(crate) static KNOWN: [KnownOperation; table::ROWS.len() + 1] = known();

const fn known() -> [KnownOperation; table::ROWS.len() + 1] {
    let mut known = [KnownOperation::plain(TALK); table::ROWS.len() + 1];
    let mut place = 0;
    while place < table::ROWS.len() {
        known[place] = KnownOperation::plain(table::ROWS[place].operation);
        place += 1;
    }
    known[0].opens_session = true;
    known
}

/// The row of an operation, if it is one of the API's.
pub(crate) fn row_of(operation: Operation) -> Option<&'static Row> {
    table::ROWS.iter().find(|row| row.operation == operation)
}

/// Whether an operation ends the session it names.
pub(crate) fn ends_session(operation: Operation) -> bool {
    operation == STOP_SESSION || operation == KILL_SESSION
}

/// Whether an operation deletes what its path names.
pub(crate) fn deletes(row: &Row) -> bool {
    row.method == Method::DELETE.as_str()
}

/// The path that ends a session.
pub(crate) fn stop_path(session: &str) -> String {
    format!("/v1/sessions/{session}/stop")
}

/// The status that answers what browsers report of themselves. They send no credential with it and look at
/// no answer, and what they tell of the organisation is nobody's business but the gateway's: it ends here.
pub(crate) fn answers_alone(method: &Method, path: &str) -> Option<u16> {
    (path == METRICS_PATH && method == Method::POST).then_some(204)
}

/// Reads what the request wants.
///
/// # Errors
/// `NotFound`, `MethodNotAllowed`, `BadRequest` or `Forbidden`, as [`keygate_provider::Provider::understand`].
pub(crate) fn understand(options: &ProviderOptions, inbound: &Inbound<'_>) -> Result<Intent, CallRejected> {
    if let Some(spoken) = talk::find(options, inbound) {
        return Ok(spoken?.intent(inbound));
    }
    contract::check(inbound)?;
    let (row, id) = find(inbound)?;
    let path = row.route.replace(ID, id.unwrap_or_default());
    let intent = intent(row, &path, inbound)?;
    let named = row.names.zip(id).map(|(kind, id)| Resource::new(kind, id));
    match row.operation {
        START_SESSION => start(options, inbound, intent),
        _ if row.route == DOCUMENTS_ROUTE && has_upload_token(inbound) => {
            Ok(Intent { access: Access::OwnCredential, references: named.into_iter().collect(), ..intent })
        }
        _ => {
            let in_body = references::in_body(options, inbound.body);
            let references = named.into_iter().chain(in_body).collect();
            Ok(Intent { references, placement: placement(options, row, inbound)?, ..intent })
        }
    }
}

fn start(options: &ProviderOptions, inbound: &Inbound<'_>, intent: Intent) -> Result<Intent, CallRejected> {
    let patience = intent.caller_deadline.map_or(START_TIMEOUT, |asked| asked.min(START_TIMEOUT));
    let intent = Intent { opens_session: true, caller_deadline: Some(patience), ..intent };
    let own_token = inbound.bearer().filter(|bearer| session_token::is_session_token(bearer));
    // Anam starts by the snapshot in the token; what else the body names is not looked at.
    if let Some(token) = own_token {
        let references = vec![session_token::resource(token)];
        return Ok(Intent { access: Access::OwnCredential, references, ..intent });
    }
    let placement = named_group(inbound)?.map_or(Placement::Any, Placement::In);
    Ok(Intent { references: references::in_body(options, inbound.body), placement, ..intent })
}

/// What all routes have in common.
fn intent(row: &Row, path: &str, inbound: &Inbound<'_>) -> Result<Intent, CallRejected> {
    Ok(Intent {
        operation: row.operation,
        route: row.route,
        target: target(path, inbound)?,
        model: None,
        streaming: Streaming::Whole,
        replay: row.replay,
        right: row.right,
        opens_session: false,
        user_units: row.units,
        references: Vec::new(),
        placement: Placement::Any,
        access: Access::Token,
        estimate: Spend { requests: 1, ..Spend::default() },
        caller_deadline: inbound.server_timeout(),
    })
}

/// The organisation the caller names; else for what one organisation keeps the one configured for it.
fn placement(options: &ProviderOptions, row: &Row, inbound: &Inbound<'_>) -> Result<Placement, CallRejected> {
    Ok(match named_group(inbound)? {
        Some(group) => Placement::In(group),
        None if row.is_settled => Placement::Settled(options.management_group.clone()),
        None => Placement::Any,
    })
}

fn named_group(inbound: &Inbound<'_>) -> Result<Option<GroupId>, CallRejected> {
    let Some(value) = inbound.headers.get(GROUP_HEADER) else { return Ok(None) };
    let name = value.to_str().ok().map(str::trim).filter(|name| !name.is_empty() && name.len() <= 256);
    let unreadable =
        || CallRejected::new(ErrorKind::BadRequest, format!("{GROUP_HEADER} must name an organisation"));
    name.map(|name| Some(GroupId::new(name))).ok_or_else(unreadable)
}

fn has_upload_token(inbound: &Inbound<'_>) -> bool {
    inbound.method == Method::POST && inbound.headers.contains_key(UPLOAD_TOKEN) && inbound.bearer().is_none()
}

/// The row of a request, and the id in its path.
fn find<'p>(inbound: &Inbound<'p>) -> Result<(&'static Row, Option<&'p str>), CallRejected> {
    if let Some(retired) = retired(inbound.path) {
        return Err(CallRejected::new(ErrorKind::NotFound, retired));
    }
    let mut fitting =
        table::ROWS.iter().filter_map(|row| Some((row, fit(row.route, inbound.path)?))).peekable();
    let first = fitting.peek().map(|(row, _)| row.route);
    let Some(first) = first else { return Err(unknown(inbound.path)) };
    let mut allowed = Vec::new();
    for (row, id) in fitting.filter(|(row, _)| row.route == first) {
        if row.method == inbound.method.as_str() {
            let id = row.route.contains(ID).then(|| checked_id(id)).transpose();
            return id.map(|id| (row, id));
        }
        allowed.push(row.method);
    }
    let allowed = allowed.join(" or ");
    Err(CallRejected::new(ErrorKind::MethodNotAllowed, format!("use {allowed} on this route")))
}

/// The id in a path, if it is of this route; the empty one of a route without.
fn fit<'p>(route: &str, path: &'p str) -> Option<&'p str> {
    let Some((before, after)) = route.split_once(ID) else { return (route == path).then_some("") };
    let id = path.strip_prefix(before)?.strip_suffix(after)?;
    (!id.contains('/')).then_some(id)
}

/// What a caller of a route is told that Anam has taken out of service.
fn retired(path: &str) -> Option<&'static str> {
    let presets = path == "/v1/personas/presets" || path.starts_with("/v1/personas/presets/");
    presets.then_some(
        "presets of personas are retired; list personas with GET /v1/personas, and give the avatar in \
         personaConfig of POST /v1/auth/session-token",
    )
}

/// What a caller of anything else is told.
const SERVED: &str = "not served here; served below /anam are POST /v1/auth/session-token, \
                      POST /v1/engine/session, /v1/sessions, /v1/personas, /v1/avatars, /v1/voices, /v1/llms, \
                      /v1/tools, /v1/knowledge, /v1/share-links and /v1/meetings/invites";

/// What a caller is told whose SDK put Python's `None` where the version belongs: pipecat does
/// so unless it is given a version.
const VERSION_MISSING: &str = "the path begins with /None: the client was given no api version; \
                               set api_version=\"v1\"";

fn unknown(path: &str) -> CallRejected {
    let message = if path.starts_with("/None/") { VERSION_MISSING } else { SERVED };
    CallRejected::new(ErrorKind::NotFound, message)
}

impl talk::Spoken {
    fn intent(self, inbound: &Inbound<'_>) -> Intent {
        Intent {
            operation: TALK,
            route: "/engine/{host}/talk",
            target: self.target(),
            model: None,
            streaming: Streaming::Whole,
            // Nobody wants to hear a sentence twice.
            replay: keygate_domain::Replay::OnlyIfRefused,
            right: Right::Avatar,
            opens_session: false,
            user_units: 0,
            references: vec![engine::of_session(&self.session, &self.host)],
            placement: Placement::Any,
            access: Access::ReferenceAlone,
            estimate: Spend { requests: 1, ..Spend::default() },
            caller_deadline: inbound.server_timeout(),
        }
    }
}
