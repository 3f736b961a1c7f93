//! The keys as they are configured, without a gateway.

use std::collections::BTreeMap;
use std::path::Path;

use keygate_config::{Loaded, Place, ProviderConfig};
use keygate_domain::KeySpec;
use keygate_provider::Adapter;

use super::words::listed;
use crate::cli::Source;
use crate::commands::database::Failure;
use crate::wiring;

/// Reads the configuration; a provider without a key is no reason to fail.
pub(super) fn read(config: Option<&Path>, catalogue: &[Adapter]) -> Result<Loaded, Failure> {
    let source = Source { config: config.map(Path::to_owned), bind: None, allow_empty: true };
    Ok(wiring::load(&source, catalogue)?)
}

/// The provider of this name, or of this other name.
pub(super) fn adapter_called<'a>(catalogue: &'a [Adapter], name: &str) -> Result<&'a Adapter, Failure> {
    let is_called = |adapter: &&Adapter| adapter.name.as_str() == name || adapter.aliases.contains(&name);
    catalogue.iter().find(is_called).ok_or_else(|| {
        let known: Vec<&str> = catalogue.iter().map(|adapter| adapter.name.as_str()).collect();
        Failure::usage(format!("This version knows no such provider; it knows {}.", listed(&known)))
    })
}

/// The providers that are on, or the one that is meant.
pub(super) fn chosen<'a>(
    loaded: &'a Loaded,
    wanted: Option<&str>,
    catalogue: &[Adapter],
) -> Result<Vec<&'a ProviderConfig>, Failure> {
    let Some(wanted) = wanted else { return Ok(loaded.config.providers.iter().collect()) };
    let name = adapter_called(catalogue, wanted)?.name;
    let provider = loaded.config.providers.iter().find(|provider| provider.adapter.name == name);
    provider.map(|provider| vec![provider]).ok_or_else(|| {
        Failure::usage(format!(
            "{name} is not configured. `keygate keys add {name} -` gives it its first keys."
        ))
    })
}

/// Where each key of a provider came from, by its position.
pub(super) fn places<'a>(loaded: &'a Loaded, provider: &ProviderConfig) -> BTreeMap<usize, &'a Place> {
    let prefix = format!("providers.{}.keys[", provider.adapter.name);
    let position = |path: &str| path.strip_prefix(&prefix)?.strip_suffix(']')?.parse().ok();
    loaded.sources.iter().filter_map(|value| Some((position(&value.path)?, &value.source))).collect()
}

/// The group of a key for which none is declared.
pub(super) const ITS_OWN: &str = "(its own)";

/// How people name the group of a key.
pub(super) fn group_of(key: &KeySpec) -> &str {
    key.group.as_ref().map_or(ITS_OWN, |group| group.as_str())
}
