//! The configuration that holds in the end, value by value, with where each came from.

use serde::Serialize;
use serde_json::Value;

use crate::layers::Layers;
use crate::problem::Place;
use crate::schema::Sections;

/// One value that holds, for `keygate check`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Effective {
    /// The setting: `server.bind`, `providers.google.keys[0]`.
    pub path: String,
    /// The value as text; secrets are `***`.
    pub value: String,
    /// Where it came from.
    pub source: Place,
}

/// Every setting but the keys, which are shown as they were read.
pub(crate) fn effective_values(sections: &Sections, layers: &Layers) -> Vec<Effective> {
    let mut values = Vec::new();
    for (name, section) in [
        ("server", json(&sections.server)),
        ("clients", json(&sections.clients)),
        ("limits", json(&sections.limits)),
        ("plans", json(&sections.plans)),
        ("assistant", json(&sections.assistant)),
        ("answers", json(&sections.answers)),
        ("cache", json(&sections.cache)),
        ("storage", json(&sections.storage)),
        ("telemetry", json(&sections.telemetry)),
        ("alerts", json(&sections.alerts)),
        ("session_keepers", json(&sections.session_keepers)),
        ("providers", json(&sections.providers)),
    ] {
        flatten(&mut vec![name.to_owned()], &section, layers, &mut values);
    }
    values
}

fn json(section: &impl Serialize) -> Value {
    serde_json::to_value(section).unwrap_or(Value::Null)
}

fn flatten(path: &mut Vec<String>, value: &Value, layers: &Layers, values: &mut Vec<Effective>) {
    let is_keys = matches!(path.as_slice(), [section, _, keys] if section == "providers" && keys == "keys");
    if is_keys {
        return;
    }
    let mut descend = |segment: String, inner: &Value| {
        path.push(segment);
        flatten(path, inner, layers, values);
        path.pop();
    };
    match value {
        Value::Object(entries) => {
            for (name, inner) in entries {
                descend(name.clone(), inner);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, inner) in items.iter().enumerate() {
                descend(index.to_string(), inner);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            values.push(Effective { path: joined(path), value: shown(value), source: layers.source(path) });
        }
    }
}

fn joined(path: &[String]) -> String {
    path.iter().fold(String::new(), |joined, segment| match segment.parse::<usize>() {
        Ok(index) => format!("{joined}[{index}]"),
        Err(_) if joined.is_empty() => segment.clone(),
        Err(_) => format!("{joined}.{segment}"),
    })
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}
