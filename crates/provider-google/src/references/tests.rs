//! What is found in bodies, whatever they look like.

use std::fmt::Write as _;

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

fn found(body: &str) -> Vec<String> {
    in_body(body.as_bytes()).unwrap().iter().map(ToString::to_string).collect()
}

#[rstest]
#[case::camel(r#"{"contents":[{"parts":[{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/a"}}]}]}"#, &["files/a"])]
#[case::snake(r#"{"contents":[{"parts":[{"file_data":{"file_uri":"files/a"}}]}]}"#, &["files/a"])]
#[case::interactions_content(r#"{"input":[{"type":"image","uri":"https://generativelanguage.googleapis.com/v1/files/a"}]}"#, &["files/a"])]
#[case::cache(r#"{"cachedContent":"cachedContents/c"}"#, &["cachedContents/c"])]
#[case::cache_snake_bare(r#"{"extra_body":{"google":{"cached_content":"c"}}}"#, &["cachedContents/c"])]
#[case::stores(r#"{"tools":[{"fileSearch":{"fileSearchStoreNames":["fileSearchStores/a","fileSearchStores/b"]}}]}"#, &["fileSearchStores/a", "fileSearchStores/b"])]
#[case::stores_snake(r#"{"tools":[{"type":"file_search","file_search_store_names":["fileSearchStores/a"]}]}"#, &["fileSearchStores/a"])]
#[case::tuned(r#"{"model":"tunedModels/t","x":"models/m"}"#, &["tunedModels/t"])]
#[case::previous(r#"{"previous_interaction_id":"v1_x","environment":"e1","agent":"mine"}"#, &["agents/mine", "environments/e1", "interactions/v1_x"])]
#[case::environment_object(r#"{"environment":{"environment_id":"e1","sources":[{"source":"files/a"}]}}"#, &["environments/e1", "files/a"])]
#[case::batch(r#"{"batch":{"inputConfig":{"fileName":"files/in"}}}"#, &["files/in"])]
#[case::batch_src(r#"{"src":"files/in","dest":"files/out"}"#, &["files/in", "files/out"])]
#[case::import(r#"{"fileName":"files/in","customMetadata":[{"key":"k","stringValue":"v"}]}"#, &["files/in"])]
#[case::file_ids(r#"{"file_ids":["a","files/b"],"file_id":"c"}"#, &["files/a", "files/b", "files/c"])]
#[case::twice(r#"{"fileUri":"files/a","fileUri":"files/b","x":{"fileUri":"files/a"}}"#, &["files/a", "files/b"])]
#[case::function_response_part(r#"{"functionResponse":{"name":"f","response":{"x":1},"parts":[{"fileData":{"fileUri":"files/a"}}]}}"#, &["files/a"])]
#[case::php(r#"{"fileUri":"https:\/\/generativelanguage.googleapis.com\/v1beta\/files\/a"}"#, &["files/a"])]
#[case::escaped(r#"{"file\u0055ri":"\u0066iles\u002fa"}"#, &["files/a"])]
#[case::escaped_id(r#"{"previous\u005finteraction_id":"v\u0031_x"}"#, &["interactions/v1_x"])]
#[case::spread("{\r\n \"fileUri\" \t:\n  \"files/a\"\r\n}", &["files/a"])]
#[case::single_quotes("{'fileUri':'files/a'}", &["files/a"])]
#[case::no_quotes("{cachedContent:'c', previous_interaction_id : \"v1_x\"}", &["cachedContents/c", "interactions/v1_x"])]
#[case::quote_in_single_quotes(r#"{'text':'"', 'fileUri':'files/a'}"#, &["files/a"])]
#[case::unfinished(r#"{"fileUri":"files/a","x":{"y"#, &["files/a"])]
#[case::behind_prose(r#"{"text":"say \"fileUri\": \"files/x\"","fileUri":"files/a"}"#, &["files/a"])]
fn names_are_found(#[case] body: &str, #[case] expected: &[&str]) {
    assert_eq!(found(body), expected);
}

#[rstest]
#[case::nothing("")]
#[case::text(r#"{"contents":[{"parts":[{"text":"files/a"},{"text":"{\"fileUri\":\"files/a\"}"}]}]}"#)]
#[case::text_in_text(r#"{"text":"\\\", \"fileUri\":\"files/a"}"#)]
#[case::chat_content(r#"{"messages":[{"role":"user","content":"files/a"},{"content":[{"type":"text","text":"cachedContents/c"}]}]}"#)]
#[case::interaction_input(r#"{"input":"files/a","system_instruction":"files/b"}"#)]
#[case::call(
    r#"{"parts":[{"functionCall":{"name":"f","args":{"fileUri":"files/a","n":{"x":["files/b"]}}}}]}"#
)]
#[case::result(r#"{"functionResponse":{"name":"f","response":{"fileUri":"files/a"}}}"#)]
#[case::step(r#"{"type":"function_call","arguments":{"file_id":"a"}}"#)]
#[case::schema(
    r#"{"responseSchema":{"properties":{"fileUri":{"type":"STRING"},"environment":{"type":"STRING"}}}}"#
)]
#[case::elsewhere(r#"{"fileUri":"https://www.youtube.com/watch?v=files/a"}"#)]
#[case::bucket(r#"{"fileUri":"gs://bucket/files/a"}"#)]
#[case::public_model(r#"{"model":"models/gemini-3.8-flash","requests":[{"model":"models/m"}]}"#)]
#[case::inline(r#"{"inlineData":{"mimeType":"image/png","data":"files/iVBORw0KGgo="}}"#)]
#[case::garbage("{{{{{[[[:::\u{0}")]
fn what_only_looks_like_a_name_is_none(#[case] body: &str) {
    assert!(found(body).is_empty(), "{:?}", found(body));
}

