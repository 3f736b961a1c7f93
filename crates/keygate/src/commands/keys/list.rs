//! `keygate keys list`.

use comfy_table::Cell;
use keygate_config::{Loaded, ProviderConfig};
use keygate_domain::Role;
use keygate_provider::Adapter;
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::configured::{ITS_OWN, chosen, group_of, places, read};
use super::words::{Mood, cell, counted, list, plain, span, table};
use crate::cli::ListKeys;
use crate::commands::database::Failure;
use crate::commands::gateway::{Gateway, NoAnswer};
use crate::commands::print;
use crate::exit::Exit;
use crate::wiring;

pub(super) fn run(arguments: &ListKeys, catalogue: &'static [Adapter]) -> Result<Exit, Failure> {
    let seen = if arguments.configured { None } else { from_gateway(arguments)? };
    let told = match &seen {
        Some(statuses) if arguments.json => as_json("gateway", statuses),
        Some(statuses) => {
            statuses.iter().map(|status| seen_as_text(status, arguments.wide)).collect::<Vec<_>>().join("\n")
        }
        None => {
            let loaded = read(arguments.site.config.as_deref(), catalogue)?;
            let providers = chosen(&loaded, arguments.provider.as_deref(), catalogue)?;
            if arguments.json {
                let all: Vec<Value> =
                    providers.iter().map(|provider| configured_as_json(&loaded, provider)).collect();
                as_json("configuration", &all)
            } else {
                let nobody_runs = (!arguments.configured).then_some(NOBODY_RUNS);
                configured_as_text(&loaded, &providers, nobody_runs)
            }
        }
    };
    print::line(&told);
    Ok(Exit::Done)
}

fn as_json(from: &str, providers: &[Value]) -> String {
    format!("{:#}", json!({ "from": from, "providers": providers }))
}

/// What a running gateway tells; `None` where none runs, and none was named.
fn from_gateway(arguments: &ListKeys) -> Result<Option<Vec<Value>>, NoAnswer> {
    let asked = Gateway::find(&arguments.site.gateway()).and_then(|gateway| {
        let names = match &arguments.provider {
            Some(name) => vec![name.clone()],
            None => names(&gateway.get("/api/keys/status")?),
        };
        names.iter().map(|name| gateway.get(&status_path(name))).collect::<Result<Vec<_>, _>>()
    });
    match asked {
        Ok(statuses) => Ok(Some(statuses)),
        Err(none) if none.is_nobody_there && arguments.site.url.is_none() => Ok(None),
        Err(none) => Err(none),
    }
}

/// The path of a provider's status.
pub(super) fn status_path(provider: &str) -> String {
    let provider: String = byte_serialize(provider.as_bytes()).collect();
    format!("/api/{provider}/status")
}

