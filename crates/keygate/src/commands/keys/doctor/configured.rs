//! What the configuration of a pool gives away.

use std::collections::BTreeSet;

use keygate_config::ProviderConfig;
use keygate_domain::{KeySpec, Role};
use keygate_pool::Strategy;

use super::super::words::{counted, listed};
use super::finding::{Finding, Severity};

/// The most labels told one by one.
const MOST_LABELS: usize = 8;

pub(super) fn findings(provider: &ProviderConfig) -> Vec<Finding> {
    let (keys, strategy) = (&provider.keys, provider.policy.strategy);
    let name = provider.adapter.name.to_string();
    let found = [size(&name, keys), groups(keys), roles(keys, strategy), weights(keys, strategy)];
    found.into_iter().flatten().map(|finding| Finding { provider: Some(name.clone()), ..finding }).collect()
}

fn found(severity: Severity, kind: &'static str, what: String, why: &'static str, remedy: &str) -> Finding {
    Finding { severity, kind, provider: None, what, why, remedy: remedy.to_owned() }
}

fn size(provider: &str, keys: &[KeySpec]) -> Option<Finding> {
    match keys.len() {
        0 => Some(found(
            Severity::Warning,
            "no_keys",
            "there is no key".to_owned(),
            "every request to this provider is refused",
            &format!("`keygate keys add {provider} -` adds keys"),
        )),
        1 => Some(found(
            Severity::Advice,
            "one_key",
            "there is only one key".to_owned(),
            "when it is refused there is no other to go on with",
            "add a key of another project or organisation of yours",
        )),
        _ => None,
    }
}

fn groups(keys: &[KeySpec]) -> Option<Finding> {
    if keys.len() < 2 {
        return None;
    }
    let without: Vec<&str> =
        keys.iter().filter(|key| key.group.is_none()).map(|key| key.label.as_str()).collect();
    let declared: BTreeSet<_> = keys.iter().filter_map(|key| key.group.as_ref()).collect();
    if without.is_empty() && declared.len() == 1 {
        return Some(found(
            Severity::Advice,
            "single_group",
            format!("{} of 1 group give resilience, not quota", counted(keys.len(), "key")),
            "providers meter projects and organisations: when one of these keys is rate-limited, all of them rest",
            "raise the quota of the project, or add keys of another one",
        ));
    }
    (!without.is_empty()).then(|| {
        found(
            Severity::Advice,
            "no_group",
            format!("{}: no group is declared", told(&without)),
            "each counts as a project of its own until an error names it: the first 429 of two keys of one project comes \
             as a surprise, and their budgets are counted twice",
            "write `group:` beside each key under providers.*.keys, the same for keys of one project or organisation",
        )
    })
}

fn roles(keys: &[KeySpec], strategy: Strategy) -> Option<Finding> {
    let backups: Vec<&str> =
        keys.iter().filter(|key| key.role == Role::Backup).map(|key| key.label.as_str()).collect();
    match strategy {
        Strategy::PrimaryBackup if keys.is_empty() => None,
        Strategy::PrimaryBackup if backups.len() == keys.len() => Some(found(
            Severity::Warning,
            "no_primary",
            "the strategy is primary_backup, and no key is a primary".to_owned(),
            "backups are the exception: alerts and prices that are meant for it hold all the time",
            "give the keys of every day role: primary",
        )),
        Strategy::PrimaryBackup if backups.is_empty() => Some(found(
            Severity::Advice,
            "no_backup",
            "the strategy is primary_backup, and no key is a backup".to_owned(),
            "the first key takes all requests until it fails, and nothing is kept for the day it does",
            "give the keys in reserve role: backup, or take another strategy",
        )),
        Strategy::PrimaryBackup => None,
        Strategy::RoundRobin
        | Strategy::Weighted
        | Strategy::LeastRecentlyUsed
        | Strategy::Health
        | Strategy::Headroom => (!backups.is_empty()).then(|| {
            found(
                Severity::Advice,
                "role_without_effect",
                format!("{}: role: backup has no effect under {}", told(&backups), strategy.as_str()),
                "they are used every day like any other key",
                "set strategy: primary_backup, or remove the role",
            )
        }),
    }
}

fn weights(keys: &[KeySpec], strategy: Strategy) -> Option<Finding> {
    let weighted: Vec<&str> =
        keys.iter().filter(|key| key.weight != 1).map(|key| key.label.as_str()).collect();
    (strategy != Strategy::Weighted && !weighted.is_empty()).then(|| {
        found(
            Severity::Advice,
            "weight_without_effect",
            format!("{}: weight has no effect under {}", told(&weighted), strategy.as_str()),
            "they get no larger share than any other key",
            "set strategy: weighted, or remove the weight",
        )
    })
}

fn told(labels: &[&str]) -> String {
    if labels.len() <= MOST_LABELS {
        return listed(labels);
    }
    format!("{} and {} others", labels[..MOST_LABELS - 1].join(", "), labels.len() - (MOST_LABELS - 1))
}

#[cfg(test)]
mod tests {
    use keygate_domain::{Allowance, ApiKey};

    use super::*;

    fn key(label: &str, group: Option<&str>, role: Role, weight: u32) -> KeySpec {
        let group = group.map(Into::into);
        let (secret, label, allowance) = (ApiKey::new(label), label.to_owned(), Allowance::default());
        KeySpec { secret, label, group, weight, role, allowance }
    }

    fn kinds(keys: &[KeySpec], strategy: Strategy) -> Vec<&'static str> {
        let found = [size("google", keys), groups(keys), roles(keys, strategy), weights(keys, strategy)];
        found.into_iter().flatten().map(|finding| finding.kind).collect()
    }

    #[test]
    fn each_kind_of_pool_has_its_findings() {
        let plain = |label, group| key(label, group, Role::Primary, 1);
        let backup = |label, group| key(label, Some(group), Role::Backup, 1);
        let (robin, primary) = (Strategy::RoundRobin, Strategy::PrimaryBackup);
        assert_eq!(kinds(&[], robin), ["no_keys"]);
        assert_eq!(kinds(&[plain("a", None)], robin), ["one_key"]);
        assert_eq!(kinds(&[plain("a", None), plain("b", Some("g"))], robin), ["no_group"]);
        assert_eq!(kinds(&[plain("a", Some("g")), plain("b", Some("g"))], robin), ["single_group"]);
        assert_eq!(kinds(&[plain("a", Some("g")), plain("b", Some("h"))], robin), [""; 0]);
        assert_eq!(kinds(&[backup("a", "g"), backup("b", "h")], primary), ["no_primary"]);
        assert_eq!(kinds(&[plain("a", Some("g")), plain("b", Some("h"))], primary), ["no_backup"]);
        assert_eq!(kinds(&[plain("a", Some("g")), backup("b", "h")], primary), [""; 0]);
        assert_eq!(kinds(&[plain("a", Some("g")), backup("b", "h")], robin), ["role_without_effect"]);
        let heavy = [plain("a", Some("g")), key("b", Some("h"), Role::Primary, 2)];
        assert_eq!(kinds(&heavy, robin), ["weight_without_effect"]);
        assert_eq!(kinds(&heavy, Strategy::Weighted), [""; 0]);
    }

    #[test]
    fn a_finding_says_what_why_and_what_to_do() {
        let keys = [key("a", None, Role::Primary, 1), key("b", None, Role::Primary, 1)];
        insta::assert_snapshot!(groups(&keys).unwrap().as_text());
    }
}
