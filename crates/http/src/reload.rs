//! Operators order the configuration to be read again.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::rt::time::timeout;
use actix_web::{HttpRequest, HttpResponse};
use keygate_domain::{AuditAction, ErrorKind, Refusal};
use keygate_journey::restarting;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::admin::must_be_admin;
use crate::proxy::headers_of;
use crate::worker::{OnDuty, Worker};
use crate::{error_response, request_id};

/// Orders that may wait at once; each is answered by a reload of its own.
const MOST_ORDERS: usize = 8;

/// How long an order may take. Reading thousands of keys is a matter of milliseconds; this is for
/// a disk that hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a reload did, as operators are told.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReloadReport {
    /// The settings that changed.
    pub changed: Vec<String>,
    /// The settings that changed and hold after a restart only.
    pub needs_restart: Vec<String>,
    /// What became of the keys of each provider that got others.
    pub keys: BTreeMap<&'static str, KeysChanged>,
    /// What an operator should know.
    pub warnings: Vec<String>,
}

impl ReloadReport {
    /// For the audit trail.
    pub fn in_words(&self) -> String {
        if self.changed.is_empty() && self.needs_restart.is_empty() {
            return "nothing changed".to_owned();
        }
        let mut words = self.changed.join(", ");
        if !self.needs_restart.is_empty() {
            words.push_str(" (after a restart: ");
            words.push_str(&self.needs_restart.join(", "));
            words.push(')');
        }
        words
    }
}

/// What became of the keys of one provider.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct KeysChanged {
    /// The labels of new keys.
    pub added: Vec<String>,
    /// The labels of keys that are lent no more; what runs under them goes on to its end.
    pub removed: Vec<String>,
    /// How many stay, with all that is known of them.
    pub kept: usize,
}

/// Why the configuration that runs stays.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReloadRefused {
    /// The new one is not valid: what, where, and the remedy.
    Invalid(String),
    /// The gateway itself could not do it; it tries again by itself.
    Failed(String),
}

/// An order under way: where its answer is waited for.
pub type ReloadOrder = oneshot::Sender<Result<ReloadReport, ReloadRefused>>;

/// Where orders come in.
pub type ReloadOrders = mpsc::Receiver<ReloadOrder>;

/// Where orders are given. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ReloadDesk(mpsc::Sender<ReloadOrder>);

/// A desk, and where its orders come in.
pub fn reload_desk() -> (ReloadDesk, ReloadOrders) {
    let (orders, incoming) = mpsc::channel(MOST_ORDERS);
    (ReloadDesk(orders), incoming)
}

/// `POST /api/keys/reload`.
pub(crate) async fn reload(request: HttpRequest, worker: OnDuty) -> HttpResponse {
    let id = request_id::of(&headers_of(request.headers()));
    match ordered(&worker, &request, &id).await {
        Ok(report) => HttpResponse::Ok().insert_header(("x-request-id", id)).json(told(&report)),
        Err(refusal) => error_response::on_house(&refusal, &id),
    }
}

fn told(report: &ReloadReport) -> Value {
    let ReloadReport { changed, needs_restart, keys, warnings } = report;
    let message = match (changed.is_empty(), needs_restart.is_empty()) {
        (true, true) => "Nothing changed",
        (true, false) => "Nothing changed that holds without a restart",
        (false, true) => "Configuration reloaded",
        (false, false) => "Configuration reloaded; some settings need a restart",
    };
    json!({
        "message": message,
        "changed": changed,
        "needs_restart": needs_restart,
        "keys": keys,
        "warnings": warnings,
    })
}

async fn ordered(worker: &Worker, request: &HttpRequest, id: &str) -> Result<ReloadReport, Refusal> {
    let operator = must_be_admin(worker, request, id).await?;
    let Some(ReloadDesk(desk)) = &worker.reloads else {
        let message =
            "This gateway does not read its configuration from files, so there is nothing to reload.";
        return Err(Refusal::new(ErrorKind::NotFound, message));
    };
    let (order, answer) = oneshot::channel();
    desk.try_send(order).map_err(|_full| restarting(Duration::from_secs(1)))?;
    match timeout(PATIENCE, answer).await {
        Ok(Ok(outcome)) => {
            worker.auditor.note(match &outcome {
                Ok(report) => operator.did(AuditAction::ConfigReloaded, &report.in_words()),
                Err(ReloadRefused::Invalid(why) | ReloadRefused::Failed(why)) => {
                    operator.did(AuditAction::ConfigRefused, why)
                }
            });
            outcome.map_err(refusal)
        }
        // It was dropped: the gateway is stopping.
        Ok(Err(_dropped)) => Err(restarting(Duration::from_secs(1))),
        Err(_elapsed) => {
            Err(Refusal::new(ErrorKind::DeadlineExceeded, "Reading the configuration took too long."))
        }
    }
}

fn refusal(refused: ReloadRefused) -> Refusal {
    match refused {
        ReloadRefused::Invalid(problem) => {
            let message = format!("The new configuration is refused, the running one stays: {problem}");
            Refusal::new(ErrorKind::ConfigurationRefused, message)
        }
        ReloadRefused::Failed(why) => Refusal::new(ErrorKind::Internal, why),
    }
}
