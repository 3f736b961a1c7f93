//! Operators take a key out of use, or bring it back.

use actix_web::{HttpRequest, HttpResponse, web};
use keygate_domain::{AuditAction, ErrorKind, KeyId, Refusal};
use keygate_journey::Lane;
use keygate_pool::{KeySnapshot, PoolSnapshot};
use serde_json::{Value, json};

use crate::admin::{Operator, must_be_admin, no_such_provider, unavailable};
use crate::proxy::headers_of;
use crate::worker::{OnDuty, Worker};
use crate::{error_response, request_id};

/// The provider and the key, as the path names them.
type Named = web::Path<(String, String)>;

/// `POST /api/{provider}/keys/{id}/disable`: nobody gets it until it is enabled, a restart included.
pub(crate) async fn disable(request: HttpRequest, named: Named, worker: OnDuty) -> HttpResponse {
    answer(&request, &worker, &named, false).await
}

/// `POST /api/{provider}/keys/{id}/enable`: brings it back, and its group if that is disabled, whoever took it out.
pub(crate) async fn enable(request: HttpRequest, named: Named, worker: OnDuty) -> HttpResponse {
    answer(&request, &worker, &named, true).await
}

async fn answer(
    request: &HttpRequest,
    worker: &Worker,
    named: &(String, String),
    is_enabled: bool,
) -> HttpResponse {
    let id = request_id::of(&headers_of(request.headers()));
    let switched = match must_be_admin(worker, request, &id).await {
        Ok(operator) => switched(worker, &operator, named, is_enabled).await,
        Err(refusal) => Err(refusal),
    };
    match switched {
        Ok(key) => HttpResponse::Ok().insert_header(("x-request-id", id)).json(key),
        Err(refusal) => error_response::on_house(&refusal, &id),
    }
}

async fn switched(
    worker: &Worker,
    operator: &Operator<'_>,
    named: &(String, String),
    is_enabled: bool,
) -> Result<Value, Refusal> {
    let (provider, id) = named;
    let lane = worker.house.lane_called(provider).ok_or_else(|| no_such_provider(provider))?;
    let id = KeyId::from(id.as_str());
    // A key on its way out of the configuration is in nobody's list, and nobody's to bring back.
    if find(&observed(lane).await?, &id).is_none() {
        return Err(no_such_key(provider, &id));
    }
    let supervisor = &lane.supervisor;
    let switched =
        if is_enabled { supervisor.enable(id.clone()).await } else { supervisor.disable(id.clone()).await };
    if !switched.map_err(unavailable)? {
        return Err(no_such_key(provider, &id));
    }
    let action = if is_enabled { AuditAction::KeyEnabled } else { AuditAction::KeyDisabled };
    worker.auditor.note(operator.did(action, &format!("{}: {id}", lane.adapter.name)));
    let pool = observed(lane).await?;
    let key = find(&pool, &id).ok_or_else(|| no_such_key(provider, &id))?;
    Ok(json!({ "id": key.id, "label": &*key.label, "state": key.state }))
}

async fn observed(lane: &Lane) -> Result<PoolSnapshot, Refusal> {
    lane.supervisor.observe().await.map_err(unavailable)
}

fn find<'a>(pool: &'a PoolSnapshot, id: &KeyId) -> Option<&'a KeySnapshot> {
    pool.keys.iter().find(|key| key.id == *id)
}

fn no_such_key(provider: &str, id: &KeyId) -> Refusal {
    let shown: String = id.as_str().chars().take(64).filter(|c| !c.is_control()).collect();
    let message = format!("No key has the id {shown}. /api/{provider}/status lists the ids.");
    Refusal::new(ErrorKind::NotFound, message)
}
