//! `GET /api/usage`: what was used, by whom and of what, as JSON or CSV.

use std::fmt;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use async_trait::async_trait;
use keygate_actors::clock;
use keygate_domain::{ClientId, ErrorKind, Refusal, UnknownUsageGroup, UsageGroup, UsageQuery, UsageReport};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::caller::{Stranger, ended, why_not, wrong_token};
use crate::credentials::{Looked, Shown, admin_token, shown};
use crate::proxy::headers_of;
use crate::usage_report::{UsagePeriod, UsageTold};
use crate::worker::{OnDuty, Worker};
use crate::{error_response, request_id};

/// What answers about usage: the ledger's database.
#[async_trait]
pub trait UsageSource: Send + Sync {
    /// Sums over the ledger.
    ///
    /// # Errors
    /// When the database does not answer; it says why in its log.
    async fn usage(&self, query: UsageQuery) -> Result<UsageReport, UsageUnavailable>;
}

/// The database does not answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the database does not answer")]
pub struct UsageUnavailable;

/// The ledger, to be asked. Cheap to clone.
#[derive(Clone)]
pub struct UsageBooks(Arc<dyn UsageSource>);

impl UsageBooks {
    /// Asks `source`.
    pub fn new(source: Arc<dyn UsageSource>) -> Self {
        Self(source)
    }

    pub(crate) async fn usage(&self, query: UsageQuery) -> Result<UsageReport, Refusal> {
        self.0.usage(query).await.map_err(|UsageUnavailable| {
            let message = "The database does not answer. Nothing is lost; ask again shortly.";
            Refusal::for_a_while(ErrorKind::Overloaded, message, std::time::Duration::from_secs(5))
        })
    }
}

impl fmt::Debug for UsageBooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UsageBooks")
    }
}

/// Who asks about usage.
pub(crate) enum Asker {
    /// An operator: about everybody.
    Operator,
    /// A client: about its own users.
    Client(ClientId),
}

/// Finds out who asks. Names of users are nobody else's business, on loopback neither.
///
/// # Errors
/// When it is nobody who may.
pub(crate) async fn asker(worker: &Worker, request: &HttpRequest) -> Result<Asker, Refusal> {
    let headers = headers_of(request.headers());
    if admin_token(&headers).is_some_and(|token| worker.doorkeeper.operator_of(token).is_some()) {
        return Ok(Asker::Operator);
    }
    let shown = shown(&headers, request.uri().query());
    let client = match &shown {
        Shown::One(token) => worker.doorkeeper.client_of(token),
        Shown::Nothing | Shown::Several => Looked::Unknown,
    };
    let request_id = request_id::of(&headers);
    let stranger = Stranger::of(request, &request_id);
    match (client, &shown) {
        (Looked::Known(client), _) => Ok(Asker::Client(client.id.clone())),
        (Looked::Ended, _) => Err(wrong_token(worker, &stranger, ended()).await),
        (Looked::Unknown, Shown::One(_)) => Err(wrong_token(worker, &stranger, why_not(&shown)).await),
        (Looked::Unknown, Shown::Several) => Err(why_not(&shown)),
        (Looked::Unknown, Shown::Nothing) => Err(Refusal::new(
            ErrorKind::Unauthenticated,
            "Usage is told to operators (send the admin token) and to clients about their own users (send the \
             client's token).",
        )),
    }
}

/// What is asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    /// From when on: a day (`2026-11-01`) or a moment (RFC 3339). The first of this month.
    from: Option<String>,
    /// Up to when: a day, which is included, or a moment, which is not. Now.
    to: Option<String>,
    group_by: Option<String>,
    format: Option<String>,
    /// A client's token may be shown here.
    #[serde(rename = "key")]
    _key: Option<IgnoredAny>,
}

/// How it is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
}

/// `GET /api/usage`.
pub(crate) async fn usage(request: HttpRequest, worker: OnDuty) -> HttpResponse {
    let id = request_id::of(&headers_of(request.headers()));
    match told(&worker, &request).await {
        Ok((told, Format::Json)) => HttpResponse::Ok().insert_header(("x-request-id", id)).json(told),
        Ok((told, Format::Csv)) => HttpResponse::Ok()
            .insert_header(("x-request-id", id))
            .insert_header(("content-disposition", "attachment; filename=\"usage.csv\""))
            .content_type("text/csv; charset=utf-8")
            .body(told.as_csv()),
        Err(refusal) => error_response::on_house(&refusal, &id),
    }
}

async fn told(worker: &Worker, request: &HttpRequest) -> Result<(UsageTold, Format), Refusal> {
    let asker = asker(worker, request).await?;
    let read = web::Query::<Question>::from_query(request.query_string()).map(web::Query::into_inner);
    let question = read.map_err(|error| bad(format!("The query is not understood: {error}.")))?;
    let format = match question.format.as_deref() {
        None | Some("json") => Format::Json,
        Some("csv") => Format::Csv,
        Some(_) => return Err(bad("Usage is told in the format json or csv.")),
    };
    let group_by = question.group_by.as_deref().map_or(Ok(UsageGroup::default()), str::parse);
    let group_by = group_by.map_err(|error: UnknownUsageGroup| bad(format!("{error}.")))?;
    let period = UsagePeriod::read(question.from.as_deref(), question.to.as_deref(), clock::now().wall);
    let period = period.map_err(|error| bad(format!("{error}.")))?;
    let only_client = match asker {
        Asker::Operator => None,
        Asker::Client(client) => Some(client.to_string()),
    };
    let report = worker.books.usage(period.query(group_by, only_client)).await?;
    Ok((UsageTold::new(period, group_by, report), format))
}

pub(crate) fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorKind::BadRequest, message)
}
