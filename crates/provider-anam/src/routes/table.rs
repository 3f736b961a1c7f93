//! The routes of Anam's API, a row each (facts/anam.md A1).

use std::time::Duration;

use keygate_domain::{Operation, Replay, Right};

use super::{
    CONCURRENCY_PATH, DOCUMENTS_ROUTE, GET_SESSION, KILL_SESSION, MINT_PATH, MINT_SESSION_TOKEN, SESSION,
    SESSION_CONCURRENCY, SESSIONS_PATH, START_PATH, START_SESSION, STOP_SESSION,
};

/// How long what an organisation keeps is remembered: until it is deleted, for all anybody knows.
pub(crate) const KEPT: Duration = Duration::from_hours(24 * 365);

/// How long storage takes an upload it has been told of.
const UPLOAD: Duration = Duration::from_hours(1);

/// A route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(super) method: &'static str,
    /// The path, an id as `{id}`.
    pub(super) route: &'static str,
    pub(crate) operation: Operation,
    pub(super) right: Right,
    pub(super) replay: Replay,
    /// What it counts for the user.
    pub(super) units: u32,
    /// What the id in the path is of.
    pub(super) names: Option<&'static str>,
    /// What a successful answer has created.
    pub(crate) creates: Option<Creates>,
    /// What a successful answer shows, one of them or many.
    pub(crate) shows: Option<&'static str>,
    /// Whether it concerns what one organisation keeps, so that it must not go to any.
    pub(super) is_settled: bool,
}

/// What an answer has created: where in it the id stands, and how long that is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Creates {
    pub(crate) kind: &'static str,
    pub(crate) field: &'static str,
    pub(crate) lifetime: Duration,
}

impl Row {
    /// What all have in common; the cautious value wherever they differ.
    const fn new(method: &'static str, route: &'static str, operation: Operation) -> Self {
        Self {
            method,
            route,
            operation,
            right: Right::Manage,
            replay: Replay::OnlyIfRefused,
            units: 1,
            names: None,
            creates: None,
            shows: None,
            is_settled: true,
        }
    }

    const fn read(route: &'static str, name: &'static str) -> Self {
        Self { replay: Replay::Safe, ..Self::new("GET", route, Operation(name)) }
    }

    /// Changes what is there. Not sent twice on a guess: somebody else may have changed it in between.
    const fn change(route: &'static str, name: &'static str) -> Self {
        Self::new("PUT", route, Operation(name))
    }

    /// Sent twice it would say that there is no such thing, of what it has just deleted.
    const fn delete(route: &'static str, name: &'static str) -> Self {
        Self::new("DELETE", route, Operation(name))
    }

    const fn act(route: &'static str, name: &'static str) -> Self {
        Self::new("POST", route, Operation(name))
    }

    /// Shows many of a kind.
    const fn lists(self, kind: &'static str) -> Self {
        Self { shows: Some(kind), ..self }
    }

    /// Shows the one that it names.
    const fn shows(self, kind: &'static str) -> Self {
        Self { names: Some(kind), shows: Some(kind), ..self }
    }

    const fn creates(self, kind: &'static str) -> Self {
        self.creating(kind, "id", KEPT)
    }

    const fn creating(self, kind: &'static str, field: &'static str, lifetime: Duration) -> Self {
        Self { creates: Some(Creates { kind, field, lifetime }), ..self }
    }

    const fn of(self, kind: &'static str) -> Self {
        Self { names: Some(kind), ..self }
    }

    /// Has no effect but its answer, or none the second time.
    const fn repeatable(self) -> Self {
        Self { replay: Replay::Safe, ..self }
    }

    /// Belongs to the running of a session, not to what is kept.
    const fn of_sessions(self) -> Self {
        Self { right: Right::Avatar, ..self }
    }

    /// Counts nothing for the user: a look at the state of something, or its end.
    const fn uncounted(self) -> Self {
        Self { units: 0, ..self }
    }

    /// Any organisation will do.
    const fn anywhere(self) -> Self {
        Self { is_settled: false, ..self }
    }
}

