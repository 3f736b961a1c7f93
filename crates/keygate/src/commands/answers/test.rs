//! `keygate answers test`: which answer a question would get.

use comfy_table::{Table, presets};
use keygate_config::AnswersConfig;
use keygate_domain::{AnswerSearch, FoundAnswer, Languages, chosen, ranked, words};
use keygate_provider::Adapter;
use serde_json::{Value, json};

use super::{Failure, settings, short, with_storage};
use crate::cli::TestAnswers;
use crate::commands::print;
use crate::exit::Exit;

pub(super) fn run(arguments: &TestAnswers, catalogue: &[Adapter]) -> Result<Exit, Failure> {
    let settings = settings(&arguments.database)?;
    let search = AnswerSearch {
        words: words(&arguments.question),
        provider: provider(arguments, catalogue)?,
        model: arguments.model.clone(),
    };
    let found = with_storage(&settings, false, async |storage| Ok(storage.find_answers(&search).await?))?;
    let languages = Languages::asked(arguments.language.as_deref().unwrap_or_default());
    let ranked = ranked(found, &languages);
    let rules = &settings.answers;
    let used = chosen(&ranked, rules.threshold, rules.catch_all).filter(|_| rules.enabled);
    if arguments.database.json {
        print::line(&format!("{:#}", as_json(&ranked, used, rules)));
    } else {
        print::line(&as_text(&ranked, used, rules));
    }
    Ok(Exit::Done)
}

fn provider(arguments: &TestAnswers, catalogue: &[Adapter]) -> Result<String, Failure> {
    let wanted = arguments.provider.as_str();
    let is_wanted = |adapter: &&Adapter| adapter.name.as_str() == wanted || adapter.aliases.contains(&wanted);
    let found = catalogue.iter().find(is_wanted);
    let known = || catalogue.iter().map(|adapter| adapter.name.as_str()).collect::<Vec<_>>().join(", ");
    found
        .map(|adapter| adapter.name.as_str().to_owned())
        .ok_or_else(|| Failure::usage(format!("--provider is none that is known here: {}.", known())))
}

fn as_text(ranked: &[FoundAnswer], used: Option<&FoundAnswer>, rules: &AnswersConfig) -> String {
    if ranked.is_empty() {
        return "No stored answer has a word in common with this question: the refusal is told.".to_owned();
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(["", "score", "id", "language", "phrase", "reply"]);
    for found in ranked {
        let is_used = used.is_some_and(|used| used.id == found.id);
        table.add_row([
            if is_used { "→" } else { "" }.to_owned(),
            format!("{:.2}", found.score()),
            short(&found.id, 40),
            found.language.clone().unwrap_or_else(|| "any".to_owned()),
            short(&found.phrase, 40),
            short(&found.reply, 60),
        ]);
    }
    let verdict = match used {
        Some(used) => format!("Used: {}.", short(&used.id, 128)),
        None if !rules.enabled => "None is used: answers.enabled is false.".to_owned(),
        None => format!("None reaches the threshold of {:.2}: the refusal is told.", rules.threshold),
    };
    format!("{table}\n{verdict}")
}

fn as_json(ranked: &[FoundAnswer], used: Option<&FoundAnswer>, rules: &AnswersConfig) -> Value {
    let found: Vec<Value> = ranked
        .iter()
        .map(|found| {
            json!({
                "id": found.id,
                "score": (found.score() * 1000.0).round() / 1000.0,
                "language": found.language,
                "phrase": found.phrase,
                "reply": found.reply,
            })
        })
        .collect();
    json!({ "threshold": rules.threshold, "used": used.map(|used| &used.id), "found": found })
}
