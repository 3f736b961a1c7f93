//! The Live API: a WebSocket whose first frame names the model.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::spawn_local;

use super::catalogue::Kind;
use super::error::GoogleError;
use super::generate::Generation;
use super::models::kind_of;
use super::projects::Caller;
use super::prompt::{Prompt, field};
use super::routes::{Route, bare_model};
use super::rows::GoogleRow;
use super::serve::{Gate, enter};
use crate::clock::after;
use crate::wire::{Answer, Call, Frames, handshake};
use crate::world::{Provider, Shared};

/// When the server announces the end of a connection, and how long it waits then.
const GO_AWAY_AFTER: Duration = Duration::from_mins(9);
const LAST_MINUTE: Duration = Duration::from_mins(1);
/// Handles remembered; the least in order is forgotten first.
const MOST_HANDLES: usize = 1000;

/// Turns kept until the model is to answer; further ones are not heard.
const MOST_TURNS: usize = 1000;

/// Connections that are open, and handles to resume them.
#[derive(Default)]
pub(crate) struct LiveSessions {
    open: BTreeMap<u64, String>,
    begun: u64,
    handles: BTreeMap<String, String>,
}

impl LiveSessions {
    pub(crate) fn open(&self) -> u64 {
        self.open.len() as u64
    }

    pub(crate) fn without_handles(self) -> Self {
        Self { handles: BTreeMap::new(), ..self }
    }

    fn open_of(&self, project: &str) -> u64 {
        self.open.values().filter(|owner| *owner == project).count() as u64
    }

    fn begin(&mut self, project: &str) -> u64 {
        self.begun += 1;
        self.open.insert(self.begun, project.to_owned());
        self.begun
    }

    fn new_handle(&mut self, project: &str) -> String {
        if self.handles.len() >= MOST_HANDLES {
            self.handles.pop_first();
        }
        let handle = uuid::Uuid::now_v7().to_string();
        self.handles.insert(handle.clone(), project.to_owned());
        handle
    }
}

/// One open connection; it is not open any more when this is dropped.
struct LiveSession {
    world: Shared,
    number: u64,
    route: Route,
    caller: Caller,
}

impl Drop for LiveSession {
    fn drop(&mut self) {
        self.world.with(|world| world.google.live.open.remove(&self.number));
    }
}

/// Why the server ends a connection.
struct Close {
    code: u16,
    reason: String,
}

impl From<GoogleError> for Close {
    /// 1011 for quota, 1008 for policy, 1007 for what cannot be right.
    fn from(error: GoogleError) -> Self {
        let code = match error.http {
            429 | 500.. => 1011,
            401 | 403 | 404 => 1008,
            _ => 1007,
        };
        Self { code, reason: error.message }
    }
}

/// Opens a connection, or refuses it: quota as an HTTP error, everything else by closing.
pub(super) fn connect(world: &Shared, route: &Route, call: &mut Call) -> Answer {
    let entered = enter(world, route, call).and_then(|gate| begin(world, route, &gate));
    if let Err(error) = &entered
        && error.http == 429
    {
        return error.answer(route.dialect);
    }
    let (answer, upgrade) = match handshake(call) {
        Ok(opened) => opened,
        Err(refused) => return refused,
    };
    spawn_local(async move {
        let Ok(mut frames) = upgrade.open().await else { return };
        let end = match entered {
            Ok(session) => session.talk(&mut frames).await,
            Err(error) => Err(error.into()),
        };
        if let Err(close) = end {
            frames.close(close.code, &close.reason).await;
        }
    });
    answer
}

fn begin(world: &Shared, route: &Route, gate: &Gate<'_>) -> Result<LiveSession, GoogleError> {
    let now = world.clock.now();
    let number = world.with(|world| {
        let limit =
            world.google.project(&gate.caller.project).and_then(|project| project.declared.live_sessions);
        if limit.is_some_and(|limit| world.google.live.open_of(&gate.caller.project) >= limit) {
            return Err(GoogleRow::ExhaustedBare.error(&gate.scene));
        }
        if !world.google.tokens.take(&gate.caller.key, now) {
            return Err(GoogleRow::AccessTokenExpected.error(&gate.scene));
        }
        world.journal.session_started(Provider::Google);
        Ok(world.google.live.begin(&gate.caller.project))
    })?;
    Ok(LiveSession { world: world.clone(), number, route: route.clone(), caller: gate.caller.clone() })
}

