//! `keygate session-keepers`.

use comfy_table::{Table, presets};
use serde_json::{Value, json};

use super::gateway::{Gateway, NoAnswer};
use crate::cli::{ClearKeeper, LookAtGateway, SessionKeepers};
use crate::commands::{moment, print};
use crate::exit::Exit;

pub(super) fn run(command: &SessionKeepers) -> Exit {
    let outcome = match command {
        SessionKeepers::List(arguments) => list(arguments),
        SessionKeepers::Clear(arguments) => clear(arguments),
    };
    match outcome {
        Ok(()) => Exit::Done,
        Err(no_answer) => {
            print::remark(&no_answer.text);
            no_answer.exit
        }
    }
}

fn list(arguments: &LookAtGateway) -> Result<(), NoAnswer> {
    let told = Gateway::find(&arguments.gateway)?.get("/api/session-keepers")?;
    if arguments.json {
        print::line(&format!("{told:#}"));
        return Ok(());
    }
    let keepers = told["session_keepers"].as_array().cloned().unwrap_or_default();
    if keepers.is_empty() {
        print::line("There are no session keepers. See docs/session-keeper.md.");
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_header([
        "name",
        "kind",
        "state",
        "again at",
        "last answer",
        "why",
    ]);
    for keeper in &keepers {
        let text = |field: &str| keeper[field].as_str().unwrap_or_default().to_owned();
        table.add_row([
            text("name"),
            text("kind"),
            text("state"),
            moment::told(&keeper["ready_at"]),
            text("last_outcome"),
            text("last_failure"),
        ]);
    }
    print::line(&table.to_string());
    Ok(())
}

fn clear(arguments: &ClearKeeper) -> Result<(), NoAnswer> {
    let name: String = url::form_urlencoded::byte_serialize(arguments.name.as_bytes()).collect();
    let told = Gateway::find(&arguments.gateway)?
        .post(&format!("/api/session-keepers/{name}/clear"), &serde_json::json!({}))?;
    let said = if arguments.json { format!("{told:#}") } else { text(&told) };
    print::line(&said);
    Ok(())
}

fn text(told: &Value) -> String {
    told["message"].as_str().map_or_else(|| json!(told).to_string(), str::to_owned)
}
