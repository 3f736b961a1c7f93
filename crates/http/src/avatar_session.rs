//! `POST /api/v1/avatar/session`: a token with which a browser starts an avatar session.
//!
//! The wish is put into the provider's words by its adapter and goes the way of every request: who asks, the
//! user's limit, a key, its budget, another key if that one fails.

use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use http::{HeaderMap, HeaderName, HeaderValue};
use keygate_actors::clock;
use keygate_domain::{Blame, ErrorKind, Refusal};
use keygate_journey::{Answer, AnswerBody, Call, Facts, Identity, Lane, Refused, RequestTimer, serve};
use keygate_provider::OwnCall;
use keygate_telemetry::spans;
use serde_json::{Value, json};

use crate::answer_out::put_facts;
use crate::caller::{Stranger, after_wrong_token, peer_of, recognise};
use crate::error_response::{on_house, put};
use crate::line::hung_up;
use crate::proxy::{headers_of, read};
use crate::rate_limit_headers::put_refused;
use crate::worker::{OnDuty, Worker};
use crate::{friendly, origin, request_id};

/// Longest wish, in bytes: a system prompt may be long.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// How long it may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// Headers of the caller's that mean the same behind this route.
const PASSED: [&str; 2] = ["x-keygate-group", "x-server-timeout"];

/// Makes a token.
pub(crate) async fn avatar_session(
    request: HttpRequest,
    payload: web::Payload,
    worker: OnDuty,
) -> HttpResponse {
    let headers = headers_of(request.headers());
    let id = request_id::of(&headers);
    match made(&worker, &request, payload, &headers, &id).await {
        Ok(response) => response,
        Err(refused) => refusal(&worker, &refused, &headers, &id),
    }
}

async fn made(
    worker: &Worker,
    request: &HttpRequest,
    payload: web::Payload,
    headers: &HeaderMap,
    id: &str,
) -> Result<HttpResponse, Refused> {
    let (began, peer) = (clock::now(), peer_of(request));
    let recognised = |headers: &HeaderMap| recognise(worker, headers, request.uri().query(), peer);
    let known = recognised(headers).map_err(plainly)?;
    if let Identity::Unknown { refusal, .. } = known.identity {
        let refused = plainly(refusal);
        return Err(if known.is_failed_login {
            after_wrong_token(worker, &Stranger::of(request, id), refused).await
        } else {
            refused
        });
    }
    let body = read(payload, MAX_BODY_BYTES.min(worker.max_body_bytes), request, BODY_PATIENCE);
    let wish: Value =
        serde_json::from_slice(&body.await.map_err(plainly)?).map_err(|_| plainly(no_json()))?;
    let (lane, call) = wanted(worker, &wish)?;
    let headers = of_user(headers, &worker.rules.user_header, &wish);
    let identity = recognised(&headers).map_err(plainly)?.identity;
    let arrival = spans::Arrival {
        method: &http::Method::POST,
        path: request.uri().path(),
        headers: &headers,
        request_id: id,
    };
    let span = spans::root(&arrival);
    let timer = RequestTimer::start(&worker.house, Some(lane.adapter.name), &span, began);
    let call = Call {
        path: &call.path,
        query: call.query.as_deref(),
        origin: origin::of(request, &worker.rules),
        headers: passed(&headers),
        body: call.body,
        inflow: None,
        began,
        identity,
        request_id: id,
        span,
        metrics: timer.metrics(),
        method: call.method,
    };
    let mut served = serve(&worker.house, lane, &call, hung_up(request)).await;
    let status =
        served.as_ref().map_or_else(|refused| status_of(&refused.refusal), |answer| answer.status.as_u16());
    let facts = served.as_ref().map_or_else(|refused| &refused.facts, |answer| &answer.facts);
    spans::record_response(&call.span, status, facts.attempts, facts.key.as_ref());
    match &mut served {
        Ok(answer) => timer.answered(answer),
        Err(refused) => timer.refused(&refused.refusal, status),
    }
    served.map(|answer| answered(answer, id))
}

