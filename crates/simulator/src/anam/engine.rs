//! An engine: the signalling WebSocket of a session, and `/talk`. The session id is the only
//! credential.

use serde_json::{Value, json};
use tokio::task::spawn_local;

use super::routes::Route;
use super::rows::AnamRow;
use crate::wire::{Answer, Call, Frames, handshake};
use crate::world::Shared;

/// What a browser would be answered, without media behind it.
const ANSWER_SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";

/// `POST …/talk?session_id=…`
pub(super) fn talk(world: &Shared, route: &Route) -> Answer {
    let now = world.clock.now();
    let id = route.id.as_deref().unwrap_or_default();
    let is_open =
        world.with(|world| world.anam.sessions.get(id, now).is_some_and(|session| session.ended.is_none()));
    if is_open { Answer::json(200, &json!({})) } else { AnamRow::ResourceNotFound.answer() }
}

/// The signalling connection of a session.
pub(super) fn connect(world: &Shared, route: &Route, call: &mut Call) -> Answer {
    let now = world.clock.now();
    let id = route.id.clone().unwrap_or_default();
    if world.with(|world| world.anam.sessions.get(&id, now).is_none_or(|session| session.ended.is_some())) {
        return AnamRow::ResourceNotFound.answer();
    }
    let (answer, upgrade) = match handshake(call) {
        Ok(opened) => opened,
        Err(refused) => return refused,
    };
    let line = Line { world: world.clone(), id };
    spawn_local(async move {
        if let Ok(mut frames) = upgrade.open().await
            && let Some(reason) = line.talk(&mut frames).await
        {
            frames.send_text(&line.frame("endsession", &json!(reason))).await;
            frames.close(1000, reason).await;
        }
    });
    answer
}

/// One signalling connection.
struct Line {
    world: Shared,
    id: String,
}

impl Line {
    /// Talks until the client leaves (`None`) or the session ends (why).
    async fn talk(&self, frames: &mut Frames) -> Option<&'static str> {
        let now = self.world.clock.now();
        let opened = self.world.with(|world| world.anam.sessions.connect(&self.id, now));
        let Some((ended, ends_by)) = opened else { return Some("session is over") };
        let _connection = Connection(self);
        let too_long = async {
            match ends_by {
                Some(at) => self.world.clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let stopped = ended.notified();
        tokio::pin!(too_long, stopped);
        loop {
            tokio::select! {
                () = &mut stopped => return Some("session stopped"),
                () = &mut too_long => {
                    let now = self.world.clock.now();
                    self.world.with(|world| world.anam.sessions.end(&self.id, now, "CLOSED_BY_ENGINE"));
                    return Some("maximum session length reached");
                }
                frame = frames.next() => {
                    if !self.hear(frames, &frame?).await {
                        return None;
                    }
                }
            }
        }
    }

    /// Answers a frame; false when it ended the session.
    async fn hear(&self, frames: &mut Frames, frame: &[u8]) -> bool {
        let frame: Value = serde_json::from_slice(frame).unwrap_or_default();
        match frame.get("actionType").and_then(Value::as_str) {
            Some("offer") => {
                frames.send_text(&self.frame("answer", &json!({"type": "answer", "sdp": ANSWER_SDP}))).await;
                frames.send_text(&self.frame("sessionready", &json!({}))).await;
            }
            Some("heartbeat") => frames.send_text(&self.frame("heartbeat", &json!(""))).await,
            Some("endsession") => {
                let now = self.world.clock.now();
                self.world.with(|world| world.anam.sessions.end(&self.id, now, "NORMAL_EXIT"));
                return false;
            }
            _ => {}
        }
        true
    }

    fn frame(&self, action: &str, payload: &Value) -> Value {
        json!({"actionType": action, "sessionId": self.id, "payload": payload})
    }
}

/// Tells the session when its connection is gone, however that came.
struct Connection<'a>(&'a Line);

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        let now = self.0.world.clock.now();
        self.0.world.with(|world| world.anam.sessions.disconnect(&self.0.id, now));
    }
}
