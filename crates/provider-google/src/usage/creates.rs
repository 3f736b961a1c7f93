//! What an answer creates, where its id is among the fields the scanner keeps.

use std::time::Duration;

use http::Method;
use keygate_domain::{Binding, Resource};
use keygate_provider::Inbound;

use crate::routes::{BATCH_KIND, VIDEO_KIND};

/// The kind of an interaction among resources.
pub(crate) const INTERACTION: &str = "interactions";

/// How long a stored interaction can be referred to by a paid project; a free one keeps it for a day, and
/// answers not found from then on.
const INTERACTION_LIFETIME: Duration = Duration::from_hours(55 * 24);

/// How long a batch runs and its results are kept: 48 hours and about six weeks.
const BATCH_LIFETIME: Duration = Duration::from_hours(44 * 24);

/// How long a video that was made can be fetched.
const VIDEO_LIFETIME: Duration = Duration::from_hours(48);

/// A resource that an answer creates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Creates {
    kind: &'static str,
    lifetime: Duration,
}

impl Creates {
    /// What a success of this request creates. An interaction that is not to be stored is bound all the same:
    /// what its continuation names must reach the same project.
    pub(crate) fn of(inbound: &Inbound<'_>) -> Option<Self> {
        if inbound.method != Method::POST {
            return None;
        }
        let (parent, collection) = inbound.path.rsplit_once('/')?;
        let is_openais = parent.ends_with("/openai") || parent == "/openai/v1";
        let (kind, lifetime) = match collection {
            "interactions" => (INTERACTION, INTERACTION_LIFETIME),
            "batches" if is_openais => (BATCH_KIND, BATCH_LIFETIME),
            "videos" if is_openais => (VIDEO_KIND, VIDEO_LIFETIME),
            _ => return None,
        };
        Some(Self { kind, lifetime })
    }

    /// The resource by the id that the answer told.
    pub(super) fn binding(self, id: &str) -> Option<Binding> {
        // `batches/b-1` and `b-1` are the same one.
        let id = id.rsplit_once('/').map_or(id, |(_, last)| last);
        let resource = Resource::new(self.kind, id);
        (!id.is_empty()).then_some(Binding { resource, lifetime: self.lifetime, keepsake: None })
    }
}
