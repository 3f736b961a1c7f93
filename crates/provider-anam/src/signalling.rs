//! Signalling: the WebSocket on which a client and its avatar's engine agree on media, and the only one.
//!
//! No client shows a credential on it: knowing the id of a session and the host of its engine is the right to
//! talk to both, if that session was started through this gateway (facts/anam.md A1.3, A3.1). The host comes
//! in the path (for clients that the gateway has led there) or in a whole address (Anam's `apiGateway`
//! option), and is reached only if it is on the operator's list.

use std::borrow::Cow;
use std::time::Duration;

use http::Method;
use keygate_domain::{
    Access, ErrorKind, Failure, Fault, Intent, Operation, Placement, Replay, Resource, Right, Spend,
    Streaming,
};
use keygate_provider::{
    CallRejected, Closing, Ended, EngineHost, Frame, Inbound, Metered, Parting, ProviderOptions, Refused,
    Sockets, Terms, Watcher,
};
use serde::Deserialize;

use crate::engine::{self, AtEngine};
use crate::routes::SESSION;
use crate::target::percent_decoded;

/// Connects to an engine.
pub(crate) const SIGNALLING: Operation = Operation("signalling");

/// Where the whole address is given, in the query: `/ws?target_url=wss%3A%2F%2F…`.
const BY_ADDRESS: &str = "/ws";
/// Where host and path are given: `/ws/connect.anam.ai/v1/…`.
const BY_PATH: &str = "/ws/";

/// How long a session goes on without a connection: clients come back after a change of networks, with 24
/// attempts in half a minute (facts/anam.md A1.3, A5).
const RECONNECT_GRACE: Duration = Duration::from_secs(30);

/// A safety net: an avatar is talked to for minutes.
const LONGEST: Duration = Duration::from_hours(24);

/// What the SDK wants to read at the beginning of a reason, to know that the far side closed
/// (facts/anam.md A3.1). With 1008 it does not come back, with another code it does.
const BACKEND: &str = "Backend WebSocket";

/// Anam's WebSockets.
pub(crate) struct Signalling;

/// A connection that is wanted.
pub(crate) struct Line {
    pub(crate) host: EngineHost,
    path: String,
    session: String,
}

/// Whether a path is that of signalling.
pub(crate) fn is_signalling(path: &str) -> bool {
    path == BY_ADDRESS || path.starts_with(BY_PATH)
}

/// Reads where the connection is to go.
///
/// # Errors
/// `Forbidden` for a host that is not on the list, else as [`keygate_provider::Provider::understand`].
pub(crate) fn find(options: &ProviderOptions, inbound: &Inbound<'_>) -> Result<Line, CallRejected> {
    if let Some(below) = inbound.path.strip_prefix(BY_PATH) {
        return line(AtEngine::in_path(options, below, inbound.query)?);
    }
    let target = inbound.query_pairs().find(|(name, _)| *name == "target_url");
    let target = target.map(|(_, value)| String::from_utf8(percent_decoded(value)));
    let Some(Ok(target)) = target else {
        let message = "/ws needs target_url, as Anam's apiGateway option sends it";
        return Err(CallRejected::new(ErrorKind::BadRequest, message));
    };
    line(AtEngine::in_url(options, &target)?)
}

fn line(at: AtEngine<'_>) -> Result<Line, CallRejected> {
    if !engine::is_plain(at.path) {
        let message = "the path at the engine must consist of plain segments";
        return Err(CallRejected::new(ErrorKind::BadRequest, message));
    }
    let session = at.checked_session()?.to_owned();
    Ok(Line { path: at.path.to_owned(), host: at.host, session })
}

/// Understands a request for a connection.
///
/// # Errors
/// As [`find`]; `BadRequest` and `MethodNotAllowed` for what is no WebSocket handshake.
pub(crate) fn understand(options: &ProviderOptions, inbound: &Inbound<'_>) -> Result<Intent, CallRejected> {
    if inbound.method != Method::GET {
        return Err(CallRejected::new(ErrorKind::MethodNotAllowed, "use GET on this route"));
    }
    if !inbound.header("upgrade").is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket")) {
        let message = "this is a WebSocket: connect with Upgrade: websocket";
        return Err(CallRejected::new(ErrorKind::BadRequest, message));
    }
    let Line { host, path, session } = find(options, inbound)?;
    Ok(Intent {
        operation: SIGNALLING,
        route: if inbound.path == BY_ADDRESS { "/ws" } else { "/ws/{host}/{path}" },
        target: format!("{path}?session_id={session}"),
        model: None,
        streaming: Streaming::Whole,
        // Two connections to a session are one session.
        replay: Replay::Safe,
        right: Right::Avatar,
        opens_session: false,
        // The start of the session has counted.
        user_units: 0,
        references: vec![engine::of_session(&session, &host)],
        placement: Placement::Any,
        access: Access::ReferenceAlone,
        estimate: Spend::default(),
        caller_deadline: inbound.server_timeout(),
    })
}

