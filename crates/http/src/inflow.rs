//! A body that is passed on as it comes: the front's side of it.

use std::pin::Pin;

use actix_web::{HttpRequest, web};
use futures_util::Stream;
use keygate_journey::{Inflow, SourceBroke};

/// The body of `request`, none of it read yet. actix-web reads 32 KiB ahead of whoever takes from it, and
/// stops there.
pub(crate) fn of(request: &HttpRequest, mut payload: web::Payload, limit: u64) -> Inflow {
    let headers = request.headers();
    let declared = headers.get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
    // RFC 9112 §6.3: without either header there is no body. Behind the head of a request for an upgrade
    // everything is payload to actix-web, without an end.
    let is_chunked = headers.contains_key("transfer-encoding");
    let declared = if is_chunked { declared } else { declared.or(Some(0)) };
    let source = move |cx: &mut std::task::Context<'_>| {
        Pin::new(&mut payload).poll_next(cx).map(|next| next.map(|chunk| chunk.map_err(|_| SourceBroke)))
    };
    Inflow::new(Box::new(source), declared, limit)
}
