//! **The** table: why the gateway refuses, and the status each surface says it with.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use keygate_domain::{ErrorKind, Refusal};
use keygate_journey::{Facts, House, Refused};
use serde_json::json;

use crate::answer_out::put_facts;
use crate::rate_limit_headers::put_refused;

/// The status of each kind of refusal.
pub fn status_of(kind: ErrorKind) -> u16 {
    match kind {
        ErrorKind::AmbiguousCredentials | ErrorKind::BadRequest => 400,
        ErrorKind::Unauthenticated => 401,
        ErrorKind::Forbidden => 403,
        ErrorKind::NotFound => 404,
        ErrorKind::MethodNotAllowed => 405,
        ErrorKind::AffinityConflict => 409,
        ErrorKind::TooLarge => 413,
        ErrorKind::ConfigurationRefused => 422,
        ErrorKind::UserLimited | ErrorKind::PlanExhausted | ErrorKind::PoolExhausted => 429,
        ErrorKind::Internal => 500,
        ErrorKind::UpstreamUnreachable | ErrorKind::UpstreamGarbled => 502,
        ErrorKind::PoolDisabled | ErrorKind::Overloaded | ErrorKind::UpstreamOverloaded => 503,
        ErrorKind::DeadlineExceeded => 504,
    }
}

/// A refusal on a provider's surface: the body is the adapter's, the headers are the house's.
pub(crate) fn on_surface(house: &House, path: &str, refused: &Refused, request_id: &str) -> HttpResponse {
    let status = status_of(refused.refusal.kind);
    let lane = refused.facts.provider.and_then(|name| house.lanes.get(&name));
    let Some(lane) = lane else { return on_house(&refused.refusal, request_id) };
    let shaped = lane.provider.refusal(path, &refused.refusal, status);
    let mut response = started(&refused.refusal, request_id);
    for (name, value) in shaped.headers {
        put(&mut response, name, &value);
    }
    put(&mut response, "content-type", shaped.content_type);
    put_facts(&mut response, &refused.facts);
    if let Some(away) = &refused.turned_away {
        put_refused(&mut response, away);
    }
    response.set_body(actix_web::body::BoxBody::new(shaped.body))
}

/// A refusal on the gateway's own routes: `{"detail": "…"}`.
pub(crate) fn on_house(refusal: &Refusal, request_id: &str) -> HttpResponse {
    let mut response = started(refusal, request_id);
    put(&mut response, "content-type", "application/json; charset=utf-8");
    let body = json!({ "detail": refusal.message }).to_string();
    response.set_body(actix_web::body::BoxBody::new(body))
}

fn started(refusal: &Refusal, request_id: &str) -> HttpResponse {
    let status = StatusCode::from_u16(status_of(refusal.kind)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::new(status);
    put(&mut response, "x-request-id", request_id);
    put(&mut response, "x-keygate-error", refusal.kind.as_str());
    if let Some(seconds) = refusal.retry_after_seconds() {
        put(&mut response, "retry-after", &seconds.to_string());
    }
    response
}

/// Sets a header to a value that needs no copy.
pub(crate) fn put_static(response: &mut HttpResponse, name: &'static str, value: &'static str) {
    response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
}

/// Sets a header; a value that is no header value is left out rather than failing the answer.
pub(crate) fn put(response: &mut HttpResponse, name: &'static str, value: &str) {
    put_named(response, HeaderName::from_static(name), value);
}

/// The same for a name that was made before.
pub(crate) fn put_named(response: &mut HttpResponse, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The refusal of a path that is nobody's.
pub(crate) fn no_such_route(path: &str) -> Refused {
    let shown: String = path.chars().take(128).filter(|c| !c.is_control()).collect();
    let message = format!(
        "There is no route {shown} here. Gemini is served at /v1, /v1beta, /v1alpha, /openai/v1 and \
         /google/…, Anam at /anam/v1."
    );
    Refused {
        refusal: Refusal::new(ErrorKind::NotFound, message),
        facts: Facts::default(),
        turned_away: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_status_that_fits_its_blame() {
        use keygate_domain::Blame;
        for kind in ErrorKind::ALL {
            let status = status_of(kind);
            let is_callers = (400..500).contains(&status);
            match kind.blame() {
                Blame::Caller => assert!(is_callers, "{kind:?} {status}"),
                Blame::Gateway | Blame::Upstream => {
                    assert!(!is_callers || kind == ErrorKind::PoolExhausted, "{kind:?} {status}");
                }
            }
        }
    }
}
