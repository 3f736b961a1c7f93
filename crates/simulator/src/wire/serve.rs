//! One request's way: read, record, meet the script, be served, and go out as the script wants.

use std::future::pending;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Either, Full};
use hyper::body::Incoming;

use super::answer::{Answer, Content, Events, Framing};
use super::flow::{self, FlowBody, StreamTicket};
use super::socket::ResetSwitch;
use super::{Call, Door, intake};
use crate::record::RequestRecord;
use crate::script::{Action, HalfStream, Plan, ScriptedAnswer, StreamEnding, StreamError, Target};
use crate::world::{Provider, Shared};
use crate::{anam, control, google};

type Body = Either<Full<Bytes>, FlowBody>;

/// What a request is about, found out before anything is decided.
enum Subject {
    Google(google::Route),
    Anam(anam::Route),
}

/// Who asks, as far as the credentials tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asker {
    pub(crate) key: Option<String>,
    pub(crate) label: Option<String>,
    pub(crate) project: Option<String>,
}

pub(super) async fn serve(
    request: Request<Incoming>,
    door: Door,
    world: Shared,
    reset: ResetSwitch,
) -> io::Result<Response<Body>> {
    let mut call = Call::read(request).await?;
    if door == Door::Google && call.path.starts_with("/__sim") {
        return Ok(whole(control::answer(&world, &call)));
    }
    let subject = Subject::of(door, &call);
    let (number, plan) = note(&world, &subject, &call);
    let waiting = Unanswered { world: world.clone(), provider: subject.provider(), is_answered: false };
    intake::take_in(&world, number, &mut call, plan.as_ref(), &reset).await?;
    let answer = act(&world, &subject, &mut call, plan, &reset).await?;
    waiting.answered(number, answer.status.as_u16());
    Ok(match answer.content {
        Content::Whole(_) => whole(answer),
        Content::Events(_) => streamed(answer, StreamTicket::new(world, subject.provider(), number), reset),
    })
}

/// Records the request and asks the script about it.
fn note(world: &Shared, subject: &Subject, call: &Call) -> (u64, Option<Plan>) {
    let at = world.clock.now();
    world.with(|world| {
        let (asker, mut record) = match subject {
            Subject::Google(route) => {
                (world.google.asker(call), google::record(&world.google, route, call, at))
            }
            Subject::Anam(route) => (world.anam.asker(call), anam::record(&world.anam, route, call, at)),
        };
        record.project.clone_from(&asker.project);
        let plan = meet(world, &asker, &record);
        (world.journal.begin(record), plan)
    })
}

fn meet(world: &mut crate::world::World, asker: &Asker, record: &RequestRecord) -> Option<Plan> {
    let plan = world.script.meet(&Target {
        provider: record.provider,
        key: asker.key.as_deref(),
        label: asker.label.as_deref(),
        project: asker.project.as_deref(),
        model: record.model.as_deref(),
        operation: &record.operation,
    });
    if plan.is_some() {
        world.journal.fault_met(record.provider);
    }
    plan
}

