//! `providers.<name>:`.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use keygate_limits::RetryPolicy;
use keygate_pool::{Cooldowns, QueueBounds, Strategy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{BudgetsSection, KeyEntries, ProbeSection, RotationSection, or_default};
use crate::setting::{Setting, count};

/// A provider: where it lives, its keys, and how they are used.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ProviderSection {
    /// Where the provider lives; https, or http on loopback. Without it: the provider's own address.
    pub(crate) base_url: Setting<Option<Url>>,
    /// How the next key is chosen: `round_robin` takes turns, `weighted` takes turns by weight,
    /// `primary_backup` uses backups only while no primary can be used, `least_recently_used` takes
    /// the key that waited longest, `health` draws by how well each key fares lately, `headroom`
    /// takes the key whose group has the most of its budget left.
    pub(crate) strategy: Setting<Strategy>,
    /// When the first key moves to the end of the order, which spreads wear under
    /// `primary_backup`. Without `every` it never does.
    #[serde(deserialize_with = "or_default")]
    pub(crate) rotation: RotationSection,
    /// The keys, in order: `env:NAME`, `file:PATH` (relative to this file, one key a line), or an
    /// object with label, group, weight and role.
    #[serde(deserialize_with = "or_default")]
    pub(crate) keys: KeyEntries,
    /// Whether the provider's well-known variables, such as `GEMINI_API_KEYS` and
    /// `GEMINI_API_KEY_1`, are read besides `keys`.
    pub(crate) keys_from_env: Setting<bool>,
    /// What each quota group may use, so that no limit of the provider is met.
    #[serde(deserialize_with = "or_default")]
    pub(crate) budgets: BudgetsSection,
    /// How long a key rests after a fault, where the provider gives no hint.
    #[serde(deserialize_with = "or_default")]
    pub(crate) cooldowns: CooldownsSection,
    /// How disabled keys are asked after.
    #[serde(deserialize_with = "or_default")]
    pub(crate) probe: ProbeSection,
    /// When a request is sent again.
    #[serde(deserialize_with = "or_default")]
    pub(crate) retry: RetrySection,
    /// Who may wait for a key when none is free.
    #[serde(deserialize_with = "or_default")]
    pub(crate) queue: QueueSection,
    /// The deadline of a whole request, attempts included. Without it: the provider's own.
    pub(crate) timeout: Setting<Option<Duration>>,
    /// The models to ask in the place of one when every key failed for it, the best first; each key of the map
    /// is a model: `{ gemini-2.5-pro: [gemini-2.5-flash] }`. Callers see which answered in `x-keygate-model`.
    #[serde(deserialize_with = "or_default")]
    pub(crate) model_fallback: BTreeMap<String, Vec<Setting<String>>>,
    /// What users are told when nobody can answer them, by language (`en`, `id`, `pt-br`): the `message` of the
    /// assistant's and the avatars' refusals, chosen by `Accept-Language`. A language left out keeps its own
    /// words where there are any, and English elsewhere.
    #[serde(deserialize_with = "or_default")]
    pub(crate) messages: BTreeMap<String, Setting<String>>,
    /// For avatars: the hosts at which engines may be spoken with, by TLS (`*.anam.ai`,
    /// `engine.example.com`); a loopback address with its port (`127.0.0.1:8091`) without. Without it: the
    /// provider's own. A caller has a say in which of them is asked, so name no others.
    #[serde(deserialize_with = "or_default")]
    pub(crate) engine_hosts: Option<Vec<Setting<String>>>,
    /// For avatars: the quota group in which personas, voices, tools and the like are listed and created when
    /// the request does not say it by `X-Keygate-Group`. With a single group there is no need of it.
    pub(crate) management_group: Setting<Option<String>>,
    /// For avatars: names for personas that every organisation keeps under an id of its own:
    /// `receptionist: { org-a: <id>, org-b: <id> }`. A session of such a persona starts wherever there is room.
    #[serde(deserialize_with = "or_default")]
    pub(crate) personas: BTreeMap<String, BTreeMap<String, Setting<String>>>,
}

