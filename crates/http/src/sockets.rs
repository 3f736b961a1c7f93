//! WebSockets at the front: steps 1 and 2 of their way, and the caller's side of the line.
//!
//! actix-web writes the answer `101` and from then on hands over bytes as they come and writes what it is
//! given; the protocol itself is spoken by `keygate_upstream`. What runs behind the answer outlives the
//! handler, so it is a task of the worker.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap as ActixHeaders;
use actix_web::rt::spawn;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use http::HeaderMap;
use keygate_actors::clock;
use keygate_domain::{ErrorKind, Moment, Refusal};
use keygate_journey::{Call, Connection, Door, Facts, Identity, Lane, Refused, RequestTimer, connect};
use keygate_telemetry::metrics::RequestMetrics;
use keygate_telemetry::spans;
use keygate_upstream::{WebSocket, accept_key};
use tokio::sync::oneshot;
use tracing::Span;

use crate::answer_out::put_facts;
use crate::caller::{Recognised, Stranger, after_wrong_token, peer_of, recognise};
use crate::caller_line::caller_line;
use crate::error_response::{put, status_of};
use crate::line::hung_up;
use crate::proxy::{headers_of, without_doubled_slashes};
use crate::worker::OnDuty;
use crate::{answer_out, error_response, origin, panic_response, request_id};

/// Whether a request asks for a WebSocket, and for one that there is.
pub(crate) fn is_one(request: &HttpRequest, lane: &Lane, path: &str) -> bool {
    let upgrade = request.headers().get("upgrade").and_then(|value| value.to_str().ok());
    let asks = upgrade.is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"));
    asks && lane.provider.sockets().is_some_and(|sockets| sockets.is_socket(path))
}

/// Serves a request for a WebSocket.
pub(crate) async fn serve(request: HttpRequest, payload: web::Payload, worker: OnDuty) -> HttpResponse {
    let headers = headers_of(request.headers());
    let id = request_id::of(&headers);
    let (answer, answered) = oneshot::channel();
    let reply = Reply(Rc::new(RefCell::new(Some(answer))));
    let visit = Visit {
        peer: peer_of(&request),
        began: clock::now(),
        id: id.clone(),
        worker,
        request,
        headers,
        reply,
    };
    drop(spawn(visit.run(payload)));
    match answered.await {
        Ok(response) => response,
        // The task panicked.
        Err(_) => error_response::on_house(&panic_response::refusal(), &id),
    }
}

/// The one answer to the request.
#[derive(Clone)]
struct Reply(Rc<RefCell<Option<oneshot::Sender<HttpResponse>>>>);

impl Reply {
    /// False when it was given already, or nobody waits for it.
    fn give(&self, response: HttpResponse) -> bool {
        let answer = self.0.borrow_mut().take();
        answer.is_some_and(|answer| answer.send(response).is_ok())
    }
}

/// One request for a WebSocket.
struct Visit {
    worker: OnDuty,
    request: HttpRequest,
    headers: HeaderMap,
    peer: IpAddr,
    began: Moment,
    id: String,
    reply: Reply,
}

impl Visit {
    async fn run(self, payload: web::Payload) {
        let raw = self.request.uri().path();
        let path = without_doubled_slashes(raw);
        let Some((lane, below)) = self.worker.house.lane_of(&path) else { return };
        let span = spans::root(&spans::Arrival {
            method: &http::Method::GET,
            path: &path,
            headers: &self.headers,
            request_id: &self.id,
        });
        let house = &self.worker.house;
        let timer = RequestTimer::start(house, Some(lane.adapter.name), &span, self.began);
        match self.connected(lane, below, payload, (span.clone(), timer.metrics())).await {
            Ok(Connection::Over) => timer.connected(),
            Ok(Connection::Answered(mut answer)) => {
                let facts = &answer.facts;
                spans::record_response(&span, answer.status.as_u16(), facts.attempts, facts.key.as_ref());
                timer.answered(&mut answer);
                self.reply.give(answer_out::respond(*answer, &self.id));
            }
            Err(refused) => {
                let (kind, facts) = (refused.refusal.kind, &refused.facts);
                tracing::debug!(
                    event = "request.refused", request_id = %self.id, error = kind.as_str(), "refused"
                );
                spans::record_refusal(&span, kind);
                spans::record_response(&span, status_of(kind), facts.attempts, facts.key.as_ref());
                timer.refused(&refused.refusal, status_of(kind));
                self.reply.give(error_response::on_surface(house, below, &refused, &self.id));
            }
        }
    }

