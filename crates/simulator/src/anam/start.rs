//! Starting: minting session tokens, and sessions by key or token.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::organizations::{AnamWorld, Caller, bearer};
use super::rows::{AnamRow, invalid_body};
use super::sessions::{Begin, Engine, Session};
use super::tokens::{SessionToken, is_jwt, lifetime};
use crate::clock::after;
use crate::wire::{Answer, Call};
use crate::world::{Provider, Shared};

/// How long a session outlives its last connection when nothing else is declared.
const RECONNECT_GRACE: Duration = Duration::from_secs(30);
/// Sessions at a time that no plan limits, as the API shows "unlimited".
const UNLIMITED: u64 = 1000;

/// `POST /v1/auth/session-token`
pub(super) fn mint(world: &Shared, call: &Call) -> Result<Answer, Answer> {
    let now = world.clock.now();
    world.with(|world| {
        let anam = &mut world.anam;
        let caller = anam.admit(call).map_err(AnamRow::answer)?;
        let body = body(call)?;
        let lifetime =
            lifetime(body.get("expiresIn")).ok_or_else(|| invalid_body("expiresIn", "Invalid enum value"))?;
        anam.check_persona(&caller, &body)?;
        let account =
            anam.organization(&caller.organization).map(|found| found.id.clone()).unwrap_or_default();
        let token = SessionToken {
            organization: caller.organization,
            key_id: caller.key_id,
            body,
            expires: after(now, lifetime),
        };
        let token = anam.tokens.mint(token, &account, now);
        Ok(Answer::json(200, &json!({"sessionToken": token})))
    })
}

/// `POST /v1/engine/session`
pub(super) fn session(world: &Shared, call: &Call) -> Result<Answer, Answer> {
    let now = world.clock.now();
    let host = world.endpoints.engine.trim_start_matches("http://").to_owned();
    world.with(|world| {
        let (caller, body) = starter(&world.anam, call, now)?;
        world.anam.may_start(&caller.organization).map_err(AnamRow::answer)?;
        let session = begin(&mut world.anam, caller, body, &host, now).map_err(AnamRow::answer)?;
        world.journal.session_started(Provider::Anam);
        Ok(Answer::json(200, &started(&session)))
    })
}

/// Who starts, and with what: a token carries its body, a key comes with one.
fn starter(anam: &AnamWorld, call: &Call, now: Timestamp) -> Result<(Caller, Value), Answer> {
    if let Some(token) = bearer(call).filter(|bearer| is_jwt(bearer)) {
        let token = anam.tokens.redeem(&token, now).map_err(AnamRow::answer)?;
        let mut body = token.body;
        if let Some(metadata) = call.json().ok().and_then(|sent| sent.get("clientMetadata").cloned()) {
            body["clientMetadata"] = metadata;
        }
        return Ok((Caller { organization: token.organization, key_id: token.key_id }, body));
    }
    let caller = anam.admit(call).map_err(AnamRow::answer)?;
    let body = body(call)?;
    anam.check_persona(&caller, &body)?;
    Ok((caller, body))
}

fn begin(
    anam: &mut AnamWorld,
    caller: Caller,
    body: Value,
    host: &str,
    now: Timestamp,
) -> Result<Session, AnamRow> {
    let declared =
        anam.organization(&caller.organization).map(|found| found.declared.clone()).unwrap_or_default();
    let (active, _) = anam.sessions.active_of(&caller.organization, now);
    if declared.concurrent_sessions.is_some_and(|limit| active >= limit) {
        return Err(AnamRow::ConcurrentSessions);
    }
    let asked = body.pointer("/personaConfig/maxSessionLengthSeconds").and_then(Value::as_u64);
    let longest = [asked, declared.max_session_seconds].into_iter().flatten().min();
    let begin = Begin {
        organization: caller.organization,
        key_id: caller.key_id,
        longest: longest.map(Duration::from_secs),
        grace: declared.reconnect_grace_seconds.map_or(RECONNECT_GRACE, Duration::from_secs),
        engine: (!has_own_media(&body)).then(|| engine(host)),
        body,
    };
    Ok(anam.sessions.begin(begin, now).clone())
}