impl LiveSession {
    async fn talk(mut self, frames: &mut Frames) -> Result<(), Close> {
        let Some(first) = frames.next().await else { return Ok(()) };
        let is_resumable = self.set_up(&read(&first)?)?;
        frames.send_binary(&json!({"setupComplete": {}})).await;
        let opened = self.world.clock.now();
        let mut said = Vec::new();
        let mut is_leaving = false;
        loop {
            let until = after(opened, if is_leaving { GO_AWAY_AFTER + LAST_MINUTE } else { GO_AWAY_AFTER });
            tokio::select! {
                frame = frames.next() => {
                    let Some(frame) = frame else { return Ok(()) };
                    if take(&read(&frame)?, &mut said)
                        && self.answer(frames, &std::mem::take(&mut said), is_resumable).await?.is_break()
                    {
                        return Ok(());
                    }
                }
                () = self.world.clock.sleep_until(until) => {
                    if std::mem::replace(&mut is_leaving, true) {
                        return Err(Close { code: 1000, reason: String::new() });
                    }
                    frames.send_binary(&json!({"goAway": {"timeLeft": "60s"}})).await;
                }
            }
        }
    }

    /// Reads the first frame; says whether handles are wanted.
    fn set_up(&mut self, frame: &Value) -> Result<bool, Close> {
        let Some(setup) = frame.get("setup") else {
            return Err(Close {
                code: 1007,
                reason: "setup must be the first message and only the first".to_owned(),
            });
        };
        let model = setup.get("model").and_then(Value::as_str).map(bare_model).unwrap_or_default();
        self.route.model = Some(model.to_owned());
        let resumption = field(setup, "sessionResumption", "session_resumption");
        let handle = resumption.and_then(|resumption| resumption.get("handle")?.as_str());
        self.world.with(|world| {
            let project = world.google.project(&self.caller.project);
            if kind_of(model, &self.route.version, project) != Some(Kind::Live) {
                return Err(GoogleRow::ModelNotFound
                    .error(&world.google.scene(&self.route, Some(&self.caller), ""))
                    .into());
            }
            if handle
                .is_some_and(|handle| world.google.live.handles.get(handle) != Some(&self.caller.project))
            {
                return Err(Close { code: 1008, reason: "BidiGenerateContent session not found".to_owned() });
            }
            Ok(resumption.is_some_and(|resumption| !resumption.is_null()))
        })
    }

    /// Says the reply of a turn, piece by piece. Breaks where the turn asks for it: the connection
    /// is gone then, without a close frame.
    async fn answer(
        &self,
        frames: &mut Frames,
        turns: &[Value],
        is_resumable: bool,
    ) -> Result<ControlFlow<()>, Close> {
        let prompt = Prompt::of(&json!({"contents": turns}));
        let scene = self.world.with(|world| world.google.scene(&self.route, Some(&self.caller), ""));
        let gate = Gate { caller: self.caller.clone(), scene, route: &self.route };
        let generation = Generation::begin(&self.world, &gate, &prompt)?;
        let last = leaves_after(&prompt.text);
        for (number, piece) in generation.reply.pieces.iter().enumerate() {
            let turn = json!({"role": "model", "parts": [{"text": piece}]});
            if last == Some(number) {
                return Ok(ControlFlow::Break(()));
            }
            if !frames.send_binary(&json!({"serverContent": {"modelTurn": turn}})).await {
                return Ok(ControlFlow::Continue(()));
            }
            if let Some(pause) = generation.reply.pause {
                tokio::time::sleep(pause).await;
            }
        }
        frames.send_binary(&json!({"serverContent": {"generationComplete": true}})).await;
        let usage = generation.usage();
        let usage = json!({
            "promptTokenCount": usage.prompt,
            "responseTokenCount": usage.candidates,
            "totalTokenCount": usage.total,
        });
        frames.send_binary(&json!({"serverContent": {"turnComplete": true}, "usageMetadata": usage})).await;
        if is_resumable {
            let handle = self.world.with(|world| world.google.live.new_handle(&self.caller.project));
            frames
                .send_binary(&json!({"sessionResumptionUpdate": {"newHandle": handle, "resumable": true}}))
                .await;
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// `leave after 2` as a turn: so many pieces, and nothing more.
fn leaves_after(text: &str) -> Option<usize> {
    text.strip_prefix("leave after ")?.trim().parse().ok()
}

fn read(frame: &[u8]) -> Result<Value, Close> {
    let wrong = |_| Close { code: 1007, reason: "Invalid JSON payload received.".to_owned() };
    serde_json::from_slice(frame).map_err(wrong)
}

/// Adds what a frame says to the turn; true when the model is to answer.
fn take(frame: &Value, said: &mut Vec<Value>) -> bool {
    if let Some(content) = field(frame, "clientContent", "client_content") {
        let turns = content.get("turns").and_then(Value::as_array).into_iter().flatten();
        let room = MOST_TURNS.saturating_sub(said.len());
        said.extend(turns.take(room).cloned());
        return field(content, "turnComplete", "turn_complete").and_then(Value::as_bool) == Some(true);
    }
    let spoken = field(frame, "realtimeInput", "realtime_input").and_then(|input| input.get("text"));
    if let Some(text) = spoken.filter(|_| said.len() < MOST_TURNS) {
        said.push(json!({"role": "user", "parts": [{"text": text}]}));
    }
    spoken.is_some()
}
