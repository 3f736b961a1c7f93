//! What an operator configures of a provider besides keys and limits.

use std::collections::BTreeMap;

use keygate_domain::GroupId;

use crate::EngineHosts;

/// Handed to an adapter when its translation is made. A provider that has no use for a setting does not
/// take it (see [`crate::Adapter::engine_hosts`]), and the configuration says so.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProviderOptions {
    /// Where sessions may be spoken with, besides the base URL.
    pub engine_hosts: EngineHosts,
    /// The quota group in which things are listed and created when the caller names none.
    pub management_group: Option<GroupId>,
    /// Names for personas that every group keeps under an id of its own: alias, group, id.
    pub personas: BTreeMap<String, BTreeMap<GroupId, String>>,
}
