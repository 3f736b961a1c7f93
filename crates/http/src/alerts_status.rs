//! `GET /api/alerts`: what is wrong, who is told of it, and whether they take it.

use actix_web::{HttpRequest, HttpResponse};
use keygate_alerts::AlertsShown;
use keygate_domain::Refusal;

use crate::reader::reader;
use crate::status::respond;
use crate::worker::{OnDuty, Worker};

/// `GET /api/alerts`.
pub(crate) async fn alerts(request: HttpRequest, worker: OnDuty) -> HttpResponse {
    respond(&request, shown(&worker, &request).await)
}

async fn shown(worker: &Worker, request: &HttpRequest) -> Result<AlertsShown, Refusal> {
    reader(worker, request).await?;
    Ok(AlertsShown::clone(&worker.herald.shown()))
}
