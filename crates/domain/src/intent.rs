//! What a request wants, as its provider's adapter understood it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{GroupId, ModelName, Resource, Spend};

/// The operation of a provider, named as traces and exclusions show it: `generate_content`.
/// Each adapter owns its constants.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct Operation(pub &'static str);

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What a client's token must allow for a request. The names are those of the YAML and the CLI.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Generate, stream, count tokens, list models.
    Chat,
    /// Embeddings.
    Embed,
    /// Files, uploads, caches.
    Files,
    /// Live connections.
    Live,
    /// Avatar sessions.
    Avatar,
    /// Create, change and delete what the provider keeps.
    Manage,
    /// Read status and metrics.
    Status,
    /// Everything, operators' routes included.
    Admin,
}

impl Right {
    /// All rights.
    pub const ALL: [Self; 8] = [
        Self::Chat,
        Self::Embed,
        Self::Files,
        Self::Live,
        Self::Avatar,
        Self::Manage,
        Self::Status,
        Self::Admin,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embed => "embed",
            Self::Files => "files",
            Self::Live => "live",
            Self::Avatar => "avatar",
            Self::Manage => "manage",
            Self::Status => "status",
            Self::Admin => "admin",
        }
    }

    /// The right of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.as_str() == name)
    }
}

/// How the answer comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Streaming {
    /// In one piece.
    #[default]
    Whole,
    /// Server-sent events.
    Events,
    /// One JSON array, element by element.
    JsonArray,
    /// A file's bytes, for as long as they come: silence ends it, no deadline does.
    File,
}

impl Streaming {
    /// Whether the answer arrives over time.
    pub fn is_stream(self) -> bool {
        !matches!(self, Self::Whole)
    }
}

/// When the request may be sent a second time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replay {
    /// The operation has no effect but its answer: again after an error answer, a broken
    /// connection or a timeout, as long as no byte went to the caller.
    Safe,
    /// It creates something: again only when the provider refused it or never received it.
    OnlyIfRefused,
}

/// What lets a request in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Access {
    /// A client's token, and only to what that client made.
    #[default]
    Token,
    /// The caller's own provider-issued credential (an avatar session token), which is what goes
    /// upstream. No gateway token is asked for, and a credential nobody here knows is passed as it is.
    OwnCredential,
    /// Knowing the name of something that was made through this gateway and that nobody can guess: an
    /// upload. SDKs send no credential there. `references` names it; what nobody here made is not found.
    Reference,
    /// The same where the provider asks for no key either: the engine of an avatar. Such a request goes on
    /// whatever the keys of its group do.
    ReferenceAlone,
}

impl Access {
    /// Whether a client's token is asked for.
    pub fn needs_token(self) -> bool {
        matches!(self, Self::Token)
    }

    /// Whether something has to be known here that the request names.
    pub fn needs_reference(self) -> bool {
        matches!(self, Self::Reference | Self::ReferenceAlone)
    }

    /// Whether a key of the pool, or the caller's own in its place, goes along.
    pub fn needs_key(self) -> bool {
        !matches!(self, Self::ReferenceAlone)
    }
}

/// Which quota group serves a request, where what it names does not say so.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Placement {
    /// Any.
    #[default]
    Any,
    /// The one that the caller named.
    In(GroupId),
    /// This one; without one, the only one there is. For lists and creations: what one group keeps is not what
    /// another keeps, and which of them answers must not be chance.
    Settled(Option<GroupId>),
}

/// What a request wants. Made once per request, before any key is chosen.
#[derive(Clone, Debug)]
pub struct Intent {
    /// Which of the provider's operations.
    pub operation: Operation,
    /// The route with placeholders, for spans and metrics: `/{version}/models/{model}:generateContent`.
    pub route: &'static str,
    /// The path and query to ask the provider for, the caller's credentials already removed.
    pub target: String,
    /// The model named, if the operation has one.
    pub model: Option<ModelName>,
    /// How the answer comes.
    pub streaming: Streaming,
    /// When it may be sent again.
    pub replay: Replay,
    /// What the client must be allowed to do.
    pub right: Right,
    /// Whether it occupies one of the group's concurrent sessions; only such operations meet
    /// a [`crate::Fault::Busy`] group.
    pub opens_session: bool,
    /// What it counts for the user: 1 for a call that uses a key, 0 for polls and reads of status.
    pub user_units: u32,
    /// Resources it names; only their owner group may serve it.
    pub references: Vec<Resource>,
    /// Which group serves it where `references` do not say so.
    pub placement: Placement,
    /// What lets it in.
    pub access: Access,
    /// What it will cost, roughly.
    pub estimate: Spend,
    /// The deadline the caller asked for, if any (`X-Server-Timeout`).
    pub caller_deadline: Option<Duration>,
}