/// With LiveKit and Agora there is no engine to connect to.
fn has_own_media(body: &Value) -> bool {
    let has = |name| body.get("environment").is_some_and(|environment| environment.get(name).is_some());
    has("livekitUrl") || has("agoraSettings")
}

fn engine(host: &str) -> Engine {
    let pod = format!("engine-{}", &uuid::Uuid::now_v7().simple().to_string()[20..]);
    Engine {
        host: format!("{host}/v1/webrtc/engines/{pod}"),
        signalling: format!("/v1/webrtc/engines/{pod}/ws"),
    }
}

/// The answer to a start; field names in the spellings of all SDKs.
fn started(session: &Session) -> Value {
    let mut body = json!({
        "sessionId": session.id,
        "region": "local",
        "clientConfig": {
            "heartbeatIntervalSeconds": 5,
            "expectedHeartbeatIntervalSecs": 5,
            "maxWsReconnectionAttempts": 5,
            "maxWsReconnectAttempts": 5,
            "iceServers": [{
                "urls": ["stun:127.0.0.1:3478"],
                "username": "simulated",
                "credential": "simulated",
                "credentialType": "password",
            }],
        },
    });
    if let Some(engine) = &session.engine {
        body["engineHost"] = json!(engine.host);
        body["engineProtocol"] = json!("http");
        body["signallingEndpoint"] = json!(engine.signalling);
    }
    body
}

/// `GET /v1/sessions/concurrency`
pub(super) fn concurrency(world: &Shared, call: &Call) -> Result<Answer, Answer> {
    let now = world.clock.now();
    world.with(|world| {
        let caller = world.anam.admit(call).map_err(AnamRow::answer)?;
        let declared = world.anam.organization(&caller.organization).and_then(|found| found.declared.concurrent_sessions);
        let limit = declared.unwrap_or(UNLIMITED);
        let (active, free_at) = world.anam.sessions.active_of(&caller.organization, now);
        let can_start = active < limit;
        let wait = if can_start { Some(0) } else { free_at.map(|at| at.duration_since(now).as_secs()) };
        Ok(Answer::json(
            200,
            &json!({"limit": limit, "active": active, "canStartSession": can_start, "estimatedWaitSeconds": wait}),
        ))
    })
}

/// The body as an object.
pub(super) fn body(call: &Call) -> Result<Value, Answer> {
    call.json().ok().filter(Value::is_object).ok_or_else(|| AnamRow::InvalidBody.answer())
}

impl AnamWorld {
    /// A persona must be there, and everything it names must be the organisation's or everyone's.
    fn check_persona(&self, caller: &Caller, body: &Value) -> Result<(), Answer> {
        let persona = match body.get("personaConfig") {
            Some(persona) if persona.is_object() => persona,
            Some(_) => return Err(invalid_body("personaConfig", "Expected object")),
            None => return Err(invalid_body("personaConfig", "Required")),
        };
        let name = caller.organization.as_str();
        let id = |field: &str| persona.get(field).and_then(Value::as_str);
        if id("personaId").is_some_and(|id| !self.catalogue.may_use("personas", id, name)) {
            return Err(AnamRow::ForeignPersona.answer());
        }
        let parts = [("avatars", "avatarId"), ("voices", "voiceId"), ("llms", "llmId")];
        let is_foreign =
            |(collection, field)| id(field).is_some_and(|id| self.catalogue.is_foreign(collection, id, name));
        let tools =
            persona.get("toolIds").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let mut foreign_tools = tools.filter(|id| self.catalogue.is_foreign("tools", id, name));
        if parts.into_iter().any(is_foreign) || foreign_tools.next().is_some() {
            return Err(AnamRow::Forbidden.answer());
        }
        Ok(())
    }
}
