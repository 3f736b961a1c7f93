//! Who asks: the client by its token, the user by the client's word.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use actix_web::HttpRequest;
use http::{HeaderMap, HeaderName};
use keygate_actors::StrangeLogin;
use keygate_config::{AuthMode, CorsConfig};
use keygate_domain::{ClientId, ClientProfile, ErrorKind, Refusal, UserId};
use keygate_journey::{Caller, Facts, Identity, Refused};

use crate::cors;
use crate::credentials::{KnownClient, Looked, Shown, shown};
use crate::worker::Worker;

/// The name of the client that stands for everybody on an open gateway.
pub(crate) const OPEN_CLIENT: &str = "open";

/// The name of the client that stands for whoever shows a provider's own token.
const TOKEN_BEARER: &str = "session-token";

/// An identity, and whether a wrong token was shown (that counts against the peer).
pub(crate) struct Recognised {
    pub(crate) identity: Identity,
    pub(crate) is_failed_login: bool,
}

/// Finds out who asks. `peer` is the address the connection comes from.
pub(crate) fn recognise(
    worker: &Worker,
    headers: &HeaderMap,
    query: Option<&str>,
    peer: IpAddr,
) -> Result<Recognised, Refusal> {
    let user = match &worker.user_header {
        Some(header) => named_user(headers, header, &worker.rules.user_header)?,
        None => None,
    };
    let shown = shown(headers, query);
    let known = match &shown {
        Shown::One(token) => worker.doorkeeper.client_of(token),
        Shown::Nothing | Shown::Several => Looked::Unknown,
    };
    let (known, has_ended) = match known {
        Looked::Known(client) => (Some(client), false),
        Looked::Ended => (None, true),
        Looked::Unknown => (None, false),
    };
    let identity = match (known, worker.rules.clients.auth) {
        (Some(token), _) => Identity::Known(client(token, user)),
        (None, AuthMode::Open) if is_from_a_foreign_page(headers, &worker.rules.cors) => {
            return Err(foreign_page());
        }
        (None, AuthMode::Open) => {
            let anybody = anybody(OPEN_CLIENT, user, peer, worker.doorkeeper.for_anybody());
            match &shown {
                Shown::Nothing | Shown::One(_) => Identity::Known(anybody),
                Shown::Several => Identity::Unknown { refusal: why_not(&shown), stand_in: anybody },
            }
        }
        (None, AuthMode::Required) => {
            let refusal = if has_ended { ended() } else { why_not(&shown) };
            let stand_in = anybody(TOKEN_BEARER, None, peer, worker.doorkeeper.for_strangers());
            Identity::Unknown { refusal, stand_in }
        }
    };
    let is_failed_login = matches!(identity, Identity::Unknown { .. }) && matches!(shown, Shown::One(_));
    Ok(Recognised { identity, is_failed_login })
}

/// Whether a browser sends this for a page of somebody else (Fetch Metadata, `Sec-Fetch-Site`). An
/// open gateway on loopback is within reach of every page that its operator visits, and a page
/// must not spend the operator's keys, unless the operator has let it.
fn is_from_a_foreign_page(headers: &HeaderMap, cors: &CorsConfig) -> bool {
    let is_let_in = || headers.get("origin").is_some_and(|origin| cors::allows(cors, origin.as_bytes()));
    headers.get("sec-fetch-site").is_some_and(|site| site.as_bytes() == b"cross-site") && !is_let_in()
}

fn foreign_page() -> Refusal {
    let message =
        "A page of another site may not use an open gateway. Set clients.auth: required and send a token.";
    Refusal::new(ErrorKind::Forbidden, message)
}

/// Who showed a wrong token, and where, as the audit trail tells it.
pub(crate) struct Stranger<'a> {
    pub(crate) peer: IpAddr,
    pub(crate) path: &'a str,
    pub(crate) request_id: &'a str,
}

impl<'a> Stranger<'a> {
    pub(crate) fn of(request: &'a HttpRequest, request_id: &'a str) -> Self {
        Self { peer: peer_of(request), path: request.path(), request_id }
    }
}

/// Counts a wrong token against the peer, whatever it was to open. Who guessed too often is told to
/// wait instead of `refused`.
pub(crate) async fn after_wrong_token(worker: &Worker, who: &Stranger<'_>, refused: Refused) -> Refused {
    let (path, request_id) = (who.path.to_owned(), who.request_id.to_owned());
    worker.auditor.failed_login(StrangeLogin { peer: who.peer, path, request_id });
    match worker.house.limiter.failed_login(who.peer).await {
        Ok(()) => refused,
        Err(limited) => Refused::by_limiter(limited, refused.facts),
    }
}

/// The same on the gateway's own routes.
pub(crate) async fn wrong_token(worker: &Worker, who: &Stranger<'_>, refusal: Refusal) -> Refusal {
    let refused = Refused { refusal, facts: Facts::default(), turned_away: None };
    after_wrong_token(worker, who, refused).await.refusal
}

/// The address the connection comes from.
pub(crate) fn peer_of(request: &HttpRequest) -> IpAddr {
    request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip())
}

/// Why what was shown opens nothing.
pub(crate) fn why_not(shown: &Shown<'_>) -> Refusal {
    match shown {
        Shown::Nothing => Refusal::new(
            ErrorKind::Unauthenticated,
            "This gateway needs a client token. Send it where your SDK puts its API key.",
        ),
        Shown::One(_) => Refusal::new(ErrorKind::Unauthenticated, "This client token is not known here."),
        Shown::Several => Refusal::new(
            ErrorKind::AmbiguousCredentials,
            "Multiple authentication credentials received. Please pass only one.",
        ),
    }
}

/// What the bearer of a token is told that was good once.
pub(crate) fn ended() -> Refusal {
    let message = "This client token has expired or was revoked. Ask the operator for another one.";
    Refusal::new(ErrorKind::Unauthenticated, message)
}

fn client(known: &KnownClient, user: Option<&str>) -> Caller {
    let name = user.map_or_else(|| Arc::clone(&known.name), Arc::from);
    Caller {
        client: known.id.clone(),
        user: UserId { client: known.id.clone(), name },
        profile: Arc::clone(&known.profile),
    }
}

fn anybody(client: &str, user: Option<&str>, peer: IpAddr, profile: &Arc<ClientProfile>) -> Caller {
    let client = ClientId::from(client);
    let name = user.map_or_else(|| Arc::from(peer.to_string()), Arc::from);
    Caller { user: UserId { client: client.clone(), name }, client, profile: Arc::clone(profile) }
}

/// The user that `header` names; `called` so where callers are told of it.
fn named_user<'h>(
    headers: &'h HeaderMap,
    header: &HeaderName,
    called: &str,
) -> Result<Option<&'h str>, Refusal> {
    let Some(value) = headers.get(header) else { return Ok(None) };
    let invalid = |what: String| Refusal::new(ErrorKind::BadRequest, what);
    let name = std::str::from_utf8(value.as_bytes())
        .map_err(|_| invalid(format!("The header {called} must be valid UTF-8.")))?
        .trim();
    if name.len() > UserId::MAX_BYTES {
        return Err(invalid(format!("The header {called} may hold at most {} bytes.", UserId::MAX_BYTES)));
    }
    Ok((!name.is_empty()).then_some(name))
}
