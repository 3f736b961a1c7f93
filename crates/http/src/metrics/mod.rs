//! `GET /metrics`, and the same numbers where they are sent: what was counted, and how everything stands at this
//! moment.
//!
//! What requests count is gathered from the workers; states (keys, budgets, queues, the ledger, the process) are
//! read here, when somebody asks, from the same snapshots as the status routes. To add one: a line in
//! `keygate_telemetry::metrics::table`, a row in `docs/metrics.md`, and a line here, in the file it belongs to.

mod house;
mod pools;
mod process;

use actix_web::{HttpRequest, HttpResponse};
use keygate_actors::clock;
use keygate_domain::{ErrorKind, Moment, Refusal};
use keygate_telemetry::MetricsSource;
use keygate_telemetry::metrics::{Format, Metrics, Page};

use crate::error_response::{on_house, put};
use crate::front::Crew;
use crate::proxy::headers_of;
use crate::reader::reader;
use crate::request_id;
use crate::rules::RuleBoard;
use crate::worker::{OnDuty, Worker};

/// Tells it to who may look at the pools.
pub(crate) async fn metrics(request: HttpRequest, worker: OnDuty) -> HttpResponse {
    let id = request_id::of(&headers_of(request.headers()));
    let accept = request.headers().get("accept").and_then(|accept| accept.to_str().ok());
    let format = Format::asked(accept.unwrap_or_default());
    let mut response = match told(&worker, &request).await {
        Ok(page) => HttpResponse::Ok().content_type(format.content_type()).body(page.written(format)),
        Err(refusal) => return on_house(&refusal, &id),
    };
    put(&mut response, "x-request-id", &id);
    response
}

async fn told(worker: &Worker, request: &HttpRequest) -> Result<Page, Refusal> {
    reader(worker, request).await?;
    let observatory = worker.observatory.as_ref().ok_or_else(switched_off)?;
    Ok(observatory.page().await)
}

/// From where everything that metrics tell can be seen, whoever asks for it.
#[derive(Clone)]
pub struct Observatory {
    metrics: Metrics,
    crew: Crew,
    board: RuleBoard,
}

impl Observatory {
    /// What was counted, who works, and by which rules.
    pub fn new(metrics: Metrics, crew: Crew, board: RuleBoard) -> Self {
        Self { metrics, crew, board }
    }
}

impl MetricsSource for Observatory {
    async fn page(&self) -> Page {
        let posted = self.board.posted();
        let mut page = Page::default();
        self.metrics.gather(&mut page);
        for supervisor in &self.crew.supervisors {
            pools::tell(&mut page, supervisor).await;
        }
        house::tell(&mut page, &self.crew, &posted, &self.board.tally());
        process::tell(&mut page);
        page
    }

    fn now(&self) -> Moment {
        clock::now()
    }
}

fn switched_off() -> Refusal {
    let message = "Metrics are switched off here. Set telemetry.metrics to true and restart the gateway.";
    Refusal::new(ErrorKind::NotFound, message)
}
