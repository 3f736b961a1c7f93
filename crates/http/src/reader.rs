//! Who may look at the pools.

use actix_web::HttpRequest;
use keygate_domain::{ClientId, ErrorKind, Refusal, Right};

use crate::caller::{Stranger, ended, why_not, wrong_token};
use crate::credentials::{Looked, Shown, admin_token, shown};
use crate::proxy::headers_of;
use crate::request_id;
use crate::worker::Worker;

/// Somebody who may look.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Reader {
    /// Whoever runs the gateway: on its machine, or with the admin token.
    Operator,
    /// A client whose token has the scope `status`.
    Client(ClientId),
    /// Anybody, because the operator says so.
    Anybody,
}

/// Status is open to loopback peers, to everybody where the operator says so, and else to tokens
/// with the scope `status` and to the admin token.
///
/// # Errors
/// When none of that is so.
pub(crate) async fn reader(worker: &Worker, request: &HttpRequest) -> Result<Reader, Refusal> {
    if request.peer_addr().is_some_and(|peer| peer.ip().is_loopback()) {
        return Ok(Reader::Operator);
    }
    let headers = headers_of(request.headers());
    if admin_token(&headers).is_some_and(|token| worker.doorkeeper.operator_of(token).is_some()) {
        return Ok(Reader::Operator);
    }
    let shown = shown(&headers, request.uri().query());
    let client = match &shown {
        Shown::One(token) => worker.doorkeeper.client_of(token),
        Shown::Nothing | Shown::Several => Looked::Unknown,
    };
    let stranger = request_id::of(&headers);
    let stranger = Stranger::of(request, &stranger);
    match (client, &shown) {
        (Looked::Known(client), _) if client.profile.rights.contains(&Right::Status) => {
            Ok(Reader::Client(client.id.clone()))
        }
        _ if worker.rules.status_public => Ok(Reader::Anybody),
        (Looked::Known(_), _) => Err(Refusal::new(
            ErrorKind::Forbidden,
            "Status needs a token with the scope `status`, or the admin token.",
        )),
        (Looked::Ended, _) => Err(wrong_token(worker, &stranger, ended()).await),
        (Looked::Unknown, Shown::One(_)) => Err(wrong_token(worker, &stranger, why_not(&shown)).await),
        (Looked::Unknown, Shown::Nothing | Shown::Several) => Err(why_not(&shown)),
    }
}
