//! Operators' routes: everything that changes something.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use keygate_actors::{Unavailable, audit_entry};
use keygate_domain::{AuditAction, AuditEntry, ErrorKind, KeyId, Refusal};
use keygate_journey::restarting;
use serde::Deserialize;
use serde_json::json;

use crate::caller::{Stranger, ended, peer_of, wrong_token};
use crate::credentials::{Looked, admin_token};
use crate::proxy::{headers_of, read};
use crate::worker::{OnDuty, Worker};
use crate::{error_response, request_id};

/// Which keys to reset; all of them when absent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct ResetKeys {
    ids: Option<Vec<String>>,
}

/// Largest body of an operator's request, in bytes.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// How long an operator's body may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(30);

/// Clears cooldowns and disabled states.
pub(crate) async fn reset_keys(
    request: HttpRequest,
    provider: web::Path<String>,
    payload: web::Payload,
    worker: OnDuty,
) -> HttpResponse {
    let id = request_id::of(&headers_of(request.headers()));
    match reset(&worker, &request, &provider, payload, &id).await {
        Ok(()) => HttpResponse::Ok()
            .insert_header(("x-request-id", id))
            .json(json!({ "message": "Failed API keys reset successfully" })),
        Err(refusal) => error_response::on_house(&refusal, &id),
    }
}

async fn reset(
    worker: &Worker,
    request: &HttpRequest,
    provider: &str,
    payload: web::Payload,
    id: &str,
) -> Result<(), Refusal> {
    let operator = must_be_admin(worker, request, id).await?;
    let lane = worker.house.lane_called(provider).ok_or_else(|| no_such_provider(provider))?;
    let body = read(payload, MAX_BODY_BYTES, request, BODY_PATIENCE).await?;
    let ids = named_keys(&body)?;
    if let Some(ids) = &ids {
        let known = lane.supervisor.observe().await.map_err(unavailable)?;
        if let Some(unknown) = ids.iter().find(|id| known.keys.iter().all(|key| key.id != **id)) {
            let message = format!("No key has the id {unknown}. /api/{provider}/status lists the ids.");
            return Err(Refusal::new(ErrorKind::NotFound, message));
        }
    }
    let which = ids.as_deref().map_or_else(|| "all keys".to_owned(), listed);
    let count = lane.supervisor.reset(ids).await.map_err(unavailable)?;
    let details = format!("{}: {which} ({count} reset)", lane.adapter.name);
    worker.auditor.note(operator.did(AuditAction::KeysReset, &details));
    Ok(())
}

fn listed(ids: &[KeyId]) -> String {
    ids.iter().map(KeyId::as_str).collect::<Vec<_>>().join(", ")
}

fn named_keys(body: &[u8]) -> Result<Option<Vec<KeyId>>, Refusal> {
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    let asked: ResetKeys = serde_json::from_slice(body).map_err(|error| {
        let message = format!("The body must be {{\"ids\": [\"…\"]}} or empty: {error}");
        Refusal::new(ErrorKind::BadRequest, message)
    })?;
    Ok(asked.ids.map(|ids| ids.iter().map(|id| KeyId::from(id.as_str())).collect()))
}

pub(crate) fn unavailable(why: Unavailable) -> Refusal {
    restarting(why.retry_after)
}

pub(crate) fn no_such_provider(name: &str) -> Refusal {
    let shown: String = name.chars().take(64).filter(|c| !c.is_control()).collect();
    Refusal::new(ErrorKind::NotFound, format!("No provider {shown} is configured."))
}

/// An operator, and the request in which they do something.
pub(crate) struct Operator<'a> {
    who: String,
    request: &'a HttpRequest,
    request_id: &'a str,
}

impl Operator<'_> {
    /// What they did, for the audit trail.
    pub(crate) fn did(&self, action: AuditAction, details: &str) -> AuditEntry {
        audit_entry(&self.who, action, details).by_request(peer_of(self.request), self.request_id)
    }
}

/// Admin routes need a token on loopback too: a web page in the operator's browser can reach
/// loopback.
pub(crate) async fn must_be_admin<'a>(
    worker: &Worker,
    request: &'a HttpRequest,
    request_id: &'a str,
) -> Result<Operator<'a>, Refusal> {
    if !worker.doorkeeper.has_admin() {
        return Err(Refusal::new(
            ErrorKind::Forbidden,
            "No admin token is configured. Set KEYGATE_ADMIN_TOKEN in the gateway's environment.",
        ));
    }
    let headers = headers_of(request.headers());
    let Some(token) = admin_token(&headers) else {
        return Err(Refusal::new(
            ErrorKind::Unauthenticated,
            "Send the admin token as Authorization: Bearer or X-Keygate-Admin-Token.",
        ));
    };
    if let Some(who) = worker.doorkeeper.operator_of(token) {
        return Ok(Operator { who: who.to_owned(), request, request_id });
    }
    let stranger = Stranger::of(request, request_id);
    match worker.doorkeeper.client_of(token) {
        Looked::Known(client) => {
            let entry = audit_entry(&client.name, AuditAction::AdminRefused, request.path());
            worker.auditor.note(entry.by_request(stranger.peer, request_id));
            Err(Refusal::new(ErrorKind::Forbidden, "This token lacks the scope `admin`."))
        }
        Looked::Ended => Err(wrong_token(worker, &stranger, ended()).await),
        Looked::Unknown => {
            let wrong = Refusal::new(ErrorKind::Unauthenticated, "This is not the admin token.");
            Err(wrong_token(worker, &stranger, wrong).await)
        }
    }
}
