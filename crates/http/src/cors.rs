//! Pages in browsers: which may use the gateway, and what browsers are told of it (CORS, Fetch §3.2).
//!
//! Off unless configured. A browser asks before it sends a credential or JSON (`OPTIONS`, without any
//! credential): that is answered before anybody is asked who he is, and costs nothing. Refusals carry the same
//! headers as answers, else a page could not read why it was refused.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpRequest, HttpResponse, web};
use keygate_config::CorsConfig;

use crate::error_response::put_static;
use crate::proxy;
use crate::worker::OnDuty;

/// What pages may send; a browser asks for what its page sets, SDKs set dozens of their own.
const METHODS: &str = "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS";

/// What pages may read besides what any page may.
const EXPOSED: &str = "x-request-id, retry-after, ratelimit, ratelimit-policy, x-should-retry, x-keygate-provider, \
                       x-keygate-key, x-keygate-attempts, x-keygate-source, x-keygate-error, x-keygate-cache, \
                       x-goog-upload-url, x-goog-upload-status, x-goog-upload-size-received, \
                       x-goog-upload-chunk-granularity";

/// Allowed when a browser asks for none by name.
const USUAL_HEADERS: &str = "authorization, content-type, x-anam-target-url";

/// How long a browser may go by an answer, in seconds.
const MAX_AGE: &str = "600";

/// Longest list of header names that is repeated.
const MAX_ASKED_BYTES: usize = 4096;

/// [`proxy::proxy`], for pages too.
pub(crate) async fn proxy(request: HttpRequest, payload: web::Payload, worker: OnDuty) -> HttpResponse {
    // Made in the place where it stays. The server moves what a handler is into a box of its own, and with all
    // the ways that a request can take this one has 9 KiB.
    Box::into_pin(Box::write(Box::new_uninit(), for_pages(request, payload, worker))).await
}

async fn for_pages(request: HttpRequest, payload: web::Payload, worker: OnDuty) -> HttpResponse {
    let origin = admitted(&worker.rules.cors, request.headers());
    if let Some(origin) = &origin
        && is_preflight(request.method(), request.headers())
    {
        return preflight(origin, request.headers());
    }
    let departure = worker.departure.clone();
    let mut response = proxy::proxy(request, payload, worker).await;
    departure.say_in(&mut response);
    if let Some(origin) = &origin {
        allow(response.headers_mut(), origin);
    }
    response
}

/// The same for the gateway's own routes.
pub(crate) async fn around(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<actix_web::body::BoxBody>, Error> {
    let worker = OnDuty::extract(request.request()).await?;
    let Some(origin) = admitted(&worker.rules.cors, request.headers()) else {
        let mut response = next.call(request).await?.map_into_boxed_body();
        worker.departure.say_in(response.response_mut());
        return Ok(response);
    };
    if is_preflight(request.method(), request.headers()) {
        let response = preflight(&origin, request.headers());
        return Ok(request.into_response(response));
    }
    let mut response = next.call(request).await?.map_into_boxed_body();
    worker.departure.say_in(response.response_mut());
    allow(response.headers_mut(), &origin);
    Ok(response)
}

/// Whether a page of this origin may use the gateway.
pub(crate) fn allows(cors: &CorsConfig, origin: &[u8]) -> bool {
    match cors {
        CorsConfig::Nobody => false,
        CorsConfig::Origins(origins) => origins.iter().any(|known| known.as_bytes() == origin),
        CorsConfig::Everybody => true,
    }
}

/// The origin of the page that asks, if it may.
fn admitted(cors: &CorsConfig, headers: &HeaderMap) -> Option<HeaderValue> {
    if *cors == CorsConfig::Nobody {
        return None;
    }
    let origin = headers.get("origin")?;
    allows(cors, origin.as_bytes()).then(|| origin.clone())
}

fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key("access-control-request-method")
}

/// The answer to a browser that asks. There are no cookies here, so a header more that a page may send opens
/// nothing to it.
fn preflight(origin: &HeaderValue, asked: &HeaderMap) -> HttpResponse {
    let mut response = HttpResponse::new(StatusCode::NO_CONTENT);
    allow(response.headers_mut(), origin);
    put_static(&mut response, "access-control-allow-methods", METHODS);
    put_static(&mut response, "access-control-max-age", MAX_AGE);
    let headers = asked.get("access-control-request-headers").filter(|names| is_list_of_names(names));
    let headers = headers.cloned().unwrap_or_else(|| HeaderValue::from_static(USUAL_HEADERS));
    response.headers_mut().insert(HeaderName::from_static("access-control-allow-headers"), headers);
    response
}

fn allow(headers: &mut HeaderMap, origin: &HeaderValue) {
    headers.insert(HeaderName::from_static("access-control-allow-origin"), origin.clone());
    headers
        .insert(HeaderName::from_static("access-control-expose-headers"), HeaderValue::from_static(EXPOSED));
    // What is kept between a page and the gateway must not be given to pages of other origins.
    headers.append(HeaderName::from_static("vary"), HeaderValue::from_static("origin"));
}

fn is_list_of_names(list: &HeaderValue) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_, ".contains(byte);
    !list.is_empty() && list.len() <= MAX_ASKED_BYTES && list.as_bytes().iter().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_origins_may() {
        let some = CorsConfig::Origins(vec!["https://app.example.com".to_owned()]);
        assert!(allows(&some, b"https://app.example.com"));
        for other in ["https://app.example.com.evil.example", "http://app.example.com", "null", ""] {
            assert!(!allows(&some, other.as_bytes()), "{other}");
        }
        assert!(allows(&CorsConfig::Everybody, b"null"));
        assert!(!allows(&CorsConfig::Nobody, b"https://app.example.com"));
    }

    #[test]
    fn only_header_names_are_repeated() {
        let check = |list: &str, expected: bool| {
            assert_eq!(is_list_of_names(&HeaderValue::from_str(list).unwrap()), expected, "{list}");
        };
        check("authorization, content-type,x-anam-target-url", true);
        check("", false);
        check("a;b", false);
        check("a: b", false);
        check(&"a,".repeat(4096), false);
    }
}