impl Sockets for Signalling {
    fn is_socket(&self, path: &str) -> bool {
        is_signalling(path)
    }

    fn terms(&self, intent: &Intent, inbound: &Inbound<'_>) -> Terms {
        Terms {
            opens_with_frame: false,
            // Only who uses the option reads codes; others take a connection that opens for a good one, and
            // come back at once when it closes.
            refuses_by_closing: inbound.path == BY_ADDRESS,
            is_session: false,
            about: session(intent).map(|session| (session, RECONNECT_GRACE)),
            longest: LONGEST,
        }
    }

    fn watcher(&self, intent: &Intent) -> Box<dyn Watcher> {
        Box::new(SignalWatcher { session: session(intent), is_over: false })
    }

    fn closing(&self, why: &Refused<'_>) -> Closing {
        let (status, is_final) = match why {
            Refused::Here(refusal, status) => {
                let will_pass = refusal.retry_after.is_some();
                (*status, (400..500).contains(status) && !will_pass)
            }
            Refused::There(status, _) => {
                (status.as_u16(), status.is_client_error() && status.as_u16() != 429)
            }
        };
        let code = if is_final { Closing::POLICY } else { Closing::INTERNAL };
        Closing::new(code, format!("{BACKEND} refused with status {status}"))
    }
}

/// The session of a connection.
fn session(intent: &Intent) -> Option<Resource> {
    Some(Resource::new(SESSION, engine::session_in(intent.references.first()?)?))
}

/// Looks for the end of the session, told by either side.
struct SignalWatcher {
    session: Option<Resource>,
    is_over: bool,
}

/// What is read of a message.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Signal<'a> {
    #[serde(borrow)]
    action_type: Option<Cow<'a, str>>,
}

impl SignalWatcher {
    fn look(&mut self, frame: Frame<'_>) {
        const END: &[u8] = b"endsession";
        // Most messages are heartbeats and sound: they are not read.
        let bytes = frame.bytes();
        if self.is_over
            || bytes.len() > 64 * 1024
            || !bytes.windows(END.len()).any(|part| part.eq_ignore_ascii_case(END))
        {
            return;
        }
        let signal: Option<Signal<'_>> = serde_json::from_slice(bytes).ok();
        let action = signal.and_then(|signal| signal.action_type);
        self.is_over = action.is_some_and(|action| action.eq_ignore_ascii_case("endsession"));
    }
}

impl Watcher for SignalWatcher {
    fn sent(&mut self, frame: Frame<'_>) {
        self.look(frame);
    }

    fn received(&mut self, frame: Frame<'_>) {
        self.look(frame);
    }

    /// An engine knows no key, and what it says of a session is the session's.
    fn failure(&self, closing: Option<&Closing>) -> Option<Failure> {
        let overloaded = closing.is_some_and(|closing| (1012..=1014).contains(&closing.code));
        overloaded.then(|| Failure::of(Fault::Overloaded))
    }

    fn told(&self, parting: Parting<'_>) -> Closing {
        match parting {
            Parting::Closed(Some(closing)) => closing.clone(),
            Parting::Closed(None) => Closing::new(Closing::NO_CODE, ""),
            Parting::Broken => Closing::new(Closing::INTERNAL, format!("{BACKEND} connection broke")),
            Parting::Leaving => {
                Closing::new(Closing::GOING_AWAY, format!("{BACKEND} closed: the gateway restarts"))
            }
            Parting::TooLong => {
                Closing::new(Closing::GOING_AWAY, format!("{BACKEND} connection lasted too long"))
            }
        }
    }

    fn finish(self: Box<Self>, _ended: Ended) -> Metered {
        Metered { ended: self.session.filter(|_| self.is_over), ..Metered::default() }
    }
}
