//! Operators' routes: everything that changes something.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use keygate_actors::Unavailable;
use keygate_domain::{ErrorKind, KeyId, Refusal};
use keygate_journey::restarting;
use serde::Deserialize;
use serde_json::json;

use crate::caller::wrong_token;
use crate::credentials::admin_token;
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
    match reset(&worker, &request, &provider, payload).await {
        Ok(keys) => {
            tracing::info!(audit = true, request_id = %id, provider = %provider, keys, "keys reset by an operator");
            HttpResponse::Ok()
                .insert_header(("x-request-id", id))
                .json(json!({ "message": "Failed API keys reset successfully" }))
        }
        Err(refusal) => error_response::on_house(&refusal, &id),
    }
}

async fn reset(
    worker: &Worker,
    request: &HttpRequest,
    provider: &str,
    payload: web::Payload,
) -> Result<usize, Refusal> {
    must_be_admin(worker, request).await?;
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
    lane.supervisor.reset(ids).await.map_err(unavailable)
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

/// Admin routes need a token on loopback too: a web page in the operator's browser can reach
/// loopback.
pub(crate) async fn must_be_admin(worker: &Worker, request: &HttpRequest) -> Result<(), Refusal> {
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
    if worker.doorkeeper.is_admin(token) {
        return Ok(());
    }
    if worker.doorkeeper.client_of(token).is_some() {
        return Err(Refusal::new(ErrorKind::Forbidden, "This token lacks the scope `admin`."));
    }
    let wrong = Refusal::new(ErrorKind::Unauthenticated, "This is not the admin token.");
    Err(wrong_token(worker, request, wrong).await)
}