/// The provider of avatars, and what to ask it.
fn wanted<'w>(worker: &'w Worker, wish: &Value) -> Result<(&'w Lane, OwnCall), Refused> {
    let none = || {
        plainly(Refusal::new(
            ErrorKind::NotFound,
            "This gateway has no keys for avatars. Configure providers.anam, or set ANAM_API_KEYS.",
        ))
    };
    let mut lanes = worker.house.lanes.values();
    let found = lanes.find_map(|lane| Some((lane, lane.provider.avatar_token(wish)?)));
    let (lane, call) = found.ok_or_else(none)?;
    call.map(|call| (lane, call)).map_err(|rejected| plainly(Refusal::new(rejected.kind, rejected.message)))
}

/// The lane of the provider of avatars.
fn of_avatars(worker: &Worker) -> Option<&Lane> {
    worker.house.lanes.values().find(|lane| lane.provider.avatar_token(&Value::Null).is_some())
}

/// The headers with the user whom the body names, if no header does.
fn of_user(headers: &HeaderMap, user_header: &str, wish: &Value) -> HeaderMap {
    let mut headers = headers.clone();
    let user = wish.get("user_id").or_else(|| wish.get("userId")).and_then(Value::as_str);
    let name = HeaderName::from_bytes(user_header.as_bytes());
    if let (Ok(name), Some(Ok(user))) = (name, user.map(|user| HeaderValue::from_bytes(user.as_bytes())))
        && !headers.contains_key(&name)
    {
        headers.insert(name, user);
    }
    headers
}

fn passed(headers: &HeaderMap) -> HeaderMap {
    let json = HeaderValue::from_static("application/json");
    let own = [("content-type", json.clone()), ("accept", json)].into_iter();
    let kept = PASSED.iter().filter_map(|name| Some((*name, headers.get(*name)?.clone())));
    own.chain(kept).map(|(name, value)| (HeaderName::from_static(name), value)).collect()
}

fn answered(answer: Answer, id: &str) -> HttpResponse {
    let Answer { status, body, facts, .. } = answer;
    let said: Value = match body {
        AnswerBody::Whole(body) => serde_json::from_slice(&body).unwrap_or_default(),
        AnswerBody::Stream { .. } => Value::Null,
    };
    let token = said.get("sessionToken").and_then(Value::as_str);
    let (status, body) = match token {
        Some(token) if status.is_success() => (200, json!({ "sessionToken": token, "request_id": id })),
        _ if status.is_success() => {
            let detail = "The provider answered without a session token. Please retry shortly.";
            (502, json!({ "detail": detail, "message": detail }))
        }
        _ => {
            let text = |name: &str| said.get(name).and_then(Value::as_str);
            let detail =
                text("message").or_else(|| text("error")).unwrap_or("The provider refused this request.");
            let mut body = json!({ "detail": detail, "message": detail });
            if let Some(details) = said.get("details") {
                body["details"] = details.clone();
            }
            (status.as_u16(), body)
        }
    };
    let mut response = HttpResponse::new(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY));
    put(&mut response, "x-request-id", id);
    put(&mut response, "content-type", "application/json; charset=utf-8");
    put_facts(&mut response, &facts);
    response.set_body(BoxBody::new(body.to_string()))
}

/// A refusal: what happened, and what a user can be shown.
fn refusal(worker: &Worker, refused: &Refused, headers: &HeaderMap, id: &str) -> HttpResponse {
    let Refused { refusal, facts, turned_away } = refused;
    let mut response = on_house(refusal, id);
    if let Ok(status) = StatusCode::from_u16(status_of(refusal)) {
        *response.status_mut() = status;
    }
    put_facts(&mut response, facts);
    if let Some(away) = turned_away {
        put_refused(&mut response, away);
    }
    let words = friendly::words(of_avatars(worker), headers);
    let message = match refusal.kind.blame() {
        Blame::Gateway | Blame::Upstream if !words.is_empty() => words,
        Blame::Caller | Blame::Gateway | Blame::Upstream => refusal.message.as_str(),
    };
    response.set_body(BoxBody::new(json!({ "detail": refusal.message, "message": message }).to_string()))
}

/// Plain HTTP clients know 429 as their own doing; that every key is in use is not.
fn status_of(refusal: &Refusal) -> u16 {
    if refusal.kind == ErrorKind::PoolExhausted {
        return 503;
    }
    crate::error_response::status_of(refusal.kind)
}

fn plainly(refusal: Refusal) -> Refused {
    Refused { refusal, facts: Facts::default(), turned_away: None }
}

fn no_json() -> Refusal {
    Refusal::new(ErrorKind::BadRequest, "The request body must be JSON that says which avatar to show.")
}
