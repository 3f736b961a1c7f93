//! What answers show of an organisation's belongings: personas, tools, sessions that nobody made here.
//!
//! Whoever lists or looks at something learns where it is, and so does the gateway: from then on what names it
//! goes to that organisation (facts/anam.md A5). What is everybody's is nobody's: a request that names only
//! such things may go to any.

use std::time::Duration;

use keygate_domain::{Binding, Resource};
use serde_json::Value;

use crate::routes::SESSION;

/// Most items learned from one answer; a page has 100 at most.
const MOST: usize = 256;

/// Flags of what Anam gives to all.
const OF_ALL: [&str; 3] = ["isDefaultPersona", "isDefault", "isGlobal"];

/// Who made it; nobody made what Anam gives to all.
const MAKER: &str = "createdByOrganizationId";

/// The organisation's own among what an answer shows of a kind: a page, a bare array, or one thing.
pub(crate) fn shown(kind: &'static str, lifetime: Duration, answer: &Value) -> Vec<Binding> {
    let items = answer.get("data").unwrap_or(answer);
    let items = items.as_array().map_or(std::slice::from_ref(items), Vec::as_slice);
    let own = items.iter().filter(|item| is_own(kind, item)).take(MOST);
    let ids = own.filter_map(|item| item.get("id")?.as_str().filter(|id| !id.is_empty()));
    ids.map(|id| Binding { resource: Resource::new(kind, id), lifetime, keepsake: None }).collect()
}

/// Whether a thing belongs to the organisation that shows it. Avatars, voices and LLMs are mostly Anam's own, and
/// have to say that they are not; everything else is an organisation's unless it says otherwise.
fn is_own(kind: &str, item: &Value) -> bool {
    let flag = |name: &str| item.get(name).and_then(Value::as_bool);
    if OF_ALL.iter().any(|name| flag(name) == Some(true)) {
        return false;
    }
    match (item.get(MAKER), kind) {
        // Of a session it would not tell whose it is.
        (_, SESSION) => true,
        (Some(maker), _) => maker.as_str().is_some_and(|maker| !maker.is_empty()),
        (None, "avatar" | "voice") => false,
        (None, "llm") => OF_ALL.iter().any(|name| flag(name) == Some(false)),
        (None, "tool") => item.get("type").and_then(Value::as_str) != Some("SYSTEM"),
        (None, _) => true,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn names(kind: &'static str, answer: &Value) -> Vec<String> {
        let lifetime = Duration::from_mins(1);
        shown(kind, lifetime, answer).iter().map(|binding| binding.resource.to_string()).collect()
    }

    #[rstest]
    #[case::page("persona", json!({"data": [{"id": "a", MAKER: "o"}, {"id": "b"}], "meta": {}}), &["persona/a", "persona/b"])]
    #[case::bare("knowledge", json!([{"id": "a"}, {"id": ""}, {"name": "x"}, 7]), &["knowledge/a"])]
    #[case::one("tool", json!({"id": "a", "type": "CLIENT"}), &["tool/a"])]
    #[case::stock_persona("persona", json!({"id": "a", "isDefaultPersona": true}), &[])]
    #[case::nobodys("persona", json!({"id": "a", MAKER: null}), &[])]
    #[case::system_tool("tool", json!({"id": "a", "type": "SYSTEM"}), &[])]
    #[case::stock_avatar("avatar", json!({"id": "a", MAKER: null}), &[])]
    #[case::silent_avatar("avatar", json!({"id": "a"}), &[])]
    #[case::custom_voice("voice", json!({"id": "a", MAKER: "o"}), &["voice/a"])]
    #[case::default_llm("llm", json!({"id": "a", "isDefault": true, "isGlobal": false}), &[])]
    #[case::custom_llm("llm", json!({"id": "a", "isDefault": false, "isGlobal": false}), &["llm/a"])]
    #[case::silent_llm("llm", json!({"id": "a"}), &[])]
    #[case::session("session", json!({"data": [{"id": "s", "endTime": null}]}), &["session/s"])]
    #[case::nothing("persona", json!("<html>"), &[])]
    fn what_is_an_organisations_own_is_learned(
        #[case] kind: &'static str,
        #[case] answer: Value,
        #[case] expected: &[&str],
    ) {
        assert_eq!(names(kind, &answer), expected);
    }

    #[test]
    fn what_is_learned_of_one_answer_is_bounded() {
        let items: Vec<Value> = (0..1000).map(|number| json!({"id": number.to_string()})).collect();
        assert_eq!(names("tool", &json!(items)).len(), MOST);
    }
}
