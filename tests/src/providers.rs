//! Simulated providers for one test, and the configuration that points a gateway at them.

use keygate_simulator::{Endpoints, RunningSimulator, SimConfig, Simulator};
use serde_json::{Value, json};

/// The environment that holds the keys of [`simulator`], under the names [`configuration`] refers to.
pub const SIMULATED_KEYS: &[(&str, &str)] = &[
    ("ALPHA_1", "sim-google-alpha-1"),
    ("ALPHA_2", "sim-google-alpha-2"),
    ("BETA_1", "sim-google-beta-1"),
    ("STUDIO_1", "sim-anam-studio-1"),
    ("BACKUP_1", "sim-anam-backup-1"),
];

/// Simulated providers on free ports of loopback: two Google projects (`alpha` with two keys, `beta` with one) and
/// two Anam organisations (`studio`, `backup`) with a key each.
///
/// # Panics
/// When no port is free.
pub fn simulator() -> RunningSimulator {
    Simulator::start(SimConfig::default()).expect("the simulator starts")
}

/// The YAML of a gateway in front of [`simulator`], every key in its true quota group, with `changes` laid over it:
/// objects are merged, anything else replaces, `null` removes. Goes with [`SIMULATED_KEYS`].
pub fn configuration(at: &Endpoints, changes: &Value) -> String {
    let mut whole = json!({ "providers": {
        "google": {
            "base_url": at.google,
            "keys_from_env": false,
            "keys": [key("ALPHA_1", "alpha"), key("ALPHA_2", "alpha"), key("BETA_1", "beta")],
        },
        "anam": {
            "base_url": at.anam,
            "keys_from_env": false,
            "keys": [key("STUDIO_1", "studio"), key("BACKUP_1", "backup")],
        },
    }});
    merge(&mut whole, changes);
    // JSON is YAML.
    format!("{whole:#}\n")
}

fn key(variable: &str, group: &str) -> Value {
    json!({ "secret": format!("env:{variable}"), "label": variable.to_lowercase(), "group": group })
}

fn merge(whole: &mut Value, changes: &Value) {
    let Value::Object(changes) = changes else {
        *whole = changes.clone();
        return;
    };
    if !whole.is_object() {
        *whole = json!({});
    }
    for (name, change) in changes {
        if change.is_null() {
            whole.as_object_mut().and_then(|fields| fields.remove(name));
        } else {
            merge(&mut whole[name], change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_merge_replace_and_remove() {
        let mut whole = json!({"a": {"b": 1, "c": 2}, "d": [1, 2]});
        merge(&mut whole, &json!({"a": {"b": null, "e": {"f": 3}}, "d": [4]}));
        assert_eq!(whole, json!({"a": {"c": 2, "e": {"f": 3}}, "d": [4]}));
    }
}
