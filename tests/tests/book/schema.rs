//! JSON Schema as a list of settings: each with its path, its default and what it may be.

use serde_json::{Map, Value};

/// One setting.
pub(super) struct Setting {
    pub(super) path: String,
    pub(super) default: Option<Value>,
    pub(super) description: String,
    /// What it may be, where the schema knows: names, or a range.
    pub(super) allowed: String,
}

/// The settings below a property, those of lists and maps included.
pub(super) fn settings(root: &Value, path: &str, property: &Value) -> Vec<Setting> {
    let meant = resolved(root, property);
    let below = below(root, path, meant);
    if below.is_empty() {
        return vec![setting(path, property, meant)];
    }
    let is_section = meant["properties"].is_object();
    let own = property.get("description").map(|_| setting(path, property, meant));
    // What a section has by default stands beside its settings.
    let own = own.map(|own| if is_section { Setting { default: None, ..own } } else { own });
    own.into_iter().chain(below).collect()
}

fn below(root: &Value, path: &str, meant: &Value) -> Vec<Setting> {
    let fields = meant["properties"].as_object().into_iter().flat_map(Map::iter);
    let mut found: Vec<Setting> =
        fields.flat_map(|(name, property)| settings(root, &format!("{path}.{name}"), property)).collect();
    for (inner, suffix) in [(&meant["items"], "[]"), (&meant["additionalProperties"], ".<name>")] {
        let inner = resolved(root, inner);
        if inner["properties"].is_object() {
            found.extend(settings(root, &format!("{path}{suffix}"), inner));
        }
    }
    found
}

/// What a property is, behind references and beside `null`: of several shapes the object.
fn resolved<'a>(root: &'a Value, property: &'a Value) -> &'a Value {
    if let Some(name) = property["$ref"].as_str().and_then(|path| path.strip_prefix("#/definitions/")) {
        return &root["definitions"][name];
    }
    let shapes = ["allOf", "anyOf"].iter().filter_map(|kind| property[kind].as_array()).flatten();
    shapes
        .filter(|shape| shape.get("$ref").is_some())
        .map(|shape| resolved(root, shape))
        .next()
        .unwrap_or(property)
}

fn setting(path: &str, property: &Value, meant: &Value) -> Setting {
    let description = property["description"].as_str().or(meant["description"].as_str());
    Setting {
        path: path.to_owned(),
        default: property.get("default").cloned(),
        description: description.unwrap_or_default().to_owned(),
        allowed: allowed(meant),
    }
}

fn allowed(meant: &Value) -> String {
    if let Some(names) = meant["enum"].as_array() {
        return names.iter().map(|name| format!("`{}`", shown(name))).collect::<Vec<_>>().join(", ");
    }
    match (meant["minimum"].as_f64(), meant["maximum"].as_f64()) {
        (Some(least), Some(most)) if most < f64::from(u32::MAX) => format!("{least} to {most}"),
        (Some(least), _) if least > 0.0 => format!("at least {least}"),
        _ => String::new(),
    }
}

/// A value as YAML has it in one line.
pub(super) fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
