//! Whether the process lives, and whether it can serve.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::rt::time::timeout;
use keygate_actors::Vital;
use serde_json::json;

use crate::worker::OnDuty;

/// How long a part may take to answer. It does in microseconds; this is for one that is stuck.
const PATIENCE: Duration = Duration::from_secs(1);

/// The process answers: nothing more is promised.
pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// Every provider's pool answers, and so does the limiter in front of them. A pool whose keys all
/// rest is ready too: it answers, honestly. So is a house whose database fails: it serves on and
/// makes up for it, and says so. One that was told to stop is not: others should be asked from here on.
pub(crate) async fn readyz(worker: OnDuty) -> HttpResponse {
    let house = &worker.house;
    let leaves = worker.departure.has_begun();
    let mut is_ready = !leaves && is_ready_now(&house.limiter).await;
    let mut providers = serde_json::Map::new();
    for (name, lane) in &house.lanes {
        let serves = is_ready_now(&lane.supervisor).await;
        is_ready &= serves;
        providers.insert(name.to_string(), json!(if serves { "ready" } else { "unavailable" }));
    }
    let trouble = worker.storage_trouble();
    let mut body = json!({
        "status": if leaves { "stopping" } else if is_ready { "ready" } else { "not_ready" },
        "providers": providers,
        "storage": if trouble.is_none() { "ready" } else { "degraded" },
    });
    if let Some(reason) = trouble {
        body["storage_reason"] = json!(reason);
    }
    if is_ready { HttpResponse::Ok().json(body) } else { HttpResponse::ServiceUnavailable().json(body) }
}

async fn is_ready_now(part: &dyn Vital) -> bool {
    part.vitals().is_ready() && timeout(PATIENCE, part.answers()).await.unwrap_or(false)
}
