//! `keygate check`.

use comfy_table::{Table, presets};
use keygate_config::{Loaded, StorageConfig};
use keygate_provider::Adapter;
use keygate_storage::Storage;
use serde_json::{Value, json};

use super::database::wait_for;
use super::print;
use crate::cli::Check;
use crate::exit::Exit;
use crate::memory::place;
use crate::token_clerk::{NOBODY_HAS_A_TOKEN, any_is_valid};
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
    for warning in warnings(loaded) {
        text.push_str("\nwarning: ");
        text.push_str(&warning);
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
    format!("{:#}", json!({ "valid": true, "settings": settings, "warnings": warnings(loaded) }))
}

fn warnings(loaded: &Loaded) -> Vec<String> {
    let nobody = loaded.config.clients.relies_on_kept_tokens() && !keeps_tokens(&loaded.config.storage);
    let warnings = loaded.warnings.iter().map(ToString::to_string);
    warnings.chain(nobody.then(|| NOBODY_HAS_A_TOKEN.to_owned())).collect()
}

/// Whether the database has tokens. One that cannot be read has none that anybody could use.
fn keeps_tokens(storage: &StorageConfig) -> bool {
    let tokens = wait_for(async {
        let storage = Storage::visit(&place(storage)).await?;
        let tokens = storage.tokens().await?;
        storage.close().await;
        Ok(tokens)
    });
    tokens.is_ok_and(|tokens| any_is_valid(&tokens))
}

fn problems_as_json(problems: &keygate_config::ConfigProblems) -> Value {
    let problems: Vec<Value> = problems
        .0
        .iter()
        .map(|p| json!({ "place": p.place.to_string(), "what": p.what, "remedy": p.remedy }))
        .collect();
    json!({ "valid": false, "problems": problems })
}
