//! Steps 1 and 2 of the request's way (docs/architecture.md §5), and its end: everything that is a
//! provider's goes through here.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::http::header::HeaderMap as ActixHeaders;
use actix_web::rt::time::timeout;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use keygate_actors::clock;
use keygate_domain::{ErrorKind, Moment, Refusal};
use keygate_journey::{Answer, Call, Facts, Identity, Lane, Refused, RequestTimer, serve};
use keygate_telemetry::spans;
use tracing::Span;

use crate::caller::{Recognised, Stranger, after_wrong_token, peer_of, recognise};
use crate::error_response::status_of;
use crate::line::{hung_up, is_gone};
use crate::worker::{OnDuty, Worker};
use crate::{answer_out, error_response, inflow, origin, panic_response, request_id, sockets};

/// Largest body read of a caller that has shown no valid token: an avatar session start is small,
/// and nobody unknown may fill the memory.
const UNKNOWN_CALLERS_BODY_BYTES: usize = 64 * 1024;

/// How long it may take to come where nobody waits for an answer.
const UNKNOWN_CALLERS_PATIENCE: Duration = Duration::from_secs(5);

/// Most memory set aside for a body before any of it has come.
const MAX_BYTES_ON_CREDIT: usize = 64 * 1024;

/// Serves any path that no other route took.
pub(crate) async fn proxy(request: HttpRequest, payload: web::Payload, worker: OnDuty) -> HttpResponse {
    let began = clock::now();
    let headers = headers_of(request.headers());
    let id = request_id::of(&headers);
    let path = without_doubled_slashes(request.uri().path());
    let Some((lane, below)) = worker.house.lane_of(&path) else {
        let refused = error_response::no_such_route(&path);
        let timer = RequestTimer::start(&worker.house, None, &Span::none(), began);
        timer.refused(&refused.refusal, status_of(refused.refusal.kind));
        return error_response::on_surface(&worker.house, &path, &refused, &id);
    };
    if sockets::is_one(&request, lane, below) {
        // Boxed, as other rare ways are: else the memory of every request would have room for it.
        return Box::pin(sockets::serve(request.clone(), payload, worker.clone())).await;
    }
    let method = method_of(&request);
    if let Some(status) = lane.provider.answers_alone(&method, below) {
        return alone(status, &request, payload, &id).await;
    }
    let span =
        spans::root(&spans::Arrival { method: &method, path: &path, headers: &headers, request_id: &id });
    let visit = Visit {
        worker: &worker,
        lane,
        path: below,
        method,
        request: &request,
        headers,
        began,
        id: &id,
        span,
    };
    panic_response::or_else(visit.run(payload), || {
        tracing::error!(event = "request.panicked", request_id = %id, "a request handler panicked");
        let facts = Facts { provider: Some(lane.adapter.name), ..Facts::default() };
        let refused = Refused { refusal: panic_response::refusal(), facts, turned_away: None };
        error_response::on_surface(&worker.house, below, &refused, &id)
    })
    .await
}

/// Answers with a status and nothing else. What is sent is read, in bounds, so that the connection can be
/// used on.
async fn alone(status: u16, request: &HttpRequest, payload: web::Payload, id: &str) -> HttpResponse {
    match read(payload, UNKNOWN_CALLERS_BODY_BYTES, request, UNKNOWN_CALLERS_PATIENCE).await {
        Ok(_) => answer_out::empty(status, id),
        Err(refusal) => error_response::on_house(&refusal, id),
    }
}

/// One request at the front.
struct Visit<'a> {
    worker: &'a Worker,
    lane: &'a Lane,
    path: &'a str,
    method: Method,
    request: &'a HttpRequest,
    headers: HeaderMap,
    began: Moment,
    id: &'a str,
    span: Span,
}

