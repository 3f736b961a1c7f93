//! The paths of Live, and what a request for one wants.

use http::Method;
use keygate_domain::{Access, ErrorKind, Intent, Operation, Placement, Replay, Right, Spend, Streaming};
use keygate_provider::{CallRejected, Inbound};

use super::{LIVE, LIVE_MUSIC, token};
use crate::{query, references};

const SERVICE: &str = "/ws/google.ai.generativelanguage.";

/// A method of the service that speaks over a WebSocket.
struct Dialogue {
    method: &'static str,
    operation: Operation,
    template: &'static str,
}

const DIALOGUES: [Dialogue; 3] = [
    Dialogue {
        method: "BidiGenerateContent",
        operation: LIVE,
        template: "/ws/google.ai.generativelanguage.{version}.GenerativeService.BidiGenerateContent",
    },
    Dialogue {
        method: "BidiGenerateContentConstrained",
        operation: LIVE,
        template: "/ws/google.ai.generativelanguage.{version}.GenerativeService.BidiGenerateContentConstrained",
    },
    Dialogue {
        method: "BidiGenerateMusic",
        operation: LIVE_MUSIC,
        template: "/ws/google.ai.generativelanguage.{version}.GenerativeService.BidiGenerateMusic",
    },
];

/// Whether a path is that of a dialogue.
pub(crate) fn is_live(path: &str) -> bool {
    find(path).is_some()
}

/// Understands a request for a dialogue. What it wants beyond that is in its first frame.
///
/// # Errors
/// `MethodNotAllowed` and `BadRequest` for what is no WebSocket handshake, `NotFound` for another path.
pub(crate) fn understand(inbound: &Inbound<'_>) -> Result<Intent, CallRejected> {
    let dialogue = find(inbound.path).ok_or_else(|| {
        CallRejected::new(ErrorKind::NotFound, "There is no WebSocket of this name in the Gemini API.")
    })?;
    if inbound.method != Method::GET {
        let message = format!("{} takes GET, not {}.", dialogue.template, inbound.method);
        return Err(CallRejected::new(ErrorKind::MethodNotAllowed, message));
    }
    if !inbound.header("upgrade").is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket")) {
        let message = "This is a WebSocket: connect with `Upgrade: websocket`.";
        return Err(CallRejected::new(ErrorKind::BadRequest, message));
    }
    let own = token::own_token(inbound);
    Ok(Intent {
        operation: dialogue.operation,
        route: dialogue.template,
        target: query::target(inbound.path.to_owned(), inbound.query),
        model: None,
        streaming: Streaming::Events,
        // Until the provider has taken a caller in, nothing but a connection exists.
        replay: Replay::Safe,
        right: Right::Live,
        opens_session: true,
        user_units: 1,
        references: own.as_deref().map(references::auth_token).into_iter().collect(),
        placement: Placement::Any,
        access: if own.is_some() { Access::OwnCredential } else { Access::Token },
        estimate: Spend { requests: 1, ..Spend::default() },
        caller_deadline: inbound.server_timeout(),
    })
}

fn find(path: &str) -> Option<&'static Dialogue> {
    let (version, method) = path.strip_prefix(SERVICE)?.split_once(".GenerativeService.")?;
    let is_version = matches!(version, "v1" | "v1beta" | "v1alpha");
    DIALOGUES.iter().find(|dialogue| is_version && dialogue.method == method)
}