fn names(status: &Value) -> Vec<String> {
    status["api_keys"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

// === as a gateway sees them ===

fn seen_as_text(status: &Value, is_wide: bool) -> String {
    let keys = list(&status["keys"]);
    let counts = format!(
        "{}: {} of {} available, {}",
        plain(&status["provider"]),
        status["available_keys"],
        counted(keys.len(), "key"),
        counted(status["groups"].as_u64().unwrap_or_default() as usize, "quota group"),
    );
    if keys.is_empty() {
        return counts;
    }
    let mut header = vec!["index", "key", "id", "group", "state", "back in", "why not"];
    if is_wide {
        header.extend(["role", "weight", "health", "running", "served", "failed", "budgets"]);
    }
    let mut table = table(header);
    for key in keys {
        table.add_row(seen_row(key, is_wide));
    }
    format!("{counts}\n{table}")
}

fn seen_row(key: &Value, is_wide: bool) -> Vec<Cell> {
    let state = plain(&key["state"]);
    let mood = match state.as_str() {
        "available" => Mood::Good,
        "disabled" => Mood::Bad,
        _ => Mood::Waiting,
    };
    let remaining = key["cooldown_remaining"].as_u64().filter(|seconds| *seconds > 0);
    let mut row = vec![
        Cell::new(plain(&key["index"])),
        Cell::new(plain(&key["label"])),
        Cell::new(plain(&key["id"])),
        Cell::new(group(key)),
        cell(&state, mood),
        Cell::new(remaining.map(span).unwrap_or_default()),
        Cell::new(why_not(key)),
    ];
    if is_wide {
        let counts = &key["counts"];
        let failed: u64 = ["failed", "refused", "lost"].iter().filter_map(|what| counts[what].as_u64()).sum();
        let numbers = [&key["role"], &key["weight"], &key["health"], &counts["in_flight"], &counts["served"]];
        row.extend(numbers.into_iter().map(|value| Cell::new(plain(value))));
        row.push(Cell::new(failed));
        row.push(Cell::new(list(&key["budgets"]).iter().map(budget).collect::<Vec<_>>().join("\n")));
    }
    row
}

/// The group, unless the key is alone in it and nobody named it.
fn group(key: &Value) -> String {
    let name = plain(&key["group"]);
    let is_its_own = key["id"].as_str().is_some_and(|id| name == format!("key:{id}"));
    if is_its_own { ITS_OWN.to_owned() } else { name }
}

/// Why the key cannot be used, else which of its models rest.
fn why_not(key: &Value) -> String {
    if !key["reason"].is_null() {
        return plain(&key["reason"]["text"]);
    }
    let resting = list(&key["resting"]).iter();
    let models = resting.filter_map(|rest| Some((rest["model"].as_str()?, rest["remaining"].as_u64()?)));
    let told: Vec<String> =
        models.map(|(model, left)| format!("{} in {}", plain(&json!(model)), span(left))).collect();
    told.join(", ")
}

fn budget(budget: &Value) -> String {
    let [model, metric] = ["model", "metric"].map(|field| plain(&budget[field]));
    format!("{model} {metric} {} of {}", budget["used"], budget["limit"])
}

// === as they are configured ===

const NOBODY_RUNS: &str = "No gateway runs with this configuration; this is what it would start with.";

fn configured_as_text(loaded: &Loaded, providers: &[&ProviderConfig], before: Option<&str>) -> String {
    let mut told: Vec<String> = before.into_iter().map(str::to_owned).collect();
    if providers.is_empty() {
        told.push(
            "No provider is configured. `keygate keys add google -` gives one its first keys.".to_owned(),
        );
    }
    for provider in providers {
        told.push(wiring::pool_in_words(provider));
        if !provider.keys.is_empty() {
            told.push(configured_table(loaded, provider));
        }
    }
    told.join("\n")
}

fn configured_table(loaded: &Loaded, provider: &ProviderConfig) -> String {
    let places = places(loaded, provider);
    let mut table = table(["index", "key", "id", "group", "role", "weight", "from"]);
    for (index, key) in provider.keys.iter().enumerate() {
        table.add_row([
            index.to_string(),
            key.label.clone(),
            key.secret.id().to_string(),
            group_of(key).to_owned(),
            role(key.role).to_owned(),
            key.weight.to_string(),
            places.get(&index).map(ToString::to_string).unwrap_or_default(),
        ]);
    }
    table.to_string()
}

fn configured_as_json(loaded: &Loaded, provider: &ProviderConfig) -> Value {
    let places = places(loaded, provider);
    let keys = provider.keys.iter().enumerate().map(|(index, key)| {
        json!({
            "index": index,
            "id": key.secret.id(),
            "label": key.label,
            "group": key.group,
            "role": key.role,
            "weight": key.weight,
            "from": places.get(&index).map(ToString::to_string),
        })
    });
    json!({ "provider": provider.adapter.name, "total_keys": provider.keys.len(), "keys": keys.collect::<Vec<_>>() })
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Primary => "primary",
        Role::Backup => "backup",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Value {
        let counts = json!({"in_flight": 1, "served": 9, "failed": 1, "refused": 2, "lost": 0});
        json!({"provider": "google", "available_keys": 1, "groups": 2, "keys": [
            {"index": 0, "label": "team-a", "id": "3f2a9c0b1d4e", "group": "a", "state": "available",
             "cooldown_remaining": 0, "reason": null, "resting": [{"model": "gemini-2.5-pro", "remaining": 59}],
             "role": "primary", "weight": 2, "health": 95, "counts": counts,
             "budgets": [{"model": "gemini-2.5-pro", "metric": "requests_per_day", "used": 3, "limit": 50}]},
            {"index": 1, "label": "team-b", "id": "0b1d4e3f2a9c", "group": "b", "state": "disabled",
             "cooldown_remaining": 0, "reason": {"text": "the key is \u{1b}[31minvalid"}, "resting": [],
             "role": "backup", "weight": 1, "health": 0, "counts": counts, "budgets": []},
        ]})
    }

    #[test]
    fn a_pool_is_a_line_and_a_table() {
        insta::assert_snapshot!(seen_as_text(&status(), false));
    }

    #[test]
    fn a_wide_table_tells_more() {
        insta::assert_snapshot!(seen_as_text(&status(), true));
    }
}
