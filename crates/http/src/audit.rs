//! `GET /api/audit`: who did what, for operators.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use keygate_domain::{AuditPage, AuditRow, ErrorKind, Refusal};
use serde::{Deserialize, Serialize};

use crate::admin::must_be_admin;
use crate::error_response;
use crate::proxy::headers_of;
use crate::request_id;
use crate::worker::{OnDuty, Worker};

/// Rows of a page that names no number.
const USUAL_ROWS: i64 = 100;

/// Most rows of a page.
const MOST_ROWS: i64 = 1000;

/// When to come back while the database cannot be read.
const COME_BACK_IN: Duration = Duration::from_secs(2);

/// Which rows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    before: Option<i64>,
    since: Option<Timestamp>,
    limit: Option<i64>,
}

/// A page, newest first.
#[derive(Serialize)]
struct Page {
    rows: Vec<Row>,
    /// What to send as `before` for the next page; `null` when there is none.
    next_before: Option<i64>,
}

#[derive(Serialize)]
struct Row {
    number: i64,
    at: Option<Timestamp>,
    who: String,
    action: String,
    details: String,
    peer: Option<String>,
    request_id: Option<String>,
    count: i64,
    hash: String,
}

/// `GET /api/audit`.
pub(crate) async fn audit(request: HttpRequest, worker: OnDuty) -> HttpResponse {
    let id = request_id::of(&headers_of(request.headers()));
    match page(&worker, &request, &id).await {
        Ok(page) => HttpResponse::Ok().insert_header(("x-request-id", id)).json(page),
        Err(refusal) => error_response::on_house(&refusal, &id),
    }
}

async fn page(worker: &Worker, request: &HttpRequest, id: &str) -> Result<Page, Refusal> {
    must_be_admin(worker, request, id).await?;
    let wanted =
        web::Query::<Wanted>::from_query(request.query_string()).map_err(|error| bad(&error.to_string()))?;
    let most = wanted.limit.unwrap_or(USUAL_ROWS);
    if !(1..=MOST_ROWS).contains(&most) {
        return Err(bad(&format!("limit is a number from 1 to {MOST_ROWS}")));
    }
    let asked = AuditPage {
        before: wanted.before.unwrap_or(i64::MAX),
        since_ms: wanted.since.map_or(i64::MIN, Timestamp::as_millisecond),
        most,
    };
    let rows = worker.auditor.page(asked).await.map_err(|_trouble| unreadable())?;
    let is_full = i64::try_from(rows.len()).is_ok_and(|count| count == most);
    let next_before = rows.last().filter(|last| is_full && last.number > 1).map(|last| last.number);
    Ok(Page { rows: rows.into_iter().map(Row::from).collect(), next_before })
}

fn bad(what: &str) -> Refusal {
    Refusal::new(ErrorKind::BadRequest, format!("The query is not understood: {what}."))
}

fn unreadable() -> Refusal {
    let message = "The audit trail cannot be read: the database does not answer. Look at the gateway's log.";
    Refusal::for_a_while(ErrorKind::Overloaded, message, COME_BACK_IN)
}

impl From<AuditRow> for Row {
    fn from(AuditRow { number, entry, hash }: AuditRow) -> Self {
        Self {
            number,
            at: Timestamp::from_millisecond(entry.at_ms).ok(),
            who: entry.who,
            action: entry.action,
            details: entry.details,
            peer: entry.peer,
            request_id: entry.request_id,
            count: entry.count,
            hash: hash.to_string(),
        }
    }
}