impl Visit<'_> {
    async fn run(self, payload: web::Payload) -> HttpResponse {
        let (id, path, house, span) = (self.id, self.path, &self.worker.house, self.span.clone());
        let request = self.request;
        let timer = RequestTimer::start(house, Some(self.lane.adapter.name), &span, self.began);
        match self.served(payload, &timer).await {
            Ok(mut answer) => {
                if let Some(session) = answer.session.take_if(|_| is_gone(request)) {
                    session.end(&house.errands);
                }
                let facts = &answer.facts;
                spans::record_response(&span, answer.status.as_u16(), facts.attempts, facts.key.as_ref());
                timer.answered(&mut answer);
                answer_out::respond(answer, id)
            }
            Err(refused) => {
                tracing::debug!(
                    event = "request.refused", request_id = %id, error = refused.refusal.kind.as_str(),
                    "refused"
                );
                let (kind, facts) = (refused.refusal.kind, &refused.facts);
                spans::record_refusal(&span, kind);
                spans::record_response(&span, status_of(kind), facts.attempts, facts.key.as_ref());
                timer.refused(&refused.refusal, status_of(kind));
                error_response::on_surface(house, path, &refused, id)
            }
        }
    }

    async fn served(self, payload: web::Payload, timer: &RequestTimer) -> Result<Answer, Refused> {
        let peer = peer_of(self.request);
        // 1 who is this
        let query = self.request.uri().query();
        let known = recognise(self.worker, &self.headers, query, peer).map_err(|r| self.refused(r))?;
        // 2 read body
        let (body, inflow) = if self.lane.provider.streams_body(&self.method, self.path) {
            (Bytes::new(), Some(inflow::of(self.request, payload, self.worker.rules.max_upload)))
        } else {
            let before = timer.lap();
            let body = self.read(&known.identity, payload).await;
            timer.metrics().spent_elsewhere(timer.lap().saturating_sub(before));
            (body.map_err(|r| self.refused_unread(&known, r))?, None)
        };
        let Recognised { identity, is_failed_login } = known;
        if let Identity::Known(caller) = &identity {
            spans::record_caller(&self.span, &caller.user);
        }
        let call = Call {
            method: self.method,
            path: self.path,
            query,
            origin: origin::of(self.request, &self.worker.rules),
            headers: self.headers,
            body,
            inflow,
            began: self.began,
            identity,
            request_id: self.id,
            span: self.span,
            metrics: timer.metrics(),
        };
        match serve(&self.worker.house, self.lane, &call, hung_up(self.request)).await {
            Ok(answer) => Ok(answer),
            Err(refused) if is_failed_login && refused.refusal.kind == ErrorKind::Unauthenticated => {
                let stranger = Stranger::of(self.request, self.id);
                Err(after_wrong_token(self.worker, &stranger, refused).await)
            }
            Err(refused) => Err(refused),
        }
    }

    async fn read(&self, identity: &Identity, payload: web::Payload) -> Result<Bytes, Refusal> {
        let most = self.worker.max_body_bytes;
        let limit = match identity {
            Identity::Known(_) => most,
            Identity::Unknown { .. } => UNKNOWN_CALLERS_BODY_BYTES.min(most),
        };
        let patience = self.time_left();
        read(payload, limit, self.request, patience).await
    }

    /// What is left of the longest time this request may take.
    fn time_left(&self) -> Duration {
        clock::left_until(self.began.after(self.lane.timeout))
    }

    fn refused(&self, refusal: Refusal) -> Refused {
        let facts = Facts { provider: Some(self.lane.adapter.name), ..Facts::default() };
        Refused { refusal, facts, turned_away: None }
    }

    /// An unknown caller with a body that is too large is told first that it is unknown.
    fn refused_unread(&self, known: &Recognised, refusal: Refusal) -> Refused {
        match &known.identity {
            Identity::Unknown { refusal: why_unknown, .. } if refusal.kind == ErrorKind::TooLarge => {
                self.refused(why_unknown.clone())
            }
            Identity::Known(_) | Identity::Unknown { .. } => self.refused(refusal),
        }
    }
}

/// Reads a body of at most `limit` bytes that must come within `patience`.
pub(crate) async fn read(
    mut payload: web::Payload,
    limit: usize,
    request: &HttpRequest,
    patience: Duration,
) -> Result<Bytes, Refusal> {
    let too_large = || {
        let message = format!("The request body is larger than the {limit} bytes this gateway admits.");
        Refusal::new(ErrorKind::TooLarge, message)
    };
    let declared =
        request.headers().get("content-length").and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    // What is only declared costs the caller nothing, so it must cost us little.
    let mut body = BytesMut::with_capacity(declared.unwrap_or_default().min(limit).min(MAX_BYTES_ON_CREDIT));
    // Behind the head of such a request everything is payload to actix-web, without an end; whoever
    // ignores the upgrade has to know by himself where the body ends.
    let ends_at = asks_for_upgrade(request).then(|| declared.unwrap_or_default());
    let reading = async {
        while ends_at.is_none_or(|end| body.len() < end) {
            let Some(chunk) = payload.next().await else { break };
            let chunk = chunk.map_err(|_| broken_off())?;
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(())
    };
    timeout(patience, reading).await.unwrap_or_else(|_elapsed| Err(too_slow()))?;
    body.truncate(ends_at.unwrap_or(limit));
    Ok(body.freeze())
}

fn asks_for_upgrade(request: &HttpRequest) -> bool {
    let asks = request.headers().contains_key("upgrade") || request.method() == "CONNECT";
    asks && !request.headers().contains_key("transfer-encoding")
}

fn broken_off() -> Refusal {
    Refusal::new(ErrorKind::BadRequest, "The request body could not be read to its end.")
}

fn too_slow() -> Refusal {
    Refusal::new(ErrorKind::DeadlineExceeded, "The request body did not arrive in time.")
}

/// actix-web speaks `http` 0.2, the house speaks 1.
pub(crate) fn headers_of(headers: &ActixHeaders) -> HeaderMap {
    let mut converted = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            converted.append(name, value);
        }
    }
    converted
}

fn method_of(request: &HttpRequest) -> Method {
    Method::from_bytes(request.method().as_str().as_bytes()).unwrap_or(Method::GET)
}

/// Some SDKs join a base URL and a path with two slashes.
pub(crate) fn without_doubled_slashes(path: &str) -> Cow<'_, str> {
    if !path.contains("//") {
        return Cow::Borrowed(path);
    }
    let mut single = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !single.ends_with('/') {
            single.push(character);
        }
    }
    Cow::Owned(single)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubled_slashes_collapse() {
        assert_eq!(without_doubled_slashes("//v1//models/m"), "/v1/models/m");
        assert_eq!(without_doubled_slashes("/v1/models"), "/v1/models");
    }
}
