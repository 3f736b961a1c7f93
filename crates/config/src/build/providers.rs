//! `providers:`: which of the catalogue are on.

use std::collections::BTreeMap;

use keygate_provider::Adapter;

use super::provider::{no_keys, places_looked_at};
use super::{Judge, provider, segments};
use crate::config::ProviderConfig;
use crate::effective::Effective;
use crate::environment::Environment;
use crate::nearest::{listed, nearest, speakable};
use crate::problem::Place;
use crate::schema::ProviderSection;

pub(super) fn build(
    sections: &mut BTreeMap<String, ProviderSection>,
    catalogue: &[Adapter],
    judge: &mut Judge<'_>,
) -> (Vec<ProviderConfig>, Vec<Effective>) {
    refuse_unknown(sections, catalogue, judge);
    let (mut providers, mut shown) = (Vec::new(), Vec::new());
    for adapter in catalogue {
        let name = adapter.name.as_str();
        let is_on = sections.contains_key(name) || has_keys(adapter, judge.sources.environment);
        if is_on {
            let section = sections.entry(name.to_owned()).or_default();
            let built = provider::build(adapter, section, judge);
            if let Some((provider, keys)) = built {
                providers.push(provider);
                shown.extend(keys);
            }
        }
    }
    if sections.is_empty() && !judge.findings.is_blamed(&["providers"]) {
        tell_nothing_is_on(catalogue, judge);
    }
    (providers, shown)
}

/// Whether one of the well-known variables holds something, which switches a provider on.
fn has_keys(adapter: &Adapter, environment: &Environment) -> bool {
    let names = &adapter.key_variables;
    let is_filled = |name: &&str| environment.filled(name).is_some();
    let is_numbered_filled = |prefix: &&str| {
        environment.numbered(prefix).iter().any(|(_, variable)| !variable.value.trim().is_empty())
    };
    names.lists.iter().any(is_filled) || names.numbered.iter().any(is_numbered_filled)
}

fn refuse_unknown(
    sections: &mut BTreeMap<String, ProviderSection>,
    catalogue: &[Adapter],
    judge: &mut Judge<'_>,
) {
    let known: Vec<&str> = catalogue.iter().map(|adapter| adapter.name.as_str()).collect();
    let unknown: Vec<String> =
        sections.keys().filter(|name| !known.contains(&name.as_str())).cloned().collect();
    for name in unknown {
        sections.remove(&name);
        let place = judge.layers.name_place(&["providers".to_owned(), name.clone()]);
        let spoken = speakable(&name).map_or("this name".to_owned(), |name| format!("`{name}`"));
        let called = catalogue.iter().find(|adapter| adapter.aliases.contains(&name.as_str()));
        let (what, remedy) = match (called, nearest(&name, known.iter().copied())) {
            (Some(adapter), _) => (
                format!("{spoken} is called `{}` in the configuration", adapter.name),
                format!("call it `{}`", adapter.name),
            ),
            (None, Some(meant)) => {
                (format!("{spoken} is not a provider this version knows"), format!("did you mean `{meant}`?"))
            }
            (None, None) => (
                format!("{spoken} is not a provider this version knows"),
                format!("remove it; known here: {}", listed(known.iter().copied())),
            ),
        };
        judge.findings.blame(&segments("providers.?"), place, what, remedy);
    }
}

fn tell_nothing_is_on(catalogue: &[Adapter], judge: &mut Judge<'_>) {
    if judge.allow_empty {
        let text = "no provider is configured, so nothing can be served until one is";
        return judge.findings.warn(Place::Default, text);
    }
    let environment = judge.sources.environment;
    for adapter in catalogue {
        let names = &adapter.key_variables;
        let blank = names.lists.iter().find(|name| environment.get(name).is_some());
        let places = places_looked_at(adapter, true, judge);
        judge.findings.problem(
            Place::Default,
            format!("no provider is configured: {}", no_keys(adapter, blank.copied())),
            format!(
                "looked at {places}; set one of them to use {}, or start with --allow-empty",
                adapter.display_name
            ),
        );
    }
}
