//! The way into Anam: routes, then the operation; headers for browsers on everything.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::organizations::AnamWorld;
use super::routes::{Operation, Route};
use super::rows::AnamRow;
use super::{catalogue, engine, knowledge, start};
use crate::record::RequestRecord;
use crate::script::{Row, ScriptedAnswer};
use crate::wire::{Answer, Call};
use crate::world::{Provider, Shared};

/// Serves a call to the API or to an engine.
pub(crate) fn serve(world: &Shared, route: &Route, call: &mut Call) -> Answer {
    let answer = match route.operation {
        Operation::Preflight => Ok(Answer::new(204, "text/plain", "")),
        Operation::SessionToken => start::mint(world, call),
        Operation::EngineSession => start::session(world, call),
        Operation::Concurrency => start::concurrency(world, call),
        Operation::ListSessions => list_sessions(world, call),
        Operation::GetSession => get_session(world, route, call),
        Operation::StopSession => stop_session(world, route, call),
        Operation::Metrics => Ok(Answer::json(200, &json!({"success": true}))),
        Operation::Signalling => Ok(engine::connect(world, route, call)),
        Operation::Talk => Ok(engine::talk(world, route)),
        Operation::List => catalogue::list(world, route, call),
        Operation::Create => catalogue::create(world, route, call),
        Operation::Get => catalogue::get(world, route, call),
        Operation::Update => catalogue::update(world, route, call),
        Operation::Delete => catalogue::delete(world, route, call),
        Operation::PresignVoice => knowledge::presign_voice(world, call),
        Operation::Search => knowledge::search(world, route, call),
        Operation::ListDocuments => knowledge::list(world, route, call),
        Operation::CreateDocument => knowledge::create(world, route, call),
        Operation::PresignDocument => knowledge::presign(world, route, call),
        Operation::ConfirmDocument => knowledge::confirm(world, route, call),
        Operation::DownloadDocument => knowledge::download(world, route, call),
        Operation::Transcript | Operation::Recording | Operation::SessionAnalytics => {
            about_session(world, route, call)
        }
        Operation::Analytics => analytics(world, call),
        Operation::Unknown => Err(AnamRow::ResourceNotFound.answer()),
    };
    for_browsers(answer.unwrap_or_else(|refused| refused))
}

/// Any page may ask, errors included.
fn for_browsers(answer: Answer) -> Answer {
    answer
        .with("access-control-allow-origin", "*")
        .with("access-control-allow-methods", "GET, POST, PUT, PATCH, DELETE, OPTIONS")
        .with("access-control-allow-headers", "Authorization, Content-Type, X-Anam-Target-Url")
}

/// An answer by script: the row, or an empty 200.
pub(crate) fn scripted(scripted: &ScriptedAnswer) -> Answer {
    for_browsers(match scripted.row {
        Some(Row::Anam(row)) => row.answer(),
        _ => Answer::json(scripted.status.unwrap_or(200), &json!({})),
    })
}

/// The record of a call.
pub(crate) fn record(anam: &AnamWorld, route: &Route, call: &Call, at: Timestamp) -> RequestRecord {
    let label = |secret: &str| anam.label_of(secret);
    RequestRecord {
        operation: route.name(),
        credentials: anam.credentials_seen(call),
        ..RequestRecord::of(call, Provider::Anam, at, &label)
    }
}

/// `GET /v1/sessions`, newest first.
fn list_sessions(world: &Shared, call: &Call) -> Result<Answer, Answer> {
    let now = world.clock.now();
    world.with(|world| {
        let caller = world.anam.admit(call).map_err(AnamRow::answer)?;
        let organization = world.anam.organization(&caller.organization).map(|found| found.id.clone());
        let mut sessions = world.anam.sessions.of(&caller.organization, now);
        if let Some(key) = call.parameter("apiKeyId") {
            sessions.retain(|session| session.key_id == key);
        }
        if let Some(persona) = call.parameter("personaId") {
            sessions.retain(|session| session.persona_id() == Some(persona));
        }
        let organization = organization.unwrap_or_default();
        let all: Vec<Value> = sessions.into_iter().map(|session| session.shown(&organization)).collect();
        Ok(catalogue::paged(all, call))
    })
}

/// `GET /v1/sessions/{id}`; another organisation's session is not found.
fn get_session(world: &Shared, route: &Route, call: &Call) -> Result<Answer, Answer> {
    let now = world.clock.now();
    let id = route.id.as_deref().unwrap_or_default();
    world.with(|world| {
        let caller = world.anam.admit(call).map_err(AnamRow::answer)?;
        let organization = world.anam.organization(&caller.organization).map(|found| found.id.clone());
        let session =
            world.anam.sessions.get(id, now).filter(|session| session.organization == caller.organization);
        let session = session.ok_or_else(|| AnamRow::ResourceNotFound.answer())?;
        Ok(Answer::json(200, &session.shown(&organization.unwrap_or_default())))
    })
}

/// `GET /v1/sessions/{id}/transcript`, `/recording` and `/analytics`.
fn about_session(world: &Shared, route: &Route, call: &Call) -> Result<Answer, Answer> {
    get_session(world, route, call)?;
    let id = route.id.as_deref().unwrap_or_default();
    let body = if route.operation == Operation::Transcript {
        json!({"sessionId": id, "messages": []})
    } else if route.operation == Operation::Recording {
        json!({"sessionId": id, "url": format!("https://storage.example/{id}.mp4?signature=s")})
    } else {
        json!({"sessionId": id, "turns": 0})
    };
    Ok(Answer::json(200, &body))
}

/// `GET /v1/sessions/analytics`
fn analytics(world: &Shared, call: &Call) -> Result<Answer, Answer> {
    let now = world.clock.now();
    world.with(|world| {
        let caller = world.anam.admit(call).map_err(AnamRow::answer)?;
        let sessions = world.anam.sessions.of(&caller.organization, now).len();
        Ok(Answer::json(200, &json!({"totalSessions": sessions})))
    })
}

/// `POST /v1/sessions/{id}/stop`; 404 where there is no engine to stop.
fn stop_session(world: &Shared, route: &Route, call: &Call) -> Result<Answer, Answer> {
    let now = world.clock.now();
    let id = route.id.as_deref().unwrap_or_default();
    world.with(|world| {
        let caller = world.anam.admit(call).map_err(AnamRow::answer)?;
        let session =
            world.anam.sessions.get(id, now).filter(|session| session.organization == caller.organization);
        if session.and_then(|session| session.engine.as_ref()).is_none() {
            return Err(AnamRow::ResourceNotFound.answer());
        }
        world.anam.sessions.end(id, now, "CLOSED_BY_ENGINE");
        Ok(Answer::json(200, &json!({"success": true})))
    })
}
