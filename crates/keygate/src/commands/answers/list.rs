//! `keygate answers list` and `keygate answers remove`.

use comfy_table::{Table, presets};
use keygate_domain::StoredAnswer;
use serde_json::{Value, json};

use super::{Failure, settings, short, with_storage};
use crate::cli::{Database, RemoveAnswer};
use crate::commands::print;
use crate::exit::Exit;

pub(super) fn run(database: &Database) -> Result<Exit, Failure> {
    let settings = settings(database)?;
    let answers = with_storage(&settings, false, async |storage| Ok(storage.answers().await?))?;
    if database.json {
        print::line(&format!("{:#}", answers.iter().map(as_json).collect::<Value>()));
    } else if answers.is_empty() {
        print::line("There are no stored answers. Put some in with `keygate answers import FILE`.");
    } else {
        print::line(&table(&answers).to_string());
    }
    Ok(Exit::Done)
}

pub(super) fn remove(arguments: &RemoveAnswer) -> Result<Exit, Failure> {
    let settings = settings(&arguments.database)?;
    let id = arguments.id.as_str();
    if with_storage(&settings, false, async |storage| Ok(storage.remove_answer(id).await?))? {
        print::line(&format!("removed {}", short(id, 128)));
        return Ok(Exit::Done);
    }
    Err(Failure::usage(format!(
        "There is no answer {}. `keygate answers list` shows them all.",
        short(id, 128)
    )))
}

fn table(answers: &[StoredAnswer]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(["id", "match", "language", "reply", "for", "enabled"]);
    for answer in answers {
        let place = [answer.provider.as_deref(), answer.model.as_deref()];
        let place: Vec<&str> = place.into_iter().flatten().collect();
        table.add_row([
            short(&answer.id, 40),
            short(&answer.phrases.join(" | "), 60),
            answer.language.clone().unwrap_or_else(|| "any".to_owned()),
            short(&answer.reply, 60),
            if place.is_empty() { "all".to_owned() } else { place.join(" ") },
            if answer.enabled { "yes" } else { "no" }.to_owned(),
        ]);
    }
    table
}

fn as_json(answer: &StoredAnswer) -> Value {
    let StoredAnswer { id, phrases, language, reply, provider, model, enabled } = answer;
    json!({
        "id": id,
        "match": phrases,
        "language": language,
        "reply": reply,
        "provider": provider,
        "model": model,
        "enabled": enabled,
    })
}
