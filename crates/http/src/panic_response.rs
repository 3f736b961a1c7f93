//! A panic becomes an answer with a request id instead of a closed connection.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use actix_web::HttpResponse;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::HeaderValue;
use actix_web::middleware::Next;
use futures_util::FutureExt;
use keygate_domain::{ErrorKind, Refusal};

use crate::{error_response, request_id};

/// Why a request that panicked is refused.
pub(crate) fn refusal() -> Refusal {
    Refusal::new(ErrorKind::Internal, "The gateway failed on this request.")
}

/// Waits for an answer; a panic on the way gives `otherwise`. No `async fn`: that would hold the
/// answer's future twice, as its argument and as what it waits for.
pub(crate) fn or_else(
    answer: impl Future<Output = HttpResponse>,
    otherwise: impl FnOnce() -> HttpResponse,
) -> impl Future<Output = HttpResponse> {
    AssertUnwindSafe(answer).catch_unwind().map(|answered| answered.unwrap_or_else(|_panic| otherwise()))
}

/// The middleware for whatever has no shape of its own.
pub(crate) async fn catch(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    // Shares the caller's bytes; they are only read after a panic.
    let sent = request.headers().get("x-request-id").cloned();
    match AssertUnwindSafe(next.call(request)).catch_unwind().await {
        Ok(answered) => answered,
        Err(_panic) => {
            let id = request_id::kept(sent.as_ref().map(HeaderValue::as_bytes));
            tracing::error!(event = "request.panicked", request_id = %id, "a request handler panicked");
            Err(InternalError::from_response("panic", error_response::on_house(&refusal(), &id)).into())
        }
    }
}
