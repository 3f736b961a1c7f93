//! Asking a question, on the way of every other request.

use std::future::poll_fn;
use std::time::Duration;

use actix_web::{HttpRequest, web};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use keygate_actors::clock;
use keygate_domain::{ErrorKind, Moment, Refusal, UserId};
use keygate_journey::{
    Answer, AnswerBody, Call, Caller, Facts, Identity, Lane, Refused, RequestTimer, serve,
};
use keygate_telemetry::spans;

use super::question::Question;
use super::refusal::NoReply;
use super::reply::Draft;
use crate::caller::{Stranger, after_wrong_token, peer_of, recognise};
use crate::error_response::status_of;
use crate::friendly;
use crate::line::hung_up;
use crate::origin;
use crate::proxy::read;
use crate::worker::Worker;

/// Who answers questions.
const PROVIDER: &str = "google";

/// Largest body of a question, or of many, in bytes.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// How long it may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(30);

/// Headers that mean the same on the way of a native call.
const PASSED: [&str; 3] = ["x-server-timeout", "cache-control", "accept-language"];

/// Largest answer in one piece that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// A backend at the door, known.
pub(super) struct Asker<'a> {
    pub(super) worker: &'a Worker,
    pub(super) request: &'a HttpRequest,
    pub(super) headers: HeaderMap,
    caller: Caller,
    lane: &'a Lane,
    began: Moment,
}

/// A question that Gemini answered, for better or worse.
pub(super) struct Asked {
    pub(super) answer: Answer,
    model: String,
}

impl Asked {
    /// Whether there is a reply in it, or at least the beginning of one.
    pub(super) fn is_success(&self) -> bool {
        self.answer.status.is_success()
    }
}

impl<'a> Asker<'a> {
    /// Finds out who asks.
    ///
    /// # Errors
    /// [`Refused`] for who is not known, and where nobody can answer.
    async fn at_the_door(
        worker: &'a Worker,
        request: &'a HttpRequest,
        headers: HeaderMap,
        id: &str,
    ) -> Result<Self, Refused> {
        let began = clock::now();
        let peer = peer_of(request);
        let known = recognise(worker, &headers, request.uri().query(), peer).map_err(plain)?;
        let caller = match known.identity {
            Identity::Known(caller) => caller,
            Identity::Unknown { refusal, .. } if known.is_failed_login => {
                return Err(after_wrong_token(worker, &Stranger::of(request, id), plain(refusal)).await);
            }
            Identity::Unknown { refusal, .. } => return Err(plain(refusal)),
        };
        let lane = worker.house.lane_called(PROVIDER).ok_or_else(|| plain(nobody_answers()))?;
        Ok(Self { worker, request, headers, caller, lane, began })
    }

    /// Finds out who asks, and then what, as `understood` reads it.
    ///
    /// # Errors
    /// [`NoReply`] for who is not known, and for a body that says nothing that can be answered.
    pub(super) async fn heard<T>(
        worker: &'a Worker,
        request: &'a HttpRequest,
        (headers, id): (HeaderMap, &str),
        payload: web::Payload,
        understood: impl FnOnce(&[u8]) -> Result<T, Refusal>,
    ) -> Result<(Self, T), NoReply> {
        let busy = friendly::words(worker.house.lane_called(PROVIDER), &headers).to_owned();
        let asker = Self::at_the_door(worker, request, headers, id).await;
        let asker = asker.map_err(|refused| NoReply::refused(refused, &busy))?;
        let limit = MAX_BODY_BYTES.min(worker.max_body_bytes);
        let body = read(payload, limit, request, BODY_PATIENCE).await;
        let wanted = body.and_then(|body| understood(&body));
        let wanted = wanted.map_err(|refusal| NoReply::of(refusal, &busy))?;
        Ok((asker, wanted))
    }

