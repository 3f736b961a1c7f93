//! `GET /api/usage`: what was used, by whom and of what, as JSON or CSV.

use std::fmt;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use async_trait::async_trait;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use keygate_actors::clock;
use keygate_domain::{
    ClientId, ErrorKind, Refusal, UsageGroup, UsageQuery, UsageReport, UsageRow, UsageSums,
};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::caller::{Stranger, ended, why_not, wrong_token};
use crate::credentials::{Looked, Shown, admin_token, shown};
use crate::proxy::headers_of;
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

#[derive(Serialize)]
struct Told {
    from: Timestamp,
    to: Timestamp,
    group_by: UsageGroup,
    rows: Vec<UsageRow>,
    total: UsageSums,
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
            .body(csv(&told)),
        Err(refusal) => error_response::on_house(&refusal, &id),
    }
}

async fn told(worker: &Worker, request: &HttpRequest) -> Result<(Told, Format), Refusal> {
    let asker = asker(worker, request).await?;
    let read = web::Query::<Question>::from_query(request.query_string()).map(web::Query::into_inner);
    let question = read.map_err(|error| bad(format!("The query is not understood: {error}.")))?;
    let format = match question.format.as_deref() {
        None | Some("json") => Format::Json,
        Some("csv") => Format::Csv,
        Some(_) => return Err(bad("Usage is told in the format json or csv.")),
    };
    let group_by = question.group_by.as_deref().map_or(Ok(UsageGroup::default()), str::parse);
    let group_by = group_by.map_err(|error: keygate_domain::UnknownUsageGroup| bad(format!("{error}.")))?;
    let now = clock::now().wall;
    let from = question.from.as_deref().map_or_else(|| Ok(first_of_month(now)), |text| moment(text, 0))?;
    let to = question.to.as_deref().map_or(Ok(now), |text| moment(text, 1))?;
    if from > to {
        return Err(bad("`from` is later than `to`."));
    }
    let only_client = match asker {
        Asker::Operator => None,
        Asker::Client(client) => Some(client.to_string()),
    };
    let (from_ms, to_ms) = (from.as_millisecond(), to.as_millisecond());
    let query = UsageQuery { from_ms, to_ms, group_by, only_client };
    let UsageReport { rows, total } = worker.books.usage(query).await?;
    Ok((Told { from, to, group_by, rows, total }, format))
}

/// A moment, or the midnight `later` days after a day begins.
fn moment(text: &str, later: i32) -> Result<Timestamp, Refusal> {
    let of_day = |date: Date| date.checked_add(later.days()).ok()?.to_zoned(TimeZone::UTC).ok();
    let of_day = text.parse::<Date>().ok().filter(|_| text.len() == "2026-11-01".len()).and_then(of_day);
    let moment = of_day.map_or_else(|| text.parse::<Timestamp>().ok(), |zoned| Some(zoned.timestamp()));
    moment.ok_or_else(|| {
        bad("`from` and `to` are days, such as 2026-11-01, or moments, such as 2026-11-01T08:30:00Z.")
    })
}

fn first_of_month(now: Timestamp) -> Timestamp {
    let today = now.to_zoned(TimeZone::UTC);
    today.first_of_month().and_then(|first| first.start_of_day()).map_or(now, |first| first.timestamp())
}

fn csv(told: &Told) -> Vec<u8> {
    let mut lines = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    let header = [
        "key",
        "requests",
        "attempts",
        "errors",
        "input_tokens",
        "output_tokens",
        "thought_tokens",
        "cached_tokens",
        "total_tokens",
        "estimated_tokens",
    ];
    // Writing to memory cannot fail.
    let _ = lines.write_record(header);
    for UsageRow { key, sums } in &told.rows {
        let UsageSums {
            requests,
            attempts,
            errors,
            input_tokens,
            output_tokens,
            thought_tokens,
            cached_tokens,
            total_tokens,
            estimated_tokens,
        } = *sums;
        let numbers = [
            requests,
            attempts,
            errors,
            input_tokens,
            output_tokens,
            thought_tokens,
            cached_tokens,
            total_tokens,
            estimated_tokens,
        ];
        let _ = lines.serialize((key, numbers));
    }
    lines.into_inner().unwrap_or_default()
}

pub(crate) fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorKind::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_moments_are_understood() {
        let at = |text: &str, later| moment(text, later).map(|moment| moment.to_string()).ok();
        assert_eq!(at("2026-11-01", 0).as_deref(), Some("2026-11-01T00:00:00Z"));
        assert_eq!(at("2026-11-30", 1).as_deref(), Some("2026-12-01T00:00:00Z"), "the day is included");
        assert_eq!(at("2026-11-01T08:30:00+01:00", 1).as_deref(), Some("2026-11-01T07:30:00Z"));
        assert_eq!(at("yesterday", 0), None);
        assert_eq!(
            first_of_month("2026-11-21T10:00:00Z".parse().unwrap()).to_string(),
            "2026-11-01T00:00:00Z"
        );
    }

    #[test]
    fn a_name_with_a_comma_is_one_field_of_a_csv() {
        let sums = UsageSums { requests: 1, total_tokens: 7, ..UsageSums::default() };
        let rows = vec![UsageRow { key: "Ann, \"the\" user".to_owned(), sums }];
        let now = Timestamp::UNIX_EPOCH;
        let told = Told { from: now, to: now, group_by: UsageGroup::User, rows, total: sums };
        let text = String::from_utf8(csv(&told)).unwrap();
        assert_eq!(text.lines().nth(1), Some("\"Ann, \"\"the\"\" user\",1,0,0,0,0,0,0,7,0"));
    }
}
