//! A reply as server-sent events: `delta` with each piece of text, then `done` with the whole reply, or `error`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::task::{Poll, ready};

use actix_web::HttpResponse;
use actix_web::body::BodyStream;
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use keygate_domain::Refusal;
use keygate_journey::{Answer, AnswerBody, Facts, Refused, Relay};
use serde::Serialize;
use serde_json::json;

use super::asking::broken_off;
use super::line_reader::LineReader;
use super::question::Question;
use super::refusal::NoReply;
use super::reply::{Draft, Native};
use crate::answer_out::put_facts;
use crate::error_response::put_static;
use crate::worker::Worker;

/// A reply on its way.
struct Telling {
    relay: Option<Box<Relay>>,
    lines: LineReader,
    draft: Option<Draft>,
    out: VecDeque<Bytes>,
    failure: Box<dyn Fn(Failure) -> NoReply>,
    request_id: String,
}

/// Why a stream has no `done`.
enum Failure {
    /// The gateway says so.
    Refused(Refusal),
    /// The provider said so inside the stream.
    Told { status: u16, message: String },
}

/// The response that streams an answer.
pub(super) fn respond(
    answer: Answer,
    question: &Question,
    worker: &Worker,
    busy: &str,
    id: &str,
) -> HttpResponse {
    let config = &worker.rules.assistant;
    let model = question.model.as_deref().unwrap_or(&config.model);
    let (facts, busy) = (answer.facts.clone(), busy.to_owned());
    let mut telling = Telling {
        relay: None,
        lines: LineReader::default(),
        draft: Some(Draft::of(model.strip_prefix("models/").unwrap_or(model), facts.source)),
        out: VecDeque::new(),
        failure: Box::new(move |failure| failure.told(&busy)),
        request_id: id.to_owned(),
    };
    match answer.body {
        AnswerBody::Whole(bytes) => {
            telling.read(&bytes);
            telling.end(None);
        }
        AnswerBody::Stream { relay, .. } => telling.relay = Some(relay),
    }
    let mut response = HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("cache-control", "no-cache"))
        .body(BodyStream::new(telling.events()));
    put_facts(&mut response, &facts);
    put_static(&mut response, "x-keygate-source", facts.source.as_str());
    response
}

impl Telling {
    fn events(mut self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::poll_fn(move |cx| {
            loop {
                if let Some(event) = self.out.pop_front() {
                    return Poll::Ready(Some(Ok(event)));
                }
                let Some(relay) = &mut self.relay else { return Poll::Ready(None) };
                match ready!(relay.poll_next(cx)) {
                    Some(Ok(chunk)) => self.read(&chunk),
                    Some(Err(_cut)) => self.end(Some(Failure::Refused(broken_off()))),
                    None => self.end(None),
                }
            }
        })
    }

    fn read(&mut self, chunk: &[u8]) {
        let mut payloads = Vec::new();
        let is_readable =
            self.lines.read(chunk, |data| payloads.push(serde_json::from_slice::<Native>(data)));
        for native in payloads.into_iter().flatten() {
            if let Some(error) = native.error {
                let message = error.message.unwrap_or_else(|| "The provider failed.".to_owned());
                self.end(Some(Failure::Told { status: error.code.unwrap_or(502), message }));
                return;
            }
            let Some(draft) = &mut self.draft else { return };
            let text = draft.take(native);
            if !text.is_empty() {
                self.out.push_back(event("delta", &json!({ "text": text })));
            }
        }
        if is_readable.is_err() {
            self.end(Some(Failure::Refused(broken_off())));
        }
    }

    /// Says the last word, once. Letting the relay go cancels what is still to come.
    fn end(&mut self, failure: Option<Failure>) {
        self.relay = None;
        let Some(draft) = self.draft.take() else { return };
        let failure = failure.or_else(|| (!draft.is_finished()).then(|| Failure::Refused(broken_off())));
        self.out.push_back(match failure {
            None => event("done", &draft.reply(&self.request_id)),
            Some(failure) => event("error", &(self.failure)(failure).result()),
        });
    }
}

impl Failure {
    fn told(self, busy: &str) -> NoReply {
        match self {
            Self::Refused(refusal) => {
                let refused = Refused { refusal, facts: Facts::default(), turned_away: None };
                NoReply::refused(refused, busy)
            }
            Self::Told { status, message } => {
                let body = json!({ "error": { "message": message } }).to_string();
                NoReply::by_provider(status, body.as_bytes(), Facts::default(), busy)
            }
        }
    }
}

fn event(name: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_default();
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}
