//! What a request body names that only one organisation owns.

use keygate_domain::Resource;
use keygate_provider::ProviderOptions;
use serde_json::Value;

use crate::personas;

/// Most references read from one body; a body that names more is forwarded with the first ones.
const MAX_REFERENCES: usize = 32;

/// Fields that name one thing, wherever in a persona or at the top of a body they stand.
const ONE: [(&str, &str); 6] = [
    ("personaId", "persona"),
    ("avatarId", "avatar"),
    ("voiceId", "voice"),
    ("llmId", "llm"),
    ("knowledgeGroupId", "knowledge"),
    ("audioKey", "audio"),
];

/// Fields that name several things.
const SEVERAL: [(&str, &str); 4] = [
    ("toolIds", "tool"),
    ("folderIds", "knowledge"),
    ("documentFolderIds", "knowledge"),
    ("knowledgeFolderIds", "knowledge"),
];

/// Kinds of which nothing is everybody's: to name one is to name an organisation. Avatars, voices and LLMs
/// are mostly Anam's own, and a custom one cannot be told from those by its id.
const OWNED: [&str; 5] = ["persona", "tool", "knowledge", "document", "session"];

/// Whether what is named says by itself that it is one organisation's.
pub(crate) fn is_owned(resource: &Resource) -> bool {
    OWNED.contains(&resource.kind)
}

/// What a body names. What was not created through this gateway is known to nobody, and is no harm.
pub(crate) fn in_body(options: &ProviderOptions, body: &[u8]) -> Vec<Resource> {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    let persona = body.get("personaConfig");
    // Fields at the top are those of invitations, of share links, and of older clients.
    let objects: Vec<&Value> = persona.into_iter().chain([&body]).collect();
    let tools = objects.iter().filter_map(|object| object.get("tools")?.as_array()).flatten();
    let configs = tools.flat_map(|tool| [Some(tool), tool.get("config")]).flatten();
    let places: Vec<&Value> = objects.iter().copied().chain(configs).collect();
    let mut found = Vec::new();
    for place in places {
        for (field, kind) in ONE {
            note(&mut found, options, kind, place.get(field));
        }
        for (field, kind) in SEVERAL {
            for value in place.get(field).and_then(Value::as_array).into_iter().flatten() {
                note(&mut found, options, kind, Some(value));
            }
        }
    }
    found
}

fn note(found: &mut Vec<Resource>, options: &ProviderOptions, kind: &'static str, value: Option<&Value>) {
    let Some(id) = value.and_then(Value::as_str).filter(|id| !id.is_empty()) else { return };
    let is_known = found.iter().any(|known| known.kind == kind && &*known.name == id);
    let is_everywhere = kind == "persona" && personas::is_alias(options, id);
    if !is_known && !is_everywhere && found.len() < MAX_REFERENCES {
        found.push(Resource::new(kind, id));
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn options() -> ProviderOptions {
        let personas = [("receptionist".to_owned(), std::collections::BTreeMap::new())].into();
        ProviderOptions { personas, ..ProviderOptions::default() }
    }

    #[rstest]
    #[case::ephemeral(r#"{"personaConfig":{"name":"Cara","systemPrompt":"Hi"}}"#, &[])]
    #[case::parts(
        r#"{"personaConfig":{"avatarId":"a","voiceId":"v","llmId":"l"}}"#,
        &["avatar/a", "voice/v", "llm/l"]
    )]
    #[case::knowledge(
        r#"{"personaConfig":{"tools":[{"type":"SERVER_RAG","config":{"folderIds":["k"]}},{"folderIds":["k","m"]}]}}"#,
        &["knowledge/k", "knowledge/m"]
    )]
    #[case::audio(r#"{"name":"n","audioKey":"k"}"#, &["audio/k"])]
    #[case::alias(r#"{"personaConfig":{"personaId":"receptionist"}}"#, &[])]
    #[case::stateful(r#"{"personaConfig":{"personaId":"p1"}}"#, &["persona/p1"])]
    #[case::older_form(r#"{"personaId":"p1"}"#, &["persona/p1"])]
    #[case::tools(r#"{"personaConfig":{"toolIds":["t1","t2",7]}}"#, &["tool/t1", "tool/t2"])]
    #[case::both(r#"{"personaId":"p1","personaConfig":{"personaId":"p1","toolIds":["t1"]}}"#, &["persona/p1", "tool/t1"])]
    #[case::empty_ids(r#"{"personaConfig":{"personaId":"","toolIds":[]}}"#, &[])]
    #[case::null(r#"{"personaConfig":{"personaId":null}}"#, &[])]
    #[case::not_json("<html>", &[])]
    #[case::no_object("[1]", &[])]
    fn what_a_body_names_is_found(#[case] body: &str, #[case] expected: &[&str]) {
        let found: Vec<String> =
            in_body(&options(), body.as_bytes()).iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn references_are_bounded() {
        let ids: Vec<String> = (0..1000).map(|n| format!("\"t{n}\"")).collect();
        let body = format!(r#"{{"personaConfig":{{"toolIds":[{}]}}}}"#, ids.join(","));
        assert_eq!(in_body(&options(), body.as_bytes()).len(), MAX_REFERENCES);
    }
}
