//! `docs/reference/configuration.md`, made of `config/keygate.schema.json`.

use std::fs;

use serde_json::Value;

use super::generated::{cell, is_current};
use super::markdown::house;
use super::schema::{Setting, settings, shown};

const HEAD: &str = "# Every setting

Made of the JSON Schema that `keygate schema` prints; a test fails if it is not. [`config/keygate.yaml`](../../config/keygate.yaml)
has the same settings as a file to copy from, and `keygate check` prints the ones that hold, with where each came from.

Any of them can be given as a variable, which wins over the file: `server.bind` is `KEYGATE__SERVER__BIND`. `<name>` stands for a
name that you choose (or, for providers, `google` and `anam`), `[]` for each entry of a list. A default of `null` means: none.
";

#[test]
fn the_page_of_settings_is_made_of_the_schema() {
    let schema = fs::read_to_string(house().join("config/keygate.schema.json")).unwrap();
    is_current("configuration.md", &page(&serde_json::from_str(&schema).unwrap()));
}

fn page(schema: &Value) -> String {
    let sections = schema["properties"].as_object().unwrap();
    let written = sections.iter().map(|(name, section)| {
        let about = cell(section["description"].as_str().unwrap_or_default());
        let rows: String =
            settings(schema, name, section).iter().filter(|row| row.path != *name).map(row).collect();
        format!("\n## `{name}`\n\n{about}\n\n| setting | default | what it does |\n|---|---|---|\n{rows}")
    });
    HEAD.to_owned() + &written.collect::<Vec<_>>().concat()
}

fn row(setting: &Setting) -> String {
    let default =
        setting.default.as_ref().map(|default| format!("`{}`", cell(&shown(default)))).unwrap_or_default();
    let allowed =
        if setting.allowed.is_empty() { String::new() } else { format!(" ({})", cell(&setting.allowed)) };
    format!("| `{}` | {default} | {}{allowed} |\n", setting.path, cell(&setting.description))
}