/// All of them, the usual ones first. Where two fit a path, the first does.
pub(crate) const ROWS: [Row; 60] = [
    // Never sent twice on a guess: a start that was lost on the way back may be running, billed.
    Row::act(START_PATH, START_SESSION.0).of_sessions().anywhere(),
    // A token nobody received starts nothing, costs nothing, takes no slot and lapses by itself.
    Row::act(MINT_PATH, MINT_SESSION_TOKEN.0).of_sessions().anywhere().repeatable(),
    Row::read(CONCURRENCY_PATH, SESSION_CONCURRENCY.0).of_sessions().anywhere().uncounted(),
    // A session stopped twice is as stopped as one stopped once. At worst the second answer says that it
    // is gone.
    Row::act("/v1/sessions/{id}/stop", STOP_SESSION.0).of(SESSION).of_sessions().repeatable().uncounted(),
    Row::act("/v1/engine/session/{id}/kill", KILL_SESSION.0)
        .of(SESSION)
        .of_sessions()
        .repeatable()
        .uncounted(),
    Row::read(SESSIONS_PATH, "list_sessions").lists(SESSION),
    Row::read("/v1/sessions/analytics", "analyse_sessions"),
    Row::read("/v1/sessions/{id}", GET_SESSION.0).shows(SESSION).of_sessions().uncounted(),
    Row::read("/v1/sessions/{id}/transcript", "get_transcript").of(SESSION).of_sessions(),
    Row::read("/v1/sessions/{id}/recording", "get_recording").of(SESSION).of_sessions(),
    Row::read("/v1/sessions/{id}/analytics", "analyse_session").of(SESSION).of_sessions(),
    Row::read("/v1/personas", "list_personas").lists("persona"),
    Row::act("/v1/personas", "create_persona").creates("persona"),
    Row::read("/v1/personas/{id}", "get_persona").shows("persona"),
    Row::change("/v1/personas/{id}", "update_persona").of("persona"),
    Row::delete("/v1/personas/{id}", "delete_persona").of("persona"),
    Row::read("/v1/avatars", "list_avatars").lists("avatar"),
    Row::act("/v1/avatars", "create_avatar").creates("avatar"),
    Row::read("/v1/avatars/{id}", "get_avatar").shows("avatar"),
    Row::change("/v1/avatars/{id}", "update_avatar").of("avatar"),
    Row::delete("/v1/avatars/{id}", "delete_avatar").of("avatar"),
    Row::read("/v1/voices", "list_voices").lists("voice"),
    Row::act("/v1/voices", "create_voice").creates("voice"),
    // A place to upload to that nobody uses lapses by itself.
    Row::act("/v1/voices/presigned-upload", "presign_voice")
        .repeatable()
        .creating("audio", "audioKey", UPLOAD),
    Row::read("/v1/voices/{id}", "get_voice").shows("voice"),
    Row::change("/v1/voices/{id}", "update_voice").of("voice"),
    Row::delete("/v1/voices/{id}", "delete_voice").of("voice"),
    Row::read("/v1/llms", "list_llms").lists("llm"),
    Row::act("/v1/llms", "create_llm").creates("llm"),
    Row::read("/v1/llms/{id}", "get_llm").shows("llm"),
    Row::change("/v1/llms/{id}", "update_llm").of("llm"),
    Row::delete("/v1/llms/{id}", "delete_llm").of("llm"),
    Row::read("/v1/tools", "list_tools").lists("tool"),
    Row::act("/v1/tools", "create_tool").creates("tool"),
    Row::read("/v1/tools/{id}", "get_tool").shows("tool"),
    Row::change("/v1/tools/{id}", "update_tool").of("tool"),
    Row::delete("/v1/tools/{id}", "delete_tool").of("tool"),
    Row::read("/v1/knowledge/groups", "list_knowledge").lists("knowledge"),
    Row::act("/v1/knowledge/groups", "create_knowledge").creates("knowledge"),
    Row::read("/v1/knowledge/groups/{id}", "get_knowledge").shows("knowledge"),
    Row::change("/v1/knowledge/groups/{id}", "update_knowledge").of("knowledge"),
    Row::delete("/v1/knowledge/groups/{id}", "delete_knowledge").of("knowledge"),
    Row::act("/v1/knowledge/groups/{id}/search", "search_knowledge").of("knowledge").repeatable(),
    Row::read(DOCUMENTS_ROUTE, "list_documents").of("knowledge").lists("document"),
    Row::act(DOCUMENTS_ROUTE, "create_document").of("knowledge").creates("document"),
    Row::act("/v1/knowledge/groups/{id}/documents/presigned-upload", "presign_document")
        .of("knowledge")
        .creating("document", "documentId", KEPT),
    Row::read("/v1/knowledge/documents/{id}", "get_document").shows("document"),
    Row::change("/v1/knowledge/documents/{id}", "update_document").of("document"),
    Row::delete("/v1/knowledge/documents/{id}", "delete_document").of("document"),
    Row::read("/v1/knowledge/documents/{id}/download", "download_document").of("document"),
    Row::act("/v1/knowledge/documents/{id}/confirm-upload", "confirm_document").of("document"),
    Row::read("/v1/share-links", "list_share_links").lists("share_link"),
    Row::act("/v1/share-links", "create_share_link").creates("share_link"),
    Row::read("/v1/share-links/{id}", "get_share_link").shows("share_link"),
    Row::change("/v1/share-links/{id}", "update_share_link").of("share_link"),
    Row::delete("/v1/share-links/{id}", "delete_share_link").of("share_link"),
    Row::read("/v1/meetings/invites", "list_invites").lists("invite"),
    Row::act("/v1/meetings/invites", "create_invite").creates("invite"),
    Row::read("/v1/meetings/invites/{id}", "get_invite").shows("invite"),
    // The only deletion that Anam says may be repeated.
    Row::delete("/v1/meetings/invites/{id}", "delete_invite").of("invite").repeatable(),
];
