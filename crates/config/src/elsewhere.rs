//! Where a setting stands that somebody wrote in a wrong place.

use serde_json::Value;

use crate::nearest::speakable;
use crate::schema::json_schema;

/// A name that the operator chooses, in a path of the schema.
const ANY_NAME: &str = "<name>";

/// The outermost section below `section` that has a setting of this name, as `limits.per_user`.
pub(crate) fn further_in(name: &str, section: &[String]) -> Option<String> {
    let homes = homes(name);
    let home = homes.iter().filter(|home| is_below(home, section)).min_by_key(|home| home.len())?;
    let chosen = section.iter().map(|is| speakable(is).unwrap_or(ANY_NAME));
    let rest = home.iter().skip(section.len()).map(String::as_str);
    Some(chosen.chain(rest).collect::<Vec<_>>().join("."))
}

/// The section that has a setting of this name, if it is the only one.
pub(crate) fn only_home(name: &str) -> Option<String> {
    match homes(name).as_slice() {
        [home] if !home.is_empty() => Some(home.join(".")),
        _ => None,
    }
}

/// Those of `paths` at which the schema has a section.
pub(crate) fn sections_among(mut paths: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let schema = json_schema();
    paths.retain(|path| {
        let start = meant(&schema, &schema);
        let node = path.iter().fold(start, |node, name| {
            let known = node["properties"].get(name);
            meant(&schema, known.unwrap_or(&node["additionalProperties"]))
        });
        node["properties"].is_object()
    });
    paths
}

/// Every setting that has a name of its own, as `server.bind`.
pub(crate) fn settings() -> Vec<Vec<String>> {
    let schema = json_schema();
    let mut found = Vec::new();
    collect_settings(&schema, &schema, &mut Vec::new(), &mut found);
    found
}

fn collect_settings(root: &Value, node: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let Some(properties) = meant(root, node)["properties"].as_object() else {
        return found.push(path.clone());
    };
    for (name, inner) in properties {
        path.push(name.clone());
        collect_settings(root, inner, path, found);
        path.pop();
    }
}

fn is_below(home: &[String], section: &[String]) -> bool {
    home.len() > section.len() && home.iter().zip(section).all(|(known, is)| known == is || known == ANY_NAME)
}

fn homes(name: &str) -> Vec<Vec<String>> {
    let schema = json_schema();
    let mut found = Vec::new();
    collect(&schema, &schema, name, &mut Vec::new(), &mut found);
    found
}

/// The sections that have `name`, the one at `path` and those in it.
fn collect(root: &Value, node: &Value, name: &str, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let node = meant(root, node);
    for (field, inner) in node["properties"].as_object().into_iter().flatten() {
        if field == name {
            found.push(path.clone());
        }
        path.push(field.clone());
        collect(root, inner, name, path, found);
        path.pop();
    }
    if node["additionalProperties"].is_object() {
        path.push(ANY_NAME.to_owned());
        collect(root, &node["additionalProperties"], name, path, found);
        path.pop();
    }
}

/// What stands behind references.
fn meant<'a>(root: &'a Value, node: &'a Value) -> &'a Value {
    if let Some(name) = node["$ref"].as_str().and_then(|path| path.strip_prefix("#/definitions/")) {
        return &root["definitions"][name];
    }
    let shapes = ["allOf", "anyOf"].iter().filter_map(|kind| node[kind].as_array()).flatten();
    shapes.filter(|shape| shape.get("$ref").is_some()).map(|shape| meant(root, shape)).next().unwrap_or(node)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("requests_per_minute", "limits", Some("limits.per_user"))]
    #[case("requests_per_minute", "providers.google.budgets", Some("providers.google.budgets.default"))]
    #[case("rate_limited", "providers.google", Some("providers.google.cooldowns"))]
    #[case("rate_limited", "providers.AIzaSecret", Some("providers.<name>.cooldowns"))]
    #[case("max_wait", "", Some("providers.<name>.queue"))]
    #[case("level", "telemetry", Some("telemetry.log"))]
    #[case("requests_per_hour", "limits", None)]
    #[case("strategy", "server", None)]
    fn a_setting_is_found_further_in(#[case] name: &str, #[case] section: &str, #[case] home: Option<&str>) {
        let section: Vec<String> =
            section.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        assert_eq!(further_in(name, &section).as_deref(), home);
    }

    #[test]
    fn sections_are_told_from_lists() {
        let path = |dotted: &str| dotted.split('.').map(str::to_owned).collect::<Vec<_>>();
        let sections = ["server", "limits.per_user", "providers.google", "providers.google.budgets.default"];
        let others = ["clients.tokens", "session_keepers", "providers.google.keys", "server.bind", "nothing"];
        let found = sections_among(sections.iter().chain(&others).map(|dotted| path(dotted)).collect());
        assert_eq!(found, sections.map(path));
    }

    #[test]
    fn a_setting_is_found_elsewhere_if_there_is_one_such_place() {
        assert_eq!(only_home("strategy").as_deref(), Some("providers.<name>"));
        assert_eq!(only_home("requests_per_minute"), None);
        assert_eq!(only_home("server"), None);
    }
}
