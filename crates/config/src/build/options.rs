//! `providers.<name>:`, what concerns sessions and what organisations keep.

use std::collections::{BTreeMap, BTreeSet};

use keygate_domain::{GroupId, KeySpec};
use keygate_provider::{Adapter, EngineHosts, ProviderOptions};

use super::Judge;
use crate::schema::ProviderSection;
use crate::setting::Setting;

pub(super) fn build(
    adapter: &Adapter,
    section: &mut ProviderSection,
    keys: &[KeySpec],
    path: &str,
    judge: &mut Judge<'_>,
) -> ProviderOptions {
    if adapter.engine_hosts.is_empty() {
        refuse_all(section, path, judge);
        return ProviderOptions::default();
    }
    ProviderOptions {
        engine_hosts: engine_hosts(adapter, section, path, judge),
        management_group: management_group(section, keys, path, judge),
        personas: personas(section, keys, path, judge),
    }
}

/// A provider without avatars takes none of these.
fn refuse_all(section: &ProviderSection, path: &str, judge: &mut Judge<'_>) {
    let unset = [
        ("engine_hosts", section.engine_hosts.is_none()),
        ("management_group", section.management_group.0.is_none()),
        ("personas", section.personas.is_empty()),
    ];
    for (name, is_unset) in unset {
        judge.require(is_unset, &format!("{path}.{name}"), "means nothing to this provider", "remove it");
    }
}

fn engine_hosts(
    adapter: &Adapter,
    section: &mut ProviderSection,
    path: &str,
    judge: &mut Judge<'_>,
) -> EngineHosts {
    let usual = || adapter.engine_hosts.iter().map(|host| Setting((*host).to_owned())).collect();
    let hosts = section.engine_hosts.get_or_insert_with(usual);
    let read = EngineHosts::parse(hosts.iter().map(|host| host.0.as_str()));
    let setting = format!("{path}.engine_hosts");
    read.unwrap_or_else(|wrong| {
        let what = format!("has an entry that is no host: {wrong}");
        judge.require(false, &setting, &what, "write hosts without https:// and without a path");
        EngineHosts::default()
    })
}

fn management_group(
    section: &ProviderSection,
    keys: &[KeySpec],
    path: &str,
    judge: &mut Judge<'_>,
) -> Option<GroupId> {
    let group = section.management_group.0.as_deref().map(GroupId::new)?;
    let is_there = keys.is_empty() || keys.iter().any(|key| key.group.as_ref() == Some(&group));
    let setting = format!("{path}.management_group");
    judge.require(is_there, &setting, "is the group of no key", "name a group that is declared under `keys`");
    Some(group)
}

/// Every name must be known in every group: a group that lacks it could not take over.
fn personas(
    section: &ProviderSection,
    keys: &[KeySpec],
    path: &str,
    judge: &mut Judge<'_>,
) -> BTreeMap<String, BTreeMap<GroupId, String>> {
    let setting = format!("{path}.personas");
    if section.personas.is_empty() {
        return BTreeMap::new();
    }
    let groups: BTreeSet<&GroupId> = keys.iter().filter_map(|key| key.group.as_ref()).collect();
    judge.require(
        keys.iter().all(|key| key.group.is_some()),
        &setting,
        "needs to know the organisation of every key",
        "give every key under `keys` a group, and switch `keys_from_env` off",
    );
    let mut personas = BTreeMap::new();
    for (name, ids) in &section.personas {
        for group in groups.iter().filter(|group| !ids.contains_key(group.as_str())) {
            let what = format!("does not say what `{name}` is called in `{group}`");
            judge.require(false, &setting, &what, "give each name an id in every group of the pool");
        }
        let is_empty = ids.values().any(|id| id.0.trim().is_empty());
        judge.require(
            !is_empty,
            &setting,
            &format!("has an empty id for `{name}`"),
            "write the persona's id",
        );
        let ids = ids.iter().map(|(group, id)| (GroupId::new(group.as_str()), id.0.trim().to_owned()));
        personas.insert(name.clone(), ids.collect());
    }
    personas
}
