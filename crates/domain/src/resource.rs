//! Things a provider keeps for one project, and who owns them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::GroupId;

/// Something that lives inside one project or organisation: an avatar session, a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Resource {
    /// What it is: `session`, `session_token`, `file`.
    pub kind: &'static str,
    /// Its name at the provider; for credentials their SHA-256 in hex, never the value.
    pub name: Arc<str>,
}

impl Resource {
    /// Names a resource.
    pub fn new(kind: &'static str, name: impl Into<Arc<str>>) -> Self {
        Self { kind, name: name.into() }
    }

    /// Stands for a group itself: a request that names it is served by that group. Only the house makes such
    /// requests, when it asks every group for its part of something.
    pub fn part_of(group: &GroupId) -> Self {
        Self::new(Self::PART, group.as_str())
    }

    /// The group that this stands for, if it stands for one.
    pub fn as_part(&self) -> Option<GroupId> {
        (self.kind == Self::PART).then(|| GroupId::new(Arc::clone(&self.name)))
    }

    /// The kind of [`Resource::part_of`].
    const PART: &'static str = "part";
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// What an adapter wants back when the resource is used again: enough to make an equal one in
/// another group (for a session token, the request that minted it). Opaque to everyone else.
#[derive(Clone, PartialEq, Eq)]
pub struct Keepsake {
    bytes: Bytes,
    is_portable: bool,
}

impl Keepsake {
    /// Longest keepsake kept, in bytes; a longer one is dropped and its resource stays bound.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// Keeps `bytes`, of which an equal resource can be made, unless they are too many.
    pub fn new(bytes: Bytes) -> Option<Self> {
        (bytes.len() <= Self::MAX_BYTES).then_some(Self { bytes, is_portable: true })
    }

    /// Keeps what is to be known of a resource that is nowhere else: it stays bound.
    pub fn note(bytes: Bytes) -> Option<Self> {
        Self::new(bytes).map(|keepsake| Self { is_portable: false, ..keepsake })
    }

    /// The bytes kept.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Whether an equal resource can be made of it in another group.
    pub fn is_portable(&self) -> bool {
        self.is_portable
    }
}

impl fmt::Debug for Keepsake {
    /// A keepsake may hold a user's credentials (a LiveKit token): its size is all that is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keepsake({} bytes)", self.bytes.len())
    }
}

/// A session that an answer opened. It takes one of its group's concurrent places until it ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenedSession {
    /// Its name at the provider.
    pub session: Resource,
    /// How long it lasts at most, where the request says so.
    pub longest: Option<Duration>,
}

/// "This resource now belongs to the group that served this request."
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// What was created.
    pub resource: Resource,
    /// How long the provider keeps it.
    pub lifetime: Duration,
    /// With a portable keepsake the binding is a preference: another group can make an equal resource.
    /// Without one it is a law (KP-11).
    pub keepsake: Option<Keepsake>,
}
