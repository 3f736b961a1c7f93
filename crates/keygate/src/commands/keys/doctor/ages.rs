//! Keys that are in use for longer than is wanted.

use std::time::Duration;

use jiff::Timestamp;
use keygate_actors::{key_ages, key_ages_topic};
use keygate_config::{Loaded, ProviderConfig};
use keygate_storage::Storage;
use serde_json::Value;

use super::super::words::{counted, list, plain, span, word_for};
use super::finding::{Finding, Severity};
use crate::commands::database::{Failure, wait_for};
use crate::memory::place;

/// The most keys told one by one.
const MOST_KEYS: usize = 8;

const DAY: Duration = Duration::from_hours(24);

/// A key, and when a gateway saw it first.
#[derive(Debug)]
pub(super) struct Aged {
    provider: String,
    label: String,
    id: String,
    since: Timestamp,
}

/// What a pool's status tells of its keys.
pub(super) fn of_status(status: &Value) -> Vec<Aged> {
    let provider = plain(&status["provider"]);
    let aged = |key: &Value| {
        let since = key["in_use_since"].as_str()?.parse().ok()?;
        let (label, id) = (plain(&key["label"]), plain(&key["id"]));
        Some(Aged { provider: provider.clone(), label, id, since })
    };
    list(&status["keys"]).iter().filter_map(aged).collect()
}

/// What the last gateway noted in the database of the keys that are configured.
pub(super) fn in_database(loaded: &Loaded, providers: &[&ProviderConfig]) -> Result<Vec<Aged>, Failure> {
    wait_for(async {
        let storage = Storage::visit(&place(&loaded.config.storage)).await?;
        let mut all = Vec::new();
        for provider in providers {
            let name = provider.adapter.name;
            let seen = key_ages(&storage.notes(&key_ages_topic(name)).await?);
            all.extend(provider.keys.iter().filter_map(|key| {
                let (id, since) = seen.get_key_value(key.secret.id())?;
                let (provider, label, id) = (name.to_string(), key.label.clone(), id.to_string());
                Some(Aged { provider, label, id, since: *since })
            }));
        }
        storage.close().await;
        Ok(all)
    })
}

/// Those that are in use for longer, the oldest first.
pub(super) fn findings(mut keys: Vec<Aged>, longest: Duration, now: Timestamp) -> Vec<Finding> {
    let age = |key: &Aged| Duration::try_from(now.duration_since(key.since)).unwrap_or_default();
    keys.retain(|key| age(key) >= longest);
    keys.sort_by_key(|key| key.since);
    let (told, others) = keys.split_at(keys.len().min(MOST_KEYS));
    let mut found: Vec<Finding> = told.iter().map(|key| old(key, age(key), longest)).collect();
    if let Some(key) = others.first() {
        let what =
            format!("{} in use for longer than {}", counted(others.len(), "more key"), in_words(longest));
        let remedy = "replace the oldest first, and run this again".to_owned();
        found.push(Finding { provider: None, what, remedy, ..old(key, age(key), longest) });
    }
    found
}

fn old(key: &Aged, age: Duration, longest: Duration) -> Finding {
    let Aged { provider, label, id, since } = key;
    let word = word_for(label, id);
    Finding {
        severity: Severity::Advice,
        kind: "key_old",
        provider: Some(provider.clone()),
        what: format!(
            "{label} ({id}) is in use since {} ({}), longer than alerts.rotate_after ({})",
            since.strftime("%Y-%m-%d"),
            in_words(age),
            in_words(longest)
        ),
        why: "the longer a key is in use, the more people, logs and backups have seen it",
        remedy: format!(
            "make another one at the provider, `keygate keys add {provider} -`, then `keygate keys remove {provider} \
             {word}`, and revoke the old one at the provider"
        ),
    }
}

/// Days, where there are some.
fn in_words(span_of_time: Duration) -> String {
    match span_of_time.as_secs() / DAY.as_secs() {
        0 | 1 => span(span_of_time.as_secs()),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LONGEST: Duration = Duration::from_hours(30 * 24);

    fn status(ages: &[&str]) -> Value {
        let keys = ages.iter().enumerate().map(|(index, since)| {
            json!({"label": format!("shop-{index}"), "id": "3f2a9c0b1d4e", "in_use_since": since})
        });
        json!({"provider": "google", "keys": keys.collect::<Vec<_>>()})
    }

    fn found(status: &Value) -> Vec<Finding> {
        findings(of_status(status), LONGEST, "2026-11-21T12:00:00Z".parse().unwrap())
    }

    #[test]
    fn an_old_key_is_told_with_since_when_and_what_to_type() {
        let found = found(&status(&["2026-11-20T12:00:00Z", "2026-10-01T08:30:00.5Z"]));
        assert_eq!(found.len(), 1, "{found:?}");
        insta::assert_snapshot!(found[0].as_text());
    }

    #[test]
    fn what_is_not_known_is_not_told_and_many_are_counted() {
        let unknown =
            json!({"provider": "google", "keys": [{"label": "a", "id": "b", "in_use_since": null}, {}]});
        assert_eq!(found(&unknown), []);
        let many = found(&status(&["2026-01-01T00:00:00Z"; 10]));
        assert_eq!(many.len(), MOST_KEYS + 1);
        assert_eq!(many[MOST_KEYS].what, "2 more keys in use for longer than 30 days");
    }
}