    /// Asks.
    pub(super) async fn ask(&self, question: &Question, request_id: &str) -> Result<Asked, NoReply> {
        let config = &self.worker.rules.assistant;
        let ready = question.ready(config).map_err(|refusal| NoReply::of(refusal, self.busy()))?;
        let span = spans::root(&spans::Arrival {
            method: &Method::POST,
            path: self.request.path(),
            headers: &self.headers,
            request_id,
        });
        let caller = self.speaking_for(question);
        spans::record_caller(&span, &caller.user);
        if let Some(project) = &question.project_id {
            spans::record_project(&span, &project.0);
        }
        let timer = RequestTimer::start(&self.worker.house, Some(self.lane.adapter.name), &span, self.began);
        let call = Call {
            method: Method::POST,
            path: &ready.path,
            query: ready.query,
            origin: origin::of(self.request, &self.worker.rules),
            headers: self.call_headers(),
            body: ready.body,
            inflow: None,
            began: self.began,
            identity: Identity::Known(caller),
            request_id,
            span: span.clone(),
            metrics: timer.metrics(),
        };
        let mut served = serve(&self.worker.house, self.lane, &call, hung_up(self.request)).await;
        match &mut served {
            Ok(answer) => {
                let facts = &answer.facts;
                spans::record_response(&span, answer.status.as_u16(), facts.attempts, facts.key.as_ref());
                timer.answered(answer);
            }
            Err(refused) => {
                let (kind, facts) = (refused.refusal.kind, &refused.facts);
                tracing::debug!(event = "request.refused", request_id, error = kind.as_str(), "refused");
                spans::record_refusal(&span, kind);
                spans::record_response(&span, status_of(kind), facts.attempts, facts.key.as_ref());
                timer.refused(&refused.refusal, status_of(kind));
            }
        }
        let answer = served.map_err(|refused| NoReply::refused(refused, self.busy()))?;
        Ok(Asked { answer, model: ready.model })
    }

    /// The whole reply, and what the headers tell of its way.
    pub(super) async fn reply(&self, asked: Asked) -> Result<(Draft, Facts), NoReply> {
        let Asked { answer, model } = asked;
        let busy = self.busy();
        let (status, facts) = (answer.status, answer.facts);
        let none = |refusal| {
            let refused = Refused { refusal, facts: facts.clone(), turned_away: None };
            NoReply::refused(refused, busy)
        };
        let body = whole(answer.body).await.map_err(none)?;
        if !status.is_success() {
            return Err(NoReply::by_provider(status.as_u16(), &body, facts, busy));
        }
        let native = serde_json::from_slice(&body).map_err(|_not_gemini| none(not_understood()))?;
        let mut draft = Draft::of(&model, facts.source);
        draft.take(native);
        Ok((draft, facts))
    }

    /// The caller, for the user that the question names.
    fn speaking_for(&self, question: &Question) -> Caller {
        let mut caller = self.caller.clone();
        if let Some(user) = question.user_id.as_ref().map(|id| id.0.trim()).filter(|id| !id.is_empty()) {
            caller.user = UserId::named(caller.client.clone(), user);
        }
        caller
    }

    /// Friendly words for a user whom nobody can answer, in the language of the request.
    pub(super) fn busy(&self) -> &str {
        friendly::words(Some(self.lane), &self.headers)
    }

    /// What of the backend's headers concerns how the question is answered.
    fn call_headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        for name in PASSED {
            headers
                .extend(self.headers.get(name).map(|value| (HeaderName::from_static(name), value.clone())));
        }
        headers
    }
}

fn plain(refusal: Refusal) -> Refused {
    Refused { refusal, facts: Facts::default(), turned_away: None }
}

fn nobody_answers() -> Refusal {
    Refusal::new(ErrorKind::NotFound, "No Gemini is configured here, so nobody can answer questions.")
}

async fn whole(body: AnswerBody) -> Result<Bytes, Refusal> {
    let mut relay = match body {
        AnswerBody::Whole(bytes) => return Ok(bytes),
        AnswerBody::Stream { relay, .. } => relay,
    };
    let mut read = BytesMut::new();
    while let Some(chunk) = poll_fn(|cx| relay.poll_next(cx)).await {
        read.extend_from_slice(&chunk.map_err(|_cut| broken_off())?);
        if read.len() > MAX_ANSWER_BYTES {
            return Err(not_understood());
        }
    }
    Ok(read.freeze())
}

/// What is told of an answer that ended too early.
pub(super) fn broken_off() -> Refusal {
    Refusal::for_a_while(
        ErrorKind::UpstreamUnreachable,
        "The provider's answer broke off.",
        Duration::from_secs(1),
    )
}

fn not_understood() -> Refusal {
    Refusal::new(ErrorKind::UpstreamGarbled, "The provider's answer could not be understood.")
}
