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
    /// A place to upload a voice to.
    PresignVoice,
    Search,
    ListDocuments,
    CreateDocument,
    PresignDocument,
    ConfirmDocument,
    DownloadDocument,
    Transcript,
    Recording,
    SessionAnalytics,
    Analytics,
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
            Self::PresignVoice => "voices.presign",
            Self::Search => "knowledge.search",
            Self::ListDocuments => "documents.list",
            Self::CreateDocument => "documents.create",
            Self::PresignDocument => "documents.presign",
            Self::ConfirmDocument => "documents.confirm",
            Self::DownloadDocument => "documents.download",
            Self::Transcript => "sessions.transcript",
            Self::Recording => "sessions.recording",
            Self::SessionAnalytics => "session.analytics",
            Self::Analytics => "sessions.analytics",
            Self::Metrics => "metrics",
            Self::Preflight => "preflight",
            Self::Signalling => "signalling",
            Self::Talk => "talk",
            Self::Unknown => "unknown",
        }
    }
}

/// Collections that can be listed and kept.
const COLLECTIONS: [&str; 9] =
    ["personas", "avatars", "voices", "llms", "tools", "knowledge", "documents", "share-links", "invites"];

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
            ("GET", ["sessions", "analytics"]) => Self::to(Operation::Analytics),
            ("GET", ["sessions", id]) => Self::with_id(Operation::GetSession, id),
            ("POST", ["sessions", id, "stop"] | ["engine", "session", id, "kill"]) => {
                Self::with_id(Operation::StopSession, id)
            }
            ("GET", ["sessions", id, "transcript"]) => Self::with_id(Operation::Transcript, id),
            ("GET", ["sessions", id, "recording"]) => Self::with_id(Operation::Recording, id),
            ("GET", ["sessions", id, "analytics"]) => Self::with_id(Operation::SessionAnalytics, id),
            ("POST", ["voices", "presigned-upload"]) => Self::to(Operation::PresignVoice),
            ("POST", ["metrics", "client"]) => Self::to(Operation::Metrics),
            (method, ["knowledge", "groups"]) => Self::collection(method, "knowledge", None),
            (method, ["knowledge", "groups", id]) => Self::collection(method, "knowledge", Some(id)),
            ("POST", ["knowledge", "groups", id, "search"]) => Self::with_id(Operation::Search, id),
            ("GET", ["knowledge", "groups", id, "documents"]) => Self::with_id(Operation::ListDocuments, id),
            ("POST", ["knowledge", "groups", id, "documents"]) => {
                Self::with_id(Operation::CreateDocument, id)
            }
            ("POST", ["knowledge", "groups", id, "documents", "presigned-upload"]) => {
                Self::with_id(Operation::PresignDocument, id)
            }
            ("POST", ["knowledge", "documents", id, "confirm-upload"]) => {
                Self::with_id(Operation::ConfirmDocument, id)
            }
            ("GET", ["knowledge", "documents", id, "download"]) => {
                Self::with_id(Operation::DownloadDocument, id)
            }
            (method, ["knowledge", "documents", id]) => Self::collection(method, "documents", Some(id)),
            (method, ["meetings", "invites"]) => Self::collection(method, "invites", None),
            (method, ["meetings", "invites", id]) => Self::collection(method, "invites", Some(id)),
            (_, ["documents" | "invites" | "knowledge", ..]) => Self::to(Operation::Unknown),
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
    #[case("GET", "/v1/share-links", "share-links.list")]
    #[case("DELETE", "/v1/meetings/invites/abc", "invites.delete")]
    #[case("GET", "/v1/knowledge/groups/abc/documents", "documents.list")]
    #[case("PUT", "/v1/knowledge/documents/abc", "documents.update")]
    #[case("GET", "/v1/documents/abc", "unknown")]
    #[case("POST", "/v1/engine/session/abc/kill", "sessions.stop")]
    #[case("OPTIONS", "/v1/engine/session", "preflight")]
    #[case("POST", "/None/engine/session", "unknown")]
    #[case("GET", "/v1/auth/session-token", "unknown")]
    fn paths_name_operations(#[case] method: &str, #[case] path: &str, #[case] name: &str) {
        assert_eq!(Route::of_api(&Call::bare(method.parse().unwrap(), path)).name(), name);
    }
}
