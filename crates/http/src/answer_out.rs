//! A journey's answer as an HTTP response.

use actix_web::HttpResponse;
use actix_web::body::{BodyStream, BoxBody, SizedStream};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream;
use keygate_journey::{Answer, AnswerBody, Facts, Relay, RelayCut};

use crate::error_response::put_named;
use crate::rate_limit_headers::put_allowance;

// Every answer carries these: their names are checked when this is compiled.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_KEYGATE_ATTEMPTS: HeaderName = HeaderName::from_static("x-keygate-attempts");
const X_KEYGATE_CACHE: HeaderName = HeaderName::from_static("x-keygate-cache");
const X_KEYGATE_KEY: HeaderName = HeaderName::from_static("x-keygate-key");
const X_KEYGATE_MODEL: HeaderName = HeaderName::from_static("x-keygate-model");
const X_KEYGATE_PROVIDER: HeaderName = HeaderName::from_static("x-keygate-provider");
const X_KEYGATE_SOURCE: HeaderName = HeaderName::from_static("x-keygate-source");

/// The response of an answer.
pub(crate) fn respond(answer: Answer, request_id: &str) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status.as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = HttpResponse::new(status);
    for (name, value) in &answer.headers {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            response.headers_mut().append(name, value);
        }
    }
    put_named(&mut response, X_REQUEST_ID, request_id);
    put_facts(&mut response, &answer.facts);
    let source = HeaderValue::from_static(answer.facts.source.as_str());
    response.headers_mut().insert(X_KEYGATE_SOURCE, source);
    response.set_body(body(answer.body))
}

/// An answer that is a status and nothing else.
pub(crate) fn empty(status: u16, request_id: &str) -> HttpResponse {
    let mut response = HttpResponse::new(StatusCode::from_u16(status).unwrap_or(StatusCode::NO_CONTENT));
    put_named(&mut response, X_REQUEST_ID, request_id);
    response
}

/// Tells the way an answer or refusal took.
pub(crate) fn put_facts(response: &mut HttpResponse, facts: &Facts) {
    if let Some(provider) = facts.provider {
        let name = HeaderValue::from_static(provider.as_str());
        response.headers_mut().insert(X_KEYGATE_PROVIDER, name);
    }
    if let Some(key) = &facts.key {
        put_named(response, X_KEYGATE_KEY, key.as_str());
    }
    response.headers_mut().insert(X_KEYGATE_ATTEMPTS, HeaderValue::from(facts.attempts));
    if let Some(model) = &facts.model {
        put_named(response, X_KEYGATE_MODEL, model.as_str());
    }
    if let Some(cache) = facts.cache {
        response.headers_mut().insert(X_KEYGATE_CACHE, HeaderValue::from_static(cache.as_str()));
    }
    if let Some(allowance) = &facts.allowance {
        put_allowance(response, allowance);
    }
}

fn body(body: AnswerBody) -> BoxBody {
    match body {
        AnswerBody::Whole(bytes) => BoxBody::new(bytes),
        AnswerBody::Stream { relay, length: Some(length) } => {
            BoxBody::new(SizedStream::new(length, chunks(relay)))
        }
        AnswerBody::Stream { relay, length: None } => BoxBody::new(BodyStream::new(chunks(relay))),
    }
}

fn chunks(mut relay: Box<Relay>) -> impl Stream<Item = Result<Bytes, RelayCut>> + Unpin {
    stream::poll_fn(move |cx| relay.poll_next(cx))
}