#[test]
fn a_continuation_token_of_any_length_is_known_by_its_sum() {
    let token = "x".repeat(100_000);
    let names = found(&json!({ "continuation_token": token }).to_string());
    assert_eq!(names, found(&json!({ "continuationToken": token }).to_string()));
    assert!(names[0].starts_with("continuation_tokens/") && names[0].len() < 100);
}

#[test]
fn more_names_than_are_checked_are_refused() {
    let files: Vec<String> = (0..=MOST_NAMED).map(|number| format!("files/f{number}")).collect();
    assert_eq!(in_body(json!({ "a": files[1..] }).to_string().as_bytes()).unwrap().len(), MOST_NAMED);
    assert_eq!(
        in_body(json!({ "a": files }).to_string().as_bytes()).unwrap_err().kind,
        ErrorKind::BadRequest
    );
}

/// A reference model: the same by way of a tree.
fn by_tree(value: &Value, key: Key, found: &mut BTreeSet<Resource>) {
    match value {
        Value::String(text) if key.may_name() => {
            let quoted = Value::from(text.as_str()).to_string();
            let (text, _) = Text::at(quoted.as_bytes(), 0).unwrap();
            found.extend(named_by(key, text));
        }
        Value::Array(values) => {
            // Behind an object the scan does not know any more what the array is called.
            let mut key = key;
            for value in values {
                by_tree(value, key, found);
                key = if has_object(value) { Key::Other } else { key };
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                let quoted = Value::from(name.as_str()).to_string();
                let key = Key::of(Text::at(quoted.as_bytes(), 0).unwrap().0);
                if key != Key::Users || !value.is_object() {
                    by_tree(value, key, found);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn has_object(value: &Value) -> bool {
    value.is_object() || value.as_array().is_some_and(|values| values.iter().any(has_object))
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(vec![
            "fileUri", "file_uri", "uri", "cachedContent", "cached_content", "fileSearchStoreNames", "fileName",
            "previous_interaction_id", "environment", "agent", "text", "data", "args", "response", "functionCall",
            "result", "name", "model", "parts", "src",
        ]).prop_map(str::to_owned),
        1 => "[a-z\"\\\\'/:é\u{1F600}\n]{0,6}",
    ]
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(vec![
            "files/a",
            "files/b",
            "https://gw/v1beta/files/c:download",
            "cachedContents/c",
            "fileSearchStores/s",
            "v1_x",
            "tunedModels/t",
            "models/m",
            "",
            "plain",
        ])
        .prop_map(Value::from),
        "[ -~é\u{1F600}\n\t\"\\\\]{0,12}".prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ]
}

fn document() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(word(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Written with any whitespace and any choice of escapes.
fn written(value: &Value, chance: &mut impl Iterator<Item = u8>) -> String {
    let space = |chance: &mut dyn Iterator<Item = u8>| {
        ["", " ", "\n", "\t\r\n "][usize::from(chance.next().unwrap() % 4)]
    };
    let mut text = String::new();
    text += space(chance);
    match value {
        Value::String(string) => text += &quoted(string, chance),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(|value| written(value, chance)).collect();
            text = [&text, "[", &values.join(","), "]"].concat();
        }
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(key, value)| {
                    let (before, behind) = (space(chance), space(chance));
                    format!("{before}{}{behind}:{}", quoted(key, chance), written(value, chance))
                })
                .collect();
            text = [&text, "{", &members.join(","), "}"].concat();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => text += &value.to_string(),
    }
    text + space(chance)
}

fn quoted(text: &str, chance: &mut impl Iterator<Item = u8>) -> String {
    let mut quoted = "\"".to_owned();
    for unit in text.chars() {
        let must = matches!(unit, '"' | '\\') || unit < ' ';
        if must || chance.next().unwrap().is_multiple_of(5) {
            let mut units = [0; 2];
            for unit in unit.encode_utf16(&mut units) {
                write!(quoted, "\\u{unit:04x}").unwrap();
            }
        } else if unit == '/' && chance.next().unwrap().is_multiple_of(3) {
            quoted += "\\/";
        } else {
            quoted.push(unit);
        }
    }
    quoted + "\""
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn however_a_document_is_written_the_same_is_found(value in document(), seed in prop::collection::vec(any::<u8>(), 64)) {
        let mut expected = BTreeSet::new();
        by_tree(&value, Key::Other, &mut expected);
        let text = written(&value, &mut seed.into_iter().cycle());
        prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value, "the test writes what it means");
        prop_assert_eq!(in_body(text.as_bytes()).unwrap(), expected, "{}", text);
    }

    #[test]
    fn no_bytes_bring_it_down(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[{}\\[\\]\"':,\\\\ua-f ]{0,80}") {
        let _ = in_body(&bytes);
        let _ = in_body(text.as_bytes());
    }
}
