//! `keygate keys check`: every key by its provider's free call.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};

use comfy_table::Cell;
use futures_util::StreamExt as _;
use futures_util::stream;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use keygate_config::ProviderConfig;
use keygate_domain::{Fault, KeySpec, Verdict};
use keygate_provider::Adapter;
use keygate_upstream::{ClientSettings, UpstreamClient};
use serde_json::{Value, json};

use super::configured::{chosen, group_of, read};
use super::words::{Mood, cell, counted, listed, table, word_for};
use crate::cli::CheckKeys;
use crate::commands::database::{Failure, wait_for};
use crate::commands::print;
use crate::exit::Exit;
use crate::probing;

pub(super) fn run(arguments: &CheckKeys, catalogue: &'static [Adapter]) -> Result<Exit, Failure> {
    let loaded = read(arguments.config.as_deref(), catalogue)?;
    let providers = chosen(&loaded, arguments.provider.as_deref(), catalogue)?;
    if providers.iter().all(|provider| provider.keys.is_empty()) {
        let text = "There is no key to check. `keygate keys add google -` adds some.";
        return Err(Failure::usage(text));
    }
    let client = UpstreamClient::new(ClientSettings::default())
        .map_err(|error| Failure::internal(error.to_string()))?;
    let checked =
        wait_for(async { Ok(check_all(&providers, &client, usize::from(arguments.parallel)).await) })?;
    print::line(&if arguments.json { as_json(&checked) } else { as_text(&checked) });
    Ok(exit(&checked))
}

/// What became of a key's call.
struct Checked<'a> {
    provider: &'a ProviderConfig,
    index: usize,
    key: &'a KeySpec,
    finding: Finding,
}

/// What a verdict says of the key.
#[derive(Debug, PartialEq)]
struct Finding {
    word: &'static str,
    kind: Kind,
    why: String,
    /// What the provider calls the key's group.
    group: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Good,
    /// It will do, later.
    Resting,
    Bad,
    /// Nothing is known of it: the provider did not answer, or not about the key.
    Unknown,
}

async fn check_all<'a>(
    providers: &[&'a ProviderConfig],
    client: &UpstreamClient,
    parallel: usize,
) -> Vec<Checked<'a>> {
    let keys: Vec<_> = providers
        .iter()
        .flat_map(|provider| provider.keys.iter().enumerate().map(|(index, key)| (*provider, index, key)))
        .collect();
    let bar = bar(keys.len());
    let calls = stream::iter(keys).map(async |(provider, index, key)| {
        let verdict = probing::free_call(client, provider, &key.secret).await;
        bar.inc(1);
        Checked { provider, index, key, finding: finding(&verdict) }
    });
    let checked = calls.buffered(parallel).collect().await;
    bar.finish_and_clear();
    checked
}

/// On stderr and only on a terminal: what is read by a program holds the result and nothing else.
fn bar(length: usize) -> ProgressBar {
    let target =
        if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(length as u64), target);
    match ProgressStyle::with_template("checking keys {bar:30} {pos} of {len}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn finding(verdict: &Verdict) -> Finding {
    let failure = match verdict {
        Verdict::Served(_) => {
            return Finding { word: "ok", kind: Kind::Good, why: String::new(), group: None };
        }
        Verdict::Failed(failure) => failure,
        Verdict::Abandoned | Verdict::Unsent => {
            let why = "the provider has no free call".to_owned();
            return Finding { word: "unknown", kind: Kind::Unknown, why, group: None };
        }
    };
    let (word, kind) = match failure.fault {
        Fault::KeyInvalid => ("invalid", Kind::Bad),
        Fault::GroupBlocked => ("suspended", Kind::Bad),
        Fault::KeyForbidden => ("restricted", Kind::Bad),
        Fault::RateLimited | Fault::QuotaExhausted | Fault::Busy => ("rate-limited", Kind::Resting),
        Fault::Overloaded | Fault::ServerError | Fault::Timeout | Fault::Unreachable => {
            ("unreachable", Kind::Unknown)
        }
        Fault::AffinityLost | Fault::Caller | Fault::Poison => ("unknown", Kind::Unknown),
    };
    let why = match (failure.fault, failure.hint.reason) {
        (Fault::Timeout, _) => "no answer within 5 s",
        (Fault::Unreachable, _) => "no connection, or it broke",
        (fault, "") => fault.sentence(),
        (_, reason) => reason,
    };
    let group = failure.hint.group.as_ref().map(ToString::to_string);
    Finding { word, kind, why: why.to_owned(), group }
}

