//! The files that are shipped in `config/`.

use std::path::PathBuf;

use crate::house::House;

/// Set to write the schema anew instead of comparing it.
const UPDATE: &str = "UPDATE_SCHEMA";

fn shipped(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../config").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(shipped(name)).unwrap()
}

#[test]
fn the_file_says_what_holds_without_it() {
    let without = House::new().env("GEMINI_API_KEYS", "k1,k2");
    let with = House::with_yaml(&text("keygate.yaml")).env("GEMINI_API_KEYS", "k1,k2");
    assert_eq!(format!("{:#?}", with.loaded().config), format!("{:#?}", without.loaded().config));
    let values = |house: &House| {
        house.loaded().sources.into_iter().map(|value| (value.path, value.value)).collect::<Vec<_>>()
    };
    assert_eq!(values(&with), values(&without));
    assert_eq!(with.warnings(), "");
}

#[test]
fn the_file_names_every_setting() {
    let loaded = House::with_yaml(&text("keygate.yaml")).env("GEMINI_API_KEYS", "k1").loaded();
    for value in loaded.sources.iter().filter(|value| is_setting(&value.path)) {
        assert!(value.source.to_string().starts_with("keygate.yaml:"), "{} is not in it", value.path);
    }
}

/// Whether it is something a file can say.
fn is_setting(path: &str) -> bool {
    !path.starts_with("providers.google.keys[")
        && !["clients.auth (resolved)", "clients.admin_token"].contains(&path)
}

#[test]
fn the_file_points_editors_to_its_schema() {
    assert!(text("keygate.yaml").starts_with("# yaml-language-server: $schema=./keygate.schema.json\n"));
}

#[test]
fn the_schema_is_current() {
    let current = format!("{:#}\n", keygate_config::json_schema());
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(shipped("keygate.schema.json"), &current).unwrap();
    }
    let is_current = serde_json::from_str::<serde_json::Value>(&text("keygate.schema.json")).unwrap()
        == keygate_config::json_schema();
    assert!(is_current, "run `{UPDATE}=1 cargo test -p keygate-config schema` and commit the file");
}

#[test]
fn the_schema_describes_every_setting() {
    let schema = keygate_config::json_schema();
    let mut nameless = Vec::new();
    walk("", &schema, &mut nameless);
    assert!(nameless.is_empty(), "{nameless:?}");
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["definitions"]["ServerSection"]["properties"]["max_body"]["default"], "110MiB");
}

fn walk(at: &str, schema: &serde_json::Value, nameless: &mut Vec<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if property["description"].as_str().is_none_or(str::is_empty) {
            nameless.push(format!("{at}.{name}"));
        }
    }
    for (name, definition) in schema["definitions"].as_object().into_iter().flatten() {
        walk(name, definition, nameless);
    }
}

#[test]
fn the_example_of_dotenv_is_readable_and_sets_nothing() {
    let told = House::new().file(".env", &text(".env.example")).refused();
    assert!(told.contains("No valid API keys found in GEMINI_API_KEYS"), "{told}");
    let house = House::new().file(".env", &text(".env.example")).env("GEMINI_API_KEYS", "k1");
    assert_eq!(house.warnings(), "");
}
