//! `GET /api/answers/status`: what was answered without asking the provider.

use actix_web::{HttpRequest, HttpResponse};
use keygate_journey::Tallied;
use serde::Serialize;

use crate::error_response::{on_house, put};
use crate::proxy::headers_of;
use crate::reader::reader;
use crate::request_id;
use crate::worker::{OnDuty, Worker};

#[derive(Serialize)]
struct Told {
    stored_answers: StoredTold,
    cache: CacheTold,
}

#[derive(Serialize)]
struct StoredTold {
    enabled: bool,
    /// Requests answered with one.
    used: u64,
}

#[derive(Serialize)]
struct CacheTold {
    enabled: bool,
    hits: u64,
    misses: u64,
    bypassed: u64,
    /// Answers that are kept, and the memory they take.
    answers: u64,
    bytes: u64,
    max_bytes: u64,
}

/// Tells it to who may look at the pools.
pub(crate) async fn status(request: HttpRequest, worker: OnDuty) -> HttpResponse {
    let id = request_id::of(&headers_of(request.headers()));
    let mut response = match reader(&worker, &request).await {
        Ok(_anybody) => HttpResponse::Ok().json(told(&worker)),
        Err(refusal) => return on_house(&refusal, &id),
    };
    put(&mut response, "x-request-id", &id);
    response
}

fn told(worker: &Worker) -> Told {
    let Tallied { hits, misses, bypassed, stored } = worker.tally.told();
    let (answers, bytes) = worker.house.cache.as_ref().map_or((0, 0), keygate_journey::ResponseCache::size);
    let rules = &worker.rules;
    Told {
        stored_answers: StoredTold { enabled: rules.answers.enabled, used: stored },
        cache: CacheTold {
            enabled: rules.cache.enabled,
            hits,
            misses,
            bypassed,
            answers,
            bytes,
            max_bytes: rules.cache.max_size,
        },
    }
}
