//! `/api/session-keepers`: how bots fare, and the human's word that one may be asked again.

use actix_web::{HttpRequest, HttpResponse, web};
use keygate_domain::{AuditAction, ErrorKind, Refusal};
use keygate_keeper::KeeperShown;
use serde::Serialize;
use serde_json::json;

use crate::admin::{must_be_admin, unavailable};
use crate::proxy::headers_of;
use crate::reader::reader;
use crate::status::respond;
use crate::worker::{OnDuty, Worker};
use crate::{error_response, request_id};

/// All of them.
#[derive(Serialize)]
struct SessionKeepers {
    session_keepers: Vec<KeeperShown>,
    /// Limits that were met while more of them waited than there is room for; those that waited said the same.
    dropped: u64,
}

/// `GET /api/session-keepers`.
pub(crate) async fn session_keepers(request: HttpRequest, worker: OnDuty) -> HttpResponse {
    respond(&request, shown(&worker, &request).await)
}

async fn shown(worker: &Worker, request: &HttpRequest) -> Result<SessionKeepers, Refusal> {
    reader(worker, request).await?;
    let keepers = &worker.house.keepers;
    Ok(SessionKeepers { session_keepers: keepers.shown().to_vec(), dropped: keepers.dropped() })
}

/// `POST /api/session-keepers/{name}/clear`.
pub(crate) async fn clear(request: HttpRequest, name: web::Path<String>, worker: OnDuty) -> HttpResponse {
    let id = request_id::of(&headers_of(request.headers()));
    match cleared(&worker, &request, &name, &id).await {
        Ok(()) => HttpResponse::Ok()
            .insert_header(("x-request-id", id))
            .json(json!({ "message": format!("The session keeper {name} may ask its bot again.") })),
        Err(refusal) => error_response::on_house(&refusal, &id),
    }
}

async fn cleared(worker: &Worker, request: &HttpRequest, name: &str, id: &str) -> Result<(), Refusal> {
    let operator = must_be_admin(worker, request, id).await?;
    if worker.house.keepers.clear(name).await.map_err(unavailable)? {
        worker.auditor.note(operator.did(AuditAction::KeeperCleared, name));
        return Ok(());
    }
    let shown: String = name.chars().take(64).filter(|c| !c.is_control()).collect();
    let message = format!("No session keeper is called {shown}. /api/session-keepers lists them.");
    Err(Refusal::new(ErrorKind::NotFound, message))
}