impl Default for ProviderSection {
    fn default() -> Self {
        Self {
            base_url: Setting(None),
            strategy: Setting::default(),
            rotation: RotationSection::default(),
            keys: KeyEntries::default(),
            keys_from_env: Setting(true),
            budgets: BudgetsSection::default(),
            cooldowns: CooldownsSection::default(),
            probe: ProbeSection::default(),
            retry: RetrySection::default(),
            queue: QueueSection::default(),
            timeout: Setting(None),
            model_fallback: BTreeMap::new(),
            messages: BTreeMap::new(),
            engine_hosts: None,
            management_group: Setting(None),
            personas: BTreeMap::new(),
        }
    }
}

/// How long a key rests after a fault, where the provider gives no hint.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CooldownsSection {
    /// After a rate limit without a stated wait.
    pub(crate) rate_limited: Setting<Duration>,
    /// After a used-up quota whose reset is not known.
    pub(crate) quota_exhausted: Setting<Duration>,
    /// After the group's concurrent sessions were all in use; ends early when one becomes free.
    pub(crate) busy: Setting<Duration>,
    /// After the provider blocked the whole group (billing, suspended project).
    pub(crate) group_blocked: Setting<Duration>,
    /// After the provider refused the key one operation.
    pub(crate) key_forbidden: Setting<Duration>,
    /// While the provider itself is in trouble. No key rests for it.
    #[serde(deserialize_with = "or_default")]
    pub(crate) overloaded: BackoffSection,
}

impl Default for CooldownsSection {
    fn default() -> Self {
        let rests = Cooldowns::default();
        Self {
            rate_limited: Setting(rests.rate_limited),
            quota_exhausted: Setting(rests.quota_exhausted),
            busy: Setting(rests.busy),
            group_blocked: Setting(rests.group_blocked),
            key_forbidden: Setting(rests.key_forbidden),
            overloaded: BackoffSection::default(),
        }
    }
}

/// Waits while the provider itself is in trouble: between the attempts of a request, and of all
/// requests once most groups met the trouble. They double while it lasts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BackoffSection {
    /// For how long nobody is sent there once most groups met the trouble, before one request finds
    /// out. The first pause between the attempts of a request is a tenth of it.
    pub(crate) at_least: Setting<Duration>,
    /// The longest wait.
    pub(crate) at_most: Setting<Duration>,
}

impl Default for BackoffSection {
    fn default() -> Self {
        let retry = RetryPolicy::default();
        Self { at_least: Setting(retry.backoff_at_least), at_most: Setting(retry.backoff_at_most) }
    }
}

/// When a request is sent again.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RetrySection {
    /// Attempts of one request for faults that are the provider's, the first one included.
    pub(crate) max_attempts: Setting<NonZeroU32>,
    /// Attempts of one request that a key may be refused in; they do not count as attempts above.
    pub(crate) max_refusals: Setting<NonZeroU32>,
    /// How long an attempt may take to its first byte when the answer comes in one piece; no
    /// limit but the deadline if `null`.
    pub(crate) attempt_timeout: Setting<Option<Duration>>,
    /// How long an attempt may take to its first byte when the answer is a stream; no limit but
    /// the deadline if `null`.
    pub(crate) stream_attempt_timeout: Setting<Option<Duration>>,
}

impl Default for RetrySection {
    fn default() -> Self {
        let retry = RetryPolicy::default();
        Self {
            max_attempts: count(retry.max_attempts),
            max_refusals: count(retry.max_refusals),
            attempt_timeout: Setting(retry.attempt_timeout),
            stream_attempt_timeout: Setting(retry.stream_attempt_timeout),
        }
    }
}

/// Who may wait for a key when none is free. Users take turns.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct QueueSection {
    /// The longest wait of one request; `0s`: nobody waits. What no key can serve in that time is
    /// refused at once, with the earliest time at which one can.
    pub(crate) max_wait: Setting<Duration>,
    /// Requests that wait at the same time; of further ones, those of users who have most waiting
    /// already are refused.
    pub(crate) max_waiting: Setting<NonZeroU32>,
}

impl Default for QueueSection {
    fn default() -> Self {
        let queue = QueueBounds::default();
        Self {
            max_wait: Setting(queue.max_wait),
            max_waiting: count(u32::try_from(queue.max_waiting).unwrap_or(u32::MAX)),
        }
    }
}
