//! What a request body names that only one organisation owns.

use keygate_domain::Resource;
use serde_json::Value;

/// Most references read from one body; a body that names more is forwarded with the first ones.
const MAX_REFERENCES: usize = 32;

/// The personas and tools named in the body of a mint or a start.
///
/// Nothing else can be told to be an organisation's own: the id of a custom avatar, voice or LLM
/// looks like the id of a stock one.
pub(crate) fn in_body(body: &[u8]) -> Vec<Resource> {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    let persona = body.get("personaConfig").unwrap_or(&Value::Null);
    // A persona id at the top level is the form of older clients.
    let personas = [persona.get("personaId"), body.get("personaId")].into_iter().flatten();
    let tools = persona.get("toolIds").and_then(Value::as_array).into_iter().flatten();
    named("persona", personas).chain(named("tool", tools)).take(MAX_REFERENCES).collect()
}

fn named<'a>(kind: &'static str, values: impl Iterator<Item = &'a Value>) -> impl Iterator<Item = Resource> {
    values.filter_map(Value::as_str).filter(|id| !id.is_empty()).map(move |id| Resource::new(kind, id))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::ephemeral(r#"{"personaConfig":{"name":"Cara","avatarId":"a"}}"#, &[])]
    #[case::stateful(r#"{"personaConfig":{"personaId":"p1"}}"#, &["persona/p1"])]
    #[case::older_form(r#"{"personaId":"p1"}"#, &["persona/p1"])]
    #[case::tools(r#"{"personaConfig":{"toolIds":["t1","t2",7]}}"#, &["tool/t1", "tool/t2"])]
    #[case::both(r#"{"personaConfig":{"personaId":"p1","toolIds":["t1"]}}"#, &["persona/p1", "tool/t1"])]
    #[case::empty_ids(r#"{"personaConfig":{"personaId":"","toolIds":[]}}"#, &[])]
    #[case::null(r#"{"personaConfig":{"personaId":null}}"#, &[])]
    #[case::not_json("<html>", &[])]
    #[case::no_object("[1]", &[])]
    fn personas_and_tools_are_found(#[case] body: &str, #[case] expected: &[&str]) {
        let found: Vec<String> = in_body(body.as_bytes()).iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn references_are_bounded() {
        let ids: Vec<String> = (0..1000).map(|n| format!("\"t{n}\"")).collect();
        let body = format!(r#"{{"personaConfig":{{"toolIds":[{}]}}}}"#, ids.join(","));
        assert_eq!(in_body(body.as_bytes()).len(), MAX_REFERENCES);
    }
}