    async fn connected(
        &self,
        lane: &Lane,
        path: &str,
        payload: web::Payload,
        (span, metrics): (Span, RequestMetrics),
    ) -> Result<Connection, Refused> {
        let query = self.request.uri().query();
        let refused = |refusal| {
            let facts = Facts { provider: Some(lane.adapter.name), ..Facts::default() };
            Refused { refusal, facts, turned_away: None }
        };
        let accept = accept(self.request.headers()).map_err(refused)?;
        // 1 who is this
        let known = recognise(&self.worker, &self.headers, query, self.peer).map_err(refused)?;
        let Recognised { identity, is_failed_login } = known;
        if let Identity::Known(caller) = &identity {
            spans::record_caller(&span, &caller.user);
        }
        let call = Call {
            method: http::Method::GET,
            path,
            query,
            origin: origin::of(&self.request, &self.worker.rules),
            headers: self.headers.clone(),
            // 2 read body: there is none, what follows are messages.
            body: Bytes::new(),
            inflow: None,
            began: self.began,
            identity,
            request_id: &self.id,
            span,
            metrics,
        };
        let door = FrontDoor { payload, accept, id: &self.id, reply: self.reply.clone() };
        let (house, board) = (&self.worker.house, &self.worker.switchboard);
        match connect(house, lane, &call, board, door, hung_up(&self.request)).await {
            Err(refused) if is_failed_login && refused.refusal.kind == ErrorKind::Unauthenticated => {
                let stranger = Stranger::of(&self.request, &self.id);
                Err(after_wrong_token(&self.worker, &stranger, refused).await)
            }
            connected => connected,
        }
    }
}

/// The answer to the handshake's key (RFC 6455 §4.2).
fn accept(headers: &ActixHeaders) -> Result<String, Refusal> {
    let invalid =
        |what: &str| Refusal::new(ErrorKind::BadRequest, format!("This is no WebSocket handshake: {what}"));
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let mut options = headers.get_all("connection").filter_map(|value| value.to_str().ok());
    let asks = |options: &str| options.split(',').any(|option| option.trim().eq_ignore_ascii_case("upgrade"));
    if !options.any(asks) {
        return Err(invalid("`Connection: Upgrade` is missing."));
    }
    if text("sec-websocket-version") != Some("13") {
        return Err(invalid("`Sec-WebSocket-Version` must be 13."));
    }
    let key = text("sec-websocket-key").filter(|key| !key.is_empty());
    key.map(|key| accept_key(key.as_bytes())).ok_or_else(|| invalid("`Sec-WebSocket-Key` is missing."))
}

/// The caller's side while it is not open.
struct FrontDoor<'a> {
    payload: web::Payload,
    accept: String,
    id: &'a str,
    reply: Reply,
}

impl Door for FrontDoor<'_> {
    async fn open(self, facts: &Facts) -> Option<WebSocket> {
        let (line, body) = caller_line(self.payload);
        let mut response = HttpResponse::build(StatusCode::SWITCHING_PROTOCOLS)
            .upgrade("websocket")
            .insert_header(("sec-websocket-accept", self.accept))
            .streaming(body);
        put(&mut response, "x-request-id", self.id);
        put_facts(&mut response, facts);
        if self.reply.give(response) { Some(WebSocket::of_server(line).await) } else { None }
    }
}