fn exit(checked: &[Checked<'_>]) -> Exit {
    let has = |kind| checked.iter().any(|key| key.finding.kind == kind);
    match (has(Kind::Bad), has(Kind::Unknown)) {
        (true, _) => Exit::Wrong,
        (false, true) => Exit::Unavailable,
        (false, false) => Exit::Done,
    }
}

fn as_text(checked: &[Checked<'_>]) -> String {
    let mut table = table(["provider", "index", "key", "id", "group", "verdict", "why"]);
    for Checked { provider, index, key, finding } in checked {
        let mood = match finding.kind {
            Kind::Good => Mood::Good,
            Kind::Resting | Kind::Unknown => Mood::Waiting,
            Kind::Bad => Mood::Bad,
        };
        table.add_row([
            Cell::new(provider.adapter.name),
            Cell::new(index),
            Cell::new(&key.label),
            Cell::new(key.secret.id()),
            Cell::new(finding.group.as_deref().unwrap_or(group_of(key))),
            cell(finding.word, mood),
            Cell::new(&finding.why),
        ]);
    }
    format!("{table}\n{}", summary(checked))
}

/// `4 keys: 2 ok, 1 invalid, 1 suspended.`, and what to do.
fn summary(checked: &[Checked<'_>]) -> String {
    let words = ["ok", "rate-limited", "invalid", "suspended", "restricted", "unreachable", "unknown"];
    let count = |word: &str| checked.iter().filter(|key| key.finding.word == word).count();
    let counts = words.iter().map(|word| (count(word), word)).filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, word)| format!("{count} {word}")).collect();
    let mut text = format!("{}: {}.", counted(checked.len(), "key"), counts.join(", "));
    let mut bad: BTreeMap<&str, Vec<&KeySpec>> = BTreeMap::new();
    for Checked { provider, key, .. } in checked.iter().filter(|key| key.finding.kind == Kind::Bad) {
        bad.entry(provider.adapter.name.as_str()).or_default().push(key);
    }
    for (provider, keys) in bad {
        let labels: Vec<&str> = keys.iter().map(|key| key.label.as_str()).collect();
        let words: Vec<&str> =
            keys.iter().map(|key| word_for(&key.label, key.secret.id().as_str())).collect();
        // Writing into a string cannot fail.
        let _ = write!(
            text,
            "\nReplace or repair {}: `keygate keys add {provider} -` adds another, `keygate keys remove {provider} {}` \
             takes out what is bad.",
            listed(&labels),
            words.join(" ")
        );
    }
    if checked.iter().any(|key| key.finding.kind == Kind::Unknown) {
        text.push_str("\nWhere the provider did not answer nothing is known of the key: try again, and look at base_url and the network.");
    }
    text
}

fn as_json(checked: &[Checked<'_>]) -> String {
    let keys: Vec<Value> = checked
        .iter()
        .map(|Checked { provider, index, key, finding }| {
            json!({
                "provider": provider.adapter.name,
                "index": index,
                "id": key.secret.id(),
                "label": key.label,
                "group": key.group,
                "reported_group": finding.group,
                "verdict": finding.word,
                "is_bad": finding.kind == Kind::Bad,
                "why": finding.why,
            })
        })
        .collect();
    format!("{:#}", json!({ "keys": keys }))
}

#[cfg(test)]
mod tests {
    use keygate_domain::{Failure as Failed, Hint, Spend};

    use super::*;

    #[test]
    fn each_fault_is_a_word() {
        let word = |fault| {
            let found = finding(&Verdict::Failed(Failed::of(fault)));
            (found.word, found.kind)
        };
        assert_eq!(finding(&Verdict::Served(Spend::default())).word, "ok");
        assert_eq!(word(Fault::KeyInvalid), ("invalid", Kind::Bad));
        assert_eq!(word(Fault::GroupBlocked), ("suspended", Kind::Bad));
        assert_eq!(word(Fault::KeyForbidden), ("restricted", Kind::Bad));
        assert_eq!(word(Fault::RateLimited), ("rate-limited", Kind::Resting));
        assert_eq!(word(Fault::Unreachable), ("unreachable", Kind::Unknown));
        assert_eq!(finding(&Verdict::Unsent).word, "unknown");
    }

    #[test]
    fn the_group_that_an_answer_names_is_told() {
        let hint = Hint { group: Some("projects/1".into()), reason: "spend cap", ..Hint::default() };
        let found = finding(&Verdict::Failed(Failed::of(Fault::GroupBlocked).hinting(hint)));
        assert_eq!((found.group.as_deref(), found.why.as_str()), (Some("projects/1"), "spend cap"));
    }
}
