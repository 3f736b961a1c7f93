//! `POST /api/v1/assistant/query`: one question.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use http::HeaderMap;

use super::asking::Asker;
use super::events;
use super::question::Question;
use super::refusal::NoReply;
use crate::answer_out::put_facts;
use crate::error_response::{put, put_static};
use crate::proxy::{headers_of, read};
use crate::request_id;
use crate::worker::{OnDuty, Worker};

/// Largest question, in bytes.
pub(super) const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// How long a question may take to arrive.
pub(super) const BODY_PATIENCE: Duration = Duration::from_secs(30);

/// Answers one question.
pub(crate) async fn query(request: HttpRequest, payload: web::Payload, worker: OnDuty) -> HttpResponse {
    let headers = headers_of(request.headers());
    let id = request_id::of(&headers);
    match answered(&worker, &request, headers, payload, &id).await {
        Ok(response) => response,
        Err(none) => none.respond(&id),
    }
}

async fn answered(
    worker: &Worker,
    request: &HttpRequest,
    headers: HeaderMap,
    payload: web::Payload,
    id: &str,
) -> Result<HttpResponse, NoReply> {
    let messages = &worker.rules.assistant.busy_message;
    let theirs = headers.clone();
    let asker = Asker::at_the_door(worker, request, headers).await;
    let asker = asker.map_err(|refused| NoReply::refused(refused, messages, &theirs))?;
    let limit = MAX_BODY_BYTES.min(worker.max_body_bytes);
    let body = read(payload, limit, request, BODY_PATIENCE).await;
    let question = body.and_then(|body| Question::read(&body));
    let question = question.map_err(|refusal| NoReply::of(refusal, messages, &theirs))?;
    let asked = asker.ask(&question, id).await?;
    let mut response = if question.is_stream() && asked.is_success() {
        events::respond(asked.answer, &question, worker, &theirs, id)
    } else {
        let (draft, facts) = asker.reply(asked).await?;
        let mut response = HttpResponse::Ok().json(draft.reply(id));
        put_facts(&mut response, &facts);
        response
    };
    put(&mut response, "x-request-id", id);
    put_static(&mut response, "x-keygate-source", "provider");
    Ok(response)
}
