//! A body that is passed on as it comes: the front's side of it.

use std::pin::Pin;

use actix_web::{HttpRequest, web};
use futures_util::Stream;
use keygate_journey::{Inflow, SourceBroke};

use crate::proxy::asks_for_upgrade;

/// The body of `request`, none of it read yet. actix-web reads 32 KiB ahead of whoever takes from it, and
/// stops there.
pub(crate) fn of(request: &HttpRequest, mut payload: web::Payload, limit: u64) -> Inflow {
    let declared =
        request.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
    // Behind the head of such a request everything is payload to actix-web, without an end.
    let declared = if asks_for_upgrade(request) { declared.or(Some(0)) } else { declared };
    let source = move |cx: &mut std::task::Context<'_>| {
        Pin::new(&mut payload).poll_next(cx).map(|next| next.map(|chunk| chunk.map_err(|_| SourceBroke)))
    };
    Inflow::new(Box::new(source), declared, limit)
}
