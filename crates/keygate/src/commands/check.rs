//! `keygate check`.

use comfy_table::{Table, presets};
use keygate_config::Loaded;
use keygate_provider::Adapter;
use serde_json::{Value, json};

use super::print;
use crate::cli::Check;
use crate::exit::Exit;
use crate::wiring;

pub(crate) fn run(arguments: &Check, catalogue: &'static [Adapter]) -> Exit {
    match wiring::load(&arguments.source, catalogue) {
        Ok(loaded) => {
            let report = if arguments.json { as_json(&loaded) } else { as_text(&loaded) };
            print::line(&report);
            Exit::Done
        }
        Err(problems) if arguments.json => {
            print::line(&format!("{:#}", problems_as_json(&problems)));
            Exit::Usage
        }
        Err(problems) => {
            print::remark(&problems.to_string());
            Exit::Usage
        }
    }
}

fn as_text(loaded: &Loaded) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_header(["setting", "value", "from"]);
    for effective in &loaded.sources {
        table.add_row([&effective.path, &effective.value, &effective.source.to_string()]);
    }
    let mut text = table.to_string();
    for warning in &loaded.warnings {
        text.push_str("\nwarning: ");
        text.push_str(&warning.to_string());
    }
    for provider in &loaded.config.providers {
        text.push('\n');
        text.push_str(&wiring::pool_in_words(provider));
    }
    text.push_str("\nThe configuration is valid.");
    text
}

fn as_json(loaded: &Loaded) -> String {
    let settings: Vec<Value> = loaded
        .sources
        .iter()
        .map(|e| json!({ "path": e.path, "value": e.value, "source": e.source.to_string() }))
        .collect();
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    format!("{:#}", json!({ "valid": true, "settings": settings, "warnings": warnings }))
}

fn problems_as_json(problems: &keygate_config::ConfigProblems) -> Value {
    let problems: Vec<Value> = problems
        .0
        .iter()
        .map(|p| json!({ "place": p.place.to_string(), "what": p.what, "remedy": p.remedy }))
        .collect();
    json!({ "valid": false, "problems": problems })
}
