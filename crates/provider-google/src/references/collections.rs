//! What Google keeps for a project, and for how long (facts/gemini.md §6).

use std::time::Duration;

/// A day.
const DAY: Duration = Duration::from_hours(24);
/// What stays until somebody deletes it. Longer than anybody leaves a thing unused and asks for it after all.
const PERSISTENT: Duration = Duration::from_hours(24 * 400);

/// How long a token to go on with is known. How long it is good for is not documented; SDKs use it at once.
pub(crate) const CONTINUATION_LIFETIME: Duration = Duration::from_hours(1);

/// A collection of things with names of the form `{collection}/{id}`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Collection {
    /// The collection.
    pub name: &'static str,
    /// How long the provider keeps one of them, unless its answer says it.
    pub lifetime: Duration,
    /// Whether each of them is some project's own. Google has agents, voices and environments that are
    /// everybody's: that one of those was served says nothing about who owns it.
    pub is_always_owned: bool,
}

const fn owned(name: &'static str, lifetime: Duration) -> Collection {
    Collection { name, lifetime, is_always_owned: true }
}

const fn maybe_public(name: &'static str, lifetime: Duration) -> Collection {
    Collection { name, lifetime, is_always_owned: false }
}

/// All that are known.
const COLLECTIONS: [Collection; 22] = [
    owned("files", DAY.saturating_mul(2)),
    owned("cachedContents", Duration::from_hours(1)),
    // They run for two days at most, and their results are kept for about six weeks.
    owned("batches", DAY.saturating_mul(45)),
    // What runs long at a model: `models/m/operations/o`.
    owned("models", DAY.saturating_mul(30)),
    owned("dynamic", DAY.saturating_mul(30)),
    owned("operations", DAY.saturating_mul(30)),
    owned("generatedFiles", DAY.saturating_mul(2)),
    // Those of the OpenAI-compatible surface.
    owned("videos", DAY.saturating_mul(2)),
    owned("fileSearchStores", PERSISTENT),
    owned("ragStores", PERSISTENT),
    owned("tunedModels", PERSISTENT),
    owned("corpora", PERSISTENT),
    owned("interactions", DAY.saturating_mul(55)),
    // Credentials themselves: kept by their sum, never by their name.
    owned("auth_tokens", Duration::from_hours(20)),
    owned("continuation_tokens", CONTINUATION_LIFETIME),
    maybe_public("agents", PERSISTENT),
    maybe_public("environments", PERSISTENT),
    maybe_public("credentials", PERSISTENT),
    maybe_public("triggers", PERSISTENT),
    maybe_public("voices", PERSISTENT),
    maybe_public("webhooks", PERSISTENT),
    maybe_public(OTHER, PERSISTENT),
];

/// Stands for collections that nobody knew when this was written.
pub(crate) const OTHER: &str = "resource";

/// The collection called so.
pub(crate) fn collection(name: &str) -> Option<&'static Collection> {
    COLLECTIONS.iter().find(|collection| collection.name == name)
}
