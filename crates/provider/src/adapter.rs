//! A provider's entry in the catalogue.

use std::sync::Arc;
use std::time::Duration;

use keygate_domain::{Operation, ProviderName, Reset};

use crate::{FreeCall, Provider, ProviderOptions};

/// Everything the house must know of a provider before it speaks to it. The catalogue is a list
/// of these; configuration, route prefix, supervisor, status and spans follow from the entry.
#[derive(Clone, Copy)]
pub struct Adapter {
    /// The name in YAML, routes and spans.
    pub name: ProviderName,
    /// Other names accepted in routes (`gemini` for `google`).
    pub aliases: &'static [&'static str],
    /// The name in sentences for people: `Gemini`.
    pub display_name: &'static str,
    /// `gen_ai.provider.name` of the OpenTelemetry GenAI conventions.
    pub otel_name: &'static str,
    /// Where the provider lives.
    pub base_url: &'static str,
    /// The deadline of a whole request, unless configured.
    pub timeout: Duration,
    /// When the provider's day ends.
    pub day_ends: Reset,
    /// When the provider's month ends.
    pub month_ends: Reset,
    /// What can be asked of it, the usual operation first; for explaining a decision before anybody asks.
    pub operations: &'static [KnownOperation],
    /// Where the field keeps this provider's keys.
    pub key_variables: KeyVariables,
    /// Prefixes of keys that may be shown.
    pub public_key_prefixes: &'static [&'static str],
    /// Regular expressions of what the provider's keys look like, to be redacted anywhere.
    pub key_shapes: &'static [&'static str],
    /// The call that finds out whether a disabled key works again. Without one a key that was disabled
    /// stays so until an operator decides about it.
    pub free_call: Option<FreeCall>,
    /// What users are told when nobody can answer them, unless configured: language, text.
    pub busy_messages: &'static [(&'static str, &'static str)],
    /// Hosts besides `base_url` at which its sessions are spoken with, unless configured. Empty where there
    /// are no such sessions: then none of [`ProviderOptions`] can be configured.
    pub engine_hosts: &'static [&'static str],
    /// Makes the translation.
    pub build: fn(&ProviderOptions) -> Arc<dyn Provider>,
}

/// An operation, as far as the choice of a key depends on it. The same as the adapter's intents say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KnownOperation {
    /// Its name.
    pub operation: Operation,
    /// Whether it names a model.
    pub takes_model: bool,
    /// Whether it occupies one of the group's concurrent sessions.
    pub opens_session: bool,
    /// Whether it counts as a request at the provider.
    pub is_counted: bool,
}

impl KnownOperation {
    /// An operation that names a model and counts, and opens no session.
    pub const fn of_model(operation: Operation) -> Self {
        Self { operation, takes_model: true, opens_session: false, is_counted: true }
    }

    /// An operation that names no model.
    pub const fn plain(operation: Operation) -> Self {
        Self { takes_model: false, ..Self::of_model(operation) }
    }
}

/// The environment variables in which the field keeps a provider's keys.
#[derive(Clone, Copy, Debug)]
pub struct KeyVariables {
    /// The one named in messages.
    pub canonical: &'static str,
    /// Variables holding a key or a comma list, in order.
    pub lists: &'static [&'static str],
    /// Prefixes of numbered variables (`GEMINI_API_KEY_` for `GEMINI_API_KEY_1…N`), in order.
    pub numbered: &'static [&'static str],
}
