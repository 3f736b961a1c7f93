//! From a path to an operation of Anam.

use crate::wire::Call;

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operation {
    SessionToken,
    EngineSession,
    Concurrency,
    ListSessions,
    GetSession,
    StopSession,
    List,
    Create,
    Get,
    Update,
    Delete,
    Metrics,
    /// The browser asks what it may send.
    Preflight,
    Signalling,
    Talk,
    Unknown,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::SessionToken => "sessionToken",
            Self::EngineSession => "engineSession",
            Self::Concurrency => "sessions.concurrency",
            Self::ListSessions => "sessions.list",
            Self::GetSession => "sessions.get",
            Self::StopSession => "sessions.stop",
            Self::List => "list",
            Self::Create => "create",
            Self::Get => "get",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Metrics => "metrics",
            Self::Preflight => "preflight",
            Self::Signalling => "signalling",
            Self::Talk => "talk",
            Self::Unknown => "unknown",
        }
    }
}

/// Collections that can be listed and kept.
const COLLECTIONS: [&str; 6] = ["personas", "avatars", "voices", "llms", "tools", "knowledge"];

/// A request, understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Route {
    pub(crate) operation: Operation,
    /// `personas`, `avatars`, …
    pub(crate) collection: Option<&'static str>,
    /// The id in the path, or the session id in the query of an engine.
    pub(crate) id: Option<String>,
}

impl Route {
    /// A request to the API.
    pub(crate) fn of_api(call: &Call) -> Self {
        let segments = call.segments();
        if call.method == http::Method::OPTIONS {
            return Self::to(Operation::Preflight);
        }
        let [version, rest @ ..] = segments.as_slice() else { return Self::to(Operation::Unknown) };
        if *version != "v1" {
            return Self::to(Operation::Unknown);
        }
        match (call.method.as_str(), rest) {
            ("POST", ["auth", "session-token"]) => Self::to(Operation::SessionToken),
            ("POST", ["engine", "session"]) => Self::to(Operation::EngineSession),
            ("GET", ["sessions"]) => Self::to(Operation::ListSessions),
            ("GET", ["sessions", "concurrency"]) => Self::to(Operation::Concurrency),
            ("GET", ["sessions", id]) => Self::with_id(Operation::GetSession, id),
            ("POST", ["sessions", id, "stop"]) => Self::with_id(Operation::StopSession, id),
            ("POST", ["metrics", "client"]) => Self::to(Operation::Metrics),
            (method, ["knowledge", "groups"]) => Self::collection(method, "knowledge", None),
            (method, ["knowledge", "groups", id]) => Self::collection(method, "knowledge", Some(id)),
            (method, [name]) => Self::collection(method, name, None),
            (method, [name, id]) => Self::collection(method, name, Some(id)),
            _ => Self::to(Operation::Unknown),
        }
    }

    /// A request to an engine: `/v1/webrtc/engines/<pod>/ws` or `…/talk`.
    pub(crate) fn of_engine(call: &Call) -> Self {
        let operation = match call.segments().as_slice() {
            _ if call.method == http::Method::OPTIONS => Operation::Preflight,
            ["v1", "webrtc", "engines", _, "ws"] => Operation::Signalling,
            ["v1", "webrtc", "engines", _, "talk"] => Operation::Talk,
            _ => Operation::Unknown,
        };
        Self { id: call.parameter("session_id").map(str::to_owned), ..Self::to(operation) }
    }

    /// Its name in counts, records and scripts.
    pub(crate) fn name(&self) -> String {
        match self.collection {
            Some(collection) => format!("{collection}.{}", self.operation.name()),
            None => self.operation.name().to_owned(),
        }
    }

    fn to(operation: Operation) -> Self {
        Self { operation, collection: None, id: None }
    }

    fn with_id(operation: Operation, id: &str) -> Self {
        Self { id: Some(id.to_owned()), ..Self::to(operation) }
    }

    fn collection(method: &str, name: &str, id: Option<&str>) -> Self {
        let operation = match (method, id) {
            ("GET", None) => Operation::List,
            ("POST", None) => Operation::Create,
            ("GET", Some(_)) => Operation::Get,
            ("PUT", Some(_)) => Operation::Update,
            ("DELETE", Some(_)) => Operation::Delete,
            _ => Operation::Unknown,
        };
        match COLLECTIONS.iter().find(|known| **known == name) {
            Some(collection) => Self { operation, collection: Some(collection), id: id.map(str::to_owned) },
            None => Self::to(Operation::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("POST", "/v1/auth/session-token", "sessionToken")]
    #[case("POST", "//v1/engine/session", "engineSession")]
    #[case("GET", "/v1/sessions/concurrency", "sessions.concurrency")]
    #[case("GET", "/v1/sessions/abc", "sessions.get")]
    #[case("POST", "/v1/sessions/abc/stop", "sessions.stop")]
    #[case("GET", "/v1/personas", "personas.list")]
    #[case("GET", "/v1/knowledge/groups", "knowledge.list")]
    #[case("PUT", "/v1/llms/abc", "llms.update")]
    #[case("OPTIONS", "/v1/engine/session", "preflight")]
    #[case("POST", "/None/engine/session", "unknown")]
    #[case("GET", "/v1/auth/session-token", "unknown")]
    fn paths_name_operations(#[case] method: &str, #[case] path: &str, #[case] name: &str) {
        assert_eq!(Route::of_api(&Call::bare(method.parse().unwrap(), path)).name(), name);
    }
}
