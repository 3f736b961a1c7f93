//! `POST /api/v1/assistant/query`: one question.

use actix_web::{HttpRequest, HttpResponse, web};
use http::HeaderMap;

use super::asking::Asker;
use super::events;
use super::question::Question;
use super::refusal::NoReply;
use crate::answer_out::put_facts;
use crate::error_response::{put, put_static};
use crate::proxy::headers_of;
use crate::request_id;
use crate::worker::{OnDuty, Worker};

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
    let (asker, question) = Asker::heard(worker, request, (headers, id), payload, Question::read).await?;
    let asked = asker.ask(&question, id).await?;
    let mut response = if question.is_stream() && asked.is_success() {
        events::respond(asked.answer, &question, worker, asker.busy(), id)
    } else {
        let (draft, facts) = asker.reply(asked).await?;
        let mut response = HttpResponse::Ok().json(draft.reply(id));
        put_facts(&mut response, &facts);
        put_static(&mut response, "x-keygate-source", facts.source.as_str());
        response
    };
    put(&mut response, "x-request-id", id);
    Ok(response)
}
