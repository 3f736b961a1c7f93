//! Avatar sessions: who holds a slot, since when, and why it ended.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::clock::after;

/// Sessions remembered; ended ones are forgotten first.
const MOST_SESSIONS: usize = 10_000;

/// A session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) organization: String,
    pub(crate) key_id: String,
    pub(crate) client_label: Option<String>,
    /// The body it was started or minted with.
    pub(crate) body: Value,
    pub(crate) started: Timestamp,
    /// When its longest allowed length is reached.
    pub(crate) ends_by: Option<Timestamp>,
    /// How long it outlives its last connection.
    pub(crate) grace: Duration,
    /// Absent when media go elsewhere (LiveKit and the like).
    pub(crate) engine: Option<Engine>,
    pub(crate) ended: Option<(Timestamp, &'static str)>,
    connections: u32,
    left_at: Option<Timestamp>,
    end: Rc<Notify>,
}

/// Where a session's engine is.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    pub(crate) host: String,
    pub(crate) signalling: String,
}

/// What a session begins with.
pub(crate) struct Begin {
    pub(crate) organization: String,
    pub(crate) key_id: String,
    pub(crate) body: Value,
    pub(crate) longest: Option<Duration>,
    pub(crate) grace: Duration,
    pub(crate) engine: Option<Engine>,
}

/// All sessions by id.
#[derive(Default)]
pub(crate) struct Sessions(BTreeMap<String, Session>);

impl Sessions {
    /// Begins a session and gives it an id.
    pub(crate) fn begin(&mut self, begin: Begin, now: Timestamp) -> &Session {
        if self.0.len() >= MOST_SESSIONS {
            self.0.retain(|_, session| session.ended.is_none());
        }
        let id = uuid::Uuid::now_v7().to_string();
        let session = Session {
            id: id.clone(),
            organization: begin.organization,
            key_id: begin.key_id,
            client_label: begin.body.get("clientLabel").and_then(Value::as_str).map(str::to_owned),
            body: begin.body,
            started: now,
            ends_by: begin.longest.map(|longest| after(now, longest)),
            grace: begin.grace,
            engine: begin.engine,
            ended: None,
            connections: 0,
            left_at: None,
            end: Rc::new(Notify::new()),
        };
        self.0.entry(id).or_insert(session)
    }

    /// Sessions that hold a slot now.
    pub(crate) fn active(&mut self, now: Timestamp) -> u64 {
        self.settle(now);
        self.0.values().filter(|session| session.ended.is_none()).count() as u64
    }

    /// Slots an organisation holds now, and the moment the next is free for certain.
    pub(crate) fn active_of(&mut self, organization: &str, now: Timestamp) -> (u64, Option<Timestamp>) {
        self.settle(now);
        let mine = || {
            self.0.values().filter(|session| session.ended.is_none() && session.organization == organization)
        };
        (mine().count() as u64, mine().filter_map(|session| session.ends_by).min())
    }

    /// Whose session it is.
    pub(crate) fn owner(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(|session| session.organization.as_str())
    }

    /// The session, brought up to `now`.
    pub(crate) fn get(&mut self, id: &str, now: Timestamp) -> Option<&Session> {
        self.settle(now);
        self.0.get(id)
    }

    /// The organisation's sessions, newest first.
    pub(crate) fn of(&mut self, organization: &str, now: Timestamp) -> Vec<&Session> {
        self.settle(now);
        self.0.values().rev().filter(|session| session.organization == organization).collect()
    }

    /// Ends a session; whoever holds its connection is told.
    pub(crate) fn end(&mut self, id: &str, now: Timestamp, how: &'static str) {
        if let Some(session) = self.0.get_mut(id).filter(|session| session.ended.is_none()) {
            session.ended = Some((now, how));
            session.end.notify_waiters();
        }
    }

    /// Tells everyone who holds a connection that it is over.
    pub(crate) fn end_all(&mut self, now: Timestamp) {
        let ids: Vec<String> = self.0.keys().cloned().collect();
        for id in ids {
            self.end(&id, now, "ERROR");
        }
    }

    /// A signalling connection opens; `None` when the session is over.
    pub(crate) fn connect(&mut self, id: &str, now: Timestamp) -> Option<(Rc<Notify>, Option<Timestamp>)> {
        self.settle(now);
        let session = self.0.get_mut(id).filter(|session| session.ended.is_none())?;
        session.connections += 1;
        session.left_at = None;
        Some((session.end.clone(), session.ends_by))
    }

    /// A signalling connection is gone; the session follows unless another one opens.
    pub(crate) fn disconnect(&mut self, id: &str, now: Timestamp) {
        if let Some(session) = self.0.get_mut(id) {
            session.connections = session.connections.saturating_sub(1);
            session.left_at = (session.connections == 0).then_some(now);
        }
    }

    fn settle(&mut self, now: Timestamp) {
        for session in self.0.values_mut().filter(|session| session.ended.is_none()) {
            let left = session.left_at.map(|at| after(at, session.grace));
            session.ended = match (left, session.ends_by) {
                (Some(left), _) if left <= now => Some((left, "NORMAL_EXIT")),
                (_, Some(by)) if by <= now => Some((by, "CLOSED_BY_ENGINE")),
                _ => None,
            };
        }
    }
}

impl Session {
    /// The session as the API shows it.
    pub(crate) fn shown(&self, organization_id: &str) -> Value {
        let ended = self.ended.map(|(at, _)| at);
        json!({
            "id": self.id,
            "personaId": self.persona_id(),
            "clientLabel": self.client_label,
            "startTime": self.started,
            "endTime": ended,
            "sessionLengthMs": ended.map(|ended| ended.duration_since(self.started).as_millis() as i64),
            "exitStatus": self.ended.map(|(_, how)| how),
            "engineHost": self.engine.as_ref().map(|engine| &engine.host),
            "engineProtocol": self.engine.as_ref().map(|_| "http"),
            "engineVersion": "v5.1.0",
            "clientMetadata": self.body.get("clientMetadata").cloned().unwrap_or_else(|| json!({})),
            "personaConfig": self.body.get("personaConfig").cloned().unwrap_or_else(|| json!({})),
            "apiKeyId": self.key_id,
            "organizationId": organization_id,
            "createdAt": self.started,
            "updatedAt": ended.unwrap_or(self.started),
            "toolCalls": [],
        })
    }

    pub(crate) fn persona_id(&self) -> Option<&str> {
        self.body.pointer("/personaConfig/personaId").and_then(Value::as_str)
    }
}
