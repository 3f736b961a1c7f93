//! `answers:` and `cache:`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::{Setting, Share};
use crate::units::ByteSize;

/// Stored answers: what users are told when every key failed. They are put in with `keygate answers import`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AnswersSection {
    /// Whether they are used.
    pub(crate) enabled: Setting<bool>,
    /// How well one must fit to be used, from 0 to 1: the share of its phrase that a question has, counted in
    /// words that tell something. `keygate answers test` shows it.
    pub(crate) threshold: Setting<Share>,
    /// Whether answers to anything (`match: "*"`) are used where no other fits.
    pub(crate) catch_all: Setting<bool>,
}

impl Default for AnswersSection {
    fn default() -> Self {
        Self { enabled: Setting(true), threshold: Setting(Share(0.6)), catch_all: Setting(true) }
    }
}

/// The response cache: an answer is given again to the same user who asks exactly the same. It costs no key and
/// counts for the user's limit.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CacheSection {
    /// Whether there is one.
    pub(crate) enabled: Setting<bool>,
    /// How long an answer is given again.
    pub(crate) ttl: Setting<Duration>,
    /// How much memory answers may take, with its unit (`64MiB`). One that takes more than a sixteenth of it is
    /// not kept.
    pub(crate) max_size: Setting<ByteSize>,
}

impl Default for CacheSection {
    fn default() -> Self {
        Self {
            enabled: Setting(false),
            ttl: Setting(Duration::from_mins(5)),
            max_size: Setting(ByteSize(64 << 20)),
        }
    }
}
