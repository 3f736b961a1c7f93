//! `POST /api/v1/assistant/batch`: many questions at once, each with a result of its own.

use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream::{self, StreamExt};
use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::asking::Asker;
use super::question::{Id, Question, bad, object};
use super::refusal::{NoReply, NoReplyResult};
use super::reply::Reply;
use crate::error_response::put;
use crate::proxy::headers_of;
use crate::request_id;
use crate::worker::{OnDuty, Worker};

/// Most questions of a batch.
const MOST_QUESTIONS: usize = 100;
/// Questions that are asked at the same time: at most, and unless the batch says.
const MOST_AT_ONCE: usize = 16;
const USUALLY_AT_ONCE: usize = 4;

/// Many questions. What is said beside them holds for each that does not say it itself.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Batch {
    questions: Vec<Question>,
    user_id: Option<Id>,
    project_id: Option<Id>,
    model: Option<String>,
    system: Option<String>,
    /// Questions asked at the same time. Whole, but some languages write 4.0.
    concurrency: Option<f64>,
}

#[derive(Serialize)]
struct BatchTold {
    /// In the order of the questions.
    results: Vec<ResultTold>,
    succeeded: usize,
    failed: usize,
    request_id: String,
}

#[derive(Serialize)]
struct ResultTold {
    index: usize,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Replied(Replied),
    Failed(Box<NoReplyResult>),
}

#[derive(Serialize)]
struct Replied {
    status: u16,
    #[serde(flatten)]
    reply: Reply,
}

/// Answers many questions.
pub(crate) async fn batch(request: HttpRequest, payload: web::Payload, worker: OnDuty) -> HttpResponse {
    let headers = headers_of(request.headers());
    let id = request_id::of(&headers);
    match answered(&worker, &request, headers, payload, &id).await {
        Ok(told) => {
            let mut response = HttpResponse::Ok().json(told);
            put(&mut response, "x-request-id", &id);
            response
        }
        Err(none) => none.respond(&id),
    }
}

async fn answered(
    worker: &Worker,
    request: &HttpRequest,
    headers: HeaderMap,
    payload: web::Payload,
    id: &str,
) -> Result<BatchTold, NoReply> {
    let (asker, batch) = Asker::heard(worker, request, (headers, id), payload, Batch::read).await?;
    let at_once = batch.at_once().unwrap_or(USUALLY_AT_ONCE);
    let questions = batch.spread().into_iter().enumerate();
    let asked = questions.map(|(index, question)| {
        let (asker, id) = (&asker, format!("{id}.{index}"));
        async move { ResultTold { index, outcome: Outcome::of(asker, &question, &id).await } }
    });
    let results: Vec<ResultTold> = stream::iter(asked).buffered(at_once).collect().await;
    let succeeded = results.iter().filter(|result| matches!(result.outcome, Outcome::Replied(_))).count();
    Ok(BatchTold { failed: results.len() - succeeded, succeeded, results, request_id: id.to_owned() })
}

impl Batch {
    fn read(body: &[u8]) -> Result<Self, keygate_domain::Refusal> {
        let batch: Self = object(body)?;
        if !(1..=MOST_QUESTIONS).contains(&batch.questions.len()) {
            return Err(bad(format!("`questions` must hold 1 to {MOST_QUESTIONS} questions.")));
        }
        if batch.questions.iter().any(Question::is_stream) {
            return Err(bad("A question of a batch cannot be streamed: leave `stream` out."));
        }
        if batch.at_once().is_none() {
            return Err(bad(format!("`concurrency` must be a whole number from 1 to {MOST_AT_ONCE}.")));
        }
        Ok(batch)
    }

    /// How many at the same time; nothing if that is no number of questions.
    fn at_once(&self) -> Option<usize> {
        let Some(asked) = self.concurrency else { return Some(USUALLY_AT_ONCE) };
        (1..=MOST_AT_ONCE).find(|count| (*count as f64 - asked).abs() < f64::EPSILON)
    }

    /// The questions, each with what was said for all.
    fn spread(self) -> Vec<Question> {
        let Self { mut questions, user_id, project_id, model, system, concurrency: _ } = self;
        for question in &mut questions {
            question.user_id = question.user_id.take().or_else(|| user_id.clone());
            question.project_id = question.project_id.take().or_else(|| project_id.clone());
            question.model = question.model.take().or_else(|| model.clone());
            question.system = question.system.take().or_else(|| system.clone());
        }
        questions
    }
}

impl Outcome {
    async fn of(asker: &Asker<'_>, question: &Question, id: &str) -> Self {
        let replied = match asker.ask(question, id).await {
            Ok(asked) => asker.reply(asked).await,
            Err(none) => Err(none),
        };
        match replied {
            Ok((draft, _facts)) => Self::Replied(Replied { status: 200, reply: draft.reply(id) }),
            Err(none) => Self::Failed(Box::new(none.result())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(batch: &Value) -> Result<Batch, String> {
        Batch::read(batch.to_string().as_bytes()).map_err(|refusal| refusal.message)
    }

    #[test]
    fn what_is_said_for_all_holds_where_a_question_says_nothing() {
        let batch = json!({
            "questions": [{"message": "a"}, {"message": "b", "model": "own", "user_id": "u2"}],
            "model": "common", "user_id": 7, "system": "Be brief.",
        });
        let batch = read(&batch).unwrap();
        assert_eq!(batch.at_once(), Some(USUALLY_AT_ONCE));
        let questions = batch.spread();
        let told = |question: &Question| {
            (question.model.clone(), question.user_id.clone().map(|id| id.0), question.system.clone())
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(told(&questions[0]), (text("common"), text("7"), text("Be brief.")));
        assert_eq!(told(&questions[1]), (text("own"), text("u2"), text("Be brief.")));
    }

    #[test]
    fn a_batch_is_bounded() {
        let of = |count: usize| json!({"questions": vec![json!({"message": "x"}); count]});
        assert!(read(&of(MOST_QUESTIONS)).is_ok());
        for (batch, why) in [
            (of(0), "1 to 100"),
            (of(MOST_QUESTIONS + 1), "1 to 100"),
            (json!({"questions": [{"message": "x", "stream": true}]}), "streamed"),
            (json!({"questions": [{"message": "x"}], "concurrency": 0}), "concurrency"),
            (json!({"questions": [{"message": "x"}], "concurrency": 17}), "concurrency"),
            (json!({"questions": [{"message": "x"}], "concurrency": 1.5}), "concurrency"),
            (json!({"questions": {}}), "sequence"),
        ] {
            assert!(read(&batch).err().unwrap().contains(why), "{batch}");
        }
    }
}