async fn act(
    world: &Shared,
    subject: &Subject,
    call: &mut Call,
    plan: Option<Plan>,
    reset: &ResetSwitch,
) -> io::Result<Answer> {
    let Some(plan) = plan else { return Ok(subject.serve(world, call)) };
    if let Some(answer) = delayed(world, subject, call, plan.delay).await {
        return Ok(answer);
    }
    Ok(match plan.action {
        // A body that was read in its own way was read by now.
        Action::Pass | Action::SlowReader { .. } | Action::HalfBody(_) => subject.serve(world, call),
        Action::Answer(scripted) => dressed(subject.scripted(world, call, &scripted), &scripted),
        Action::Html502 => Answer::new(502, "text/html; charset=UTF-8", HTML_502),
        Action::Hang => pending().await,
        Action::Close => return Err(io::ErrorKind::ConnectionAborted.into()),
        Action::Reset => {
            reset.arm();
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Action::ResetAfterHeaders => {
            broken(subject.serve(world, call), HalfStream { events: 0, ending: StreamEnding::Reset })
        }
        Action::HalfStream(half) => broken(subject.serve(world, call), half),
        Action::ErrorInStream(error) => failing(subject.serve(world, call), &error),
        Action::SlowChunks { pause } => slow(subject.serve(world, call), pause),
    })
}

/// Waits as scripted; answers itself when the client's deadline passes first, as Google does.
async fn delayed(world: &Shared, subject: &Subject, call: &Call, delay: Option<Duration>) -> Option<Answer> {
    let delay = delay?;
    let deadline = match subject {
        Subject::Google(_) => {
            call.header("x-server-timeout").and_then(|text| text.parse().ok()).map(Duration::from_secs)
        }
        Subject::Anam(_) => None,
    };
    match deadline {
        Some(deadline) if deadline < delay => {
            tokio::time::sleep(deadline).await;
            let row =
                ScriptedAnswer { row: Some(google::GoogleRow::Deadline.into()), ..ScriptedAnswer::default() };
            Some(subject.scripted(world, call, &row))
        }
        _ => {
            tokio::time::sleep(delay).await;
            None
        }
    }
}

const HTML_502: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

/// What the script says of status, body and headers wins over the row.
fn dressed(mut answer: Answer, scripted: &ScriptedAnswer) -> Answer {
    if let Some(status) = scripted.status.and_then(|status| http::StatusCode::from_u16(status).ok()) {
        answer.status = status;
    }
    match &scripted.body {
        Some(serde_json::Value::String(text)) => answer.content = Content::Whole(text.clone().into()),
        Some(value) => answer.content = Content::Whole(value.to_string().into()),
        None => {}
    }
    scripted.headers.iter().fold(answer, |answer, (name, value)| answer.with(name, value))
}

/// Changes the stream of an answer; a whole body becomes two pieces, so that it can break in between.
fn with_events(mut answer: Answer, change: impl FnOnce(&mut Events)) -> Answer {
    let mut events = match answer.content {
        Content::Events(events) => events,
        Content::Whole(body) => {
            if let Ok(length) = http::HeaderValue::try_from(body.len().to_string()) {
                answer.headers.insert(http::header::CONTENT_LENGTH, length);
            }
            let half = body.len() / 2;
            Events::new(Framing::Bytes, vec![body.slice(..half), body.slice(half..)], None)
        }
    };
    change(&mut events);
    answer.content = Content::Events(events);
    answer
}

fn broken(answer: Answer, half: HalfStream) -> Answer {
    with_events(answer, |events| {
        let next = events.pieces.get(half.events).cloned();
        events.pieces.truncate(half.events);
        if let (StreamEnding::MidEvent, Some(next)) = (half.ending, next) {
            events.pieces.push(next.slice(..next.len() / 2));
        }
        events.ending = half.ending;
        events.scripted = true;
    })
}

fn failing(mut answer: Answer, error: &StreamError) -> Answer {
    answer.headers.remove(http::header::CONTENT_LENGTH);
    with_events(answer, |events| {
        events.pieces.truncate(error.events);
        let is_first = error.events == 0;
        events.pieces.push(google::error_in_stream(error.row, events.framing, is_first, error.bare).into());
        events.scripted = true;
    })
}

fn slow(answer: Answer, pause: Duration) -> Answer {
    with_events(answer, |events| events.pause = Some(pause))
}

impl Subject {
    fn of(door: Door, call: &Call) -> Self {
        match door {
            Door::Google => Self::Google(google::Route::of(call)),
            Door::Anam => Self::Anam(anam::Route::of_api(call)),
            Door::Engine => Self::Anam(anam::Route::of_engine(call)),
        }
    }

    fn provider(&self) -> Provider {
        match self {
            Self::Google(_) => Provider::Google,
            Self::Anam(_) => Provider::Anam,
        }
    }

    fn serve(&self, world: &Shared, call: &mut Call) -> Answer {
        match self {
            Self::Google(route) => google::serve(world, route, call),
            Self::Anam(route) => anam::serve(world, route, call),
        }
    }

    /// The row the script names, in the shape of the surface asked; a bare 200 without one.
    fn scripted(&self, world: &Shared, call: &Call, scripted: &ScriptedAnswer) -> Answer {
        match self {
            Self::Google(route) => google::scripted(world, route, call, scripted),
            Self::Anam(_) => anam::scripted(scripted),
        }
    }
}

/// Counts a request as unanswered unless its answer's head goes out.
struct Unanswered {
    world: Shared,
    provider: Provider,
    is_answered: bool,
}

impl Unanswered {
    fn answered(mut self, number: u64, status: u16) {
        self.is_answered = true;
        self.world.with(|world| world.journal.answered(self.provider, number, status));
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if !self.is_answered {
            self.world.with(|world| world.journal.unanswered(self.provider));
        }
    }
}

fn whole(answer: Answer) -> Response<Body> {
    let body = match answer.content {
        Content::Whole(body) => body,
        Content::Events(events) => events.pieces.concat().into(),
    };
    let mut response = Response::new(Either::Left(Full::new(body)));
    *response.status_mut() = answer.status;
    *response.headers_mut() = *answer.headers;
    response
}

fn streamed(answer: Answer, ticket: StreamTicket, reset: ResetSwitch) -> Response<Body> {
    let Answer { status, headers, content } = answer;
    let body = match content {
        Content::Events(events) => Either::Right(flow::body(events, ticket, reset)),
        Content::Whole(body) => Either::Left(Full::new(body)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = *headers;
    response
}
