//! `keygate keys reset`, `disable` and `enable`.

use serde_json::{Value, json};

use super::list::status_path;
use super::words::{counted, list, listed, plain};
use crate::cli::{ResetKeys, SwitchKeys};
use crate::commands::database::Failure;
use crate::commands::gateway::Gateway;
use crate::commands::print;
use crate::exit::Exit;

pub(super) fn reset(arguments: &ResetKeys) -> Result<Exit, Failure> {
    let gateway = Gateway::find(&arguments.gateway)?;
    let status = gateway.get(&status_path(&arguments.provider))?;
    let named = named(&status, &arguments.keys)?;
    let ids: Vec<&str> = named.iter().map(|key| key.id).collect();
    let body = if ids.is_empty() { json!({}) } else { json!({ "ids": ids }) };
    let provider = plain(&status["provider"]);
    let answer = gateway.post(&format!("/api/{provider}/reset-keys"), &body)?;
    let after = gateway.get(&status_path(&provider))?;
    if arguments.json {
        let told = json!({
            "message": answer["message"],
            "ids": ids,
            "available_keys": after["available_keys"],
            "total_keys": after["total_keys"],
        });
        print::line(&format!("{told:#}"));
    } else {
        let which = if named.is_empty() { "all keys".to_owned() } else { labels(&named) };
        let (available, total) = (&after["available_keys"], &after["total_keys"]);
        print::line(&format!("{provider}: reset {which}; {available} of {total} are available."));
    }
    Ok(Exit::Done)
}

pub(super) fn disable(arguments: &SwitchKeys) -> Result<Exit, Failure> {
    switch(arguments, "disable")
}

pub(super) fn enable(arguments: &SwitchKeys) -> Result<Exit, Failure> {
    switch(arguments, "enable")
}

fn switch(arguments: &SwitchKeys, verb: &str) -> Result<Exit, Failure> {
    let gateway = Gateway::find(&arguments.gateway)?;
    let status = gateway.get(&status_path(&arguments.provider))?;
    let provider = plain(&status["provider"]);
    let named = named(&status, &arguments.keys)?;
    let mut switched: Vec<Value> = Vec::new();
    for key in &named {
        match gateway.post(&format!("/api/{provider}/keys/{}/{verb}", key.id), &json!({})) {
            Ok(answer) => switched.push(answer),
            Err(failed) => {
                let done = counted(switched.len(), "key");
                let text = format!("{} ({verb}d before: {done} of {})", failed.text, named.len());
                return Err(Failure { exit: failed.exit, text });
            }
        }
    }
    if arguments.json {
        print::line(&format!("{:#}", json!({ "provider": provider, "keys": switched })));
    } else {
        print::line(&format!("{provider}: {verb}d {}.", labels(&named)));
        for key in switched.iter().filter(|key| verb == "enable" && key["state"] != "available") {
            let (label, state) = (plain(&key["label"]), plain(&key["state"]));
            print::line(&format!("{label} is {state} still; `keygate keys reset` ends its rests."));
        }
    }
    Ok(Exit::Done)
}

/// A key that a word names.
#[derive(Debug, PartialEq)]
struct Named<'a> {
    id: &'a str,
    label: String,
}

/// The keys that these words name, each once: by id, else by label, else by index.
fn named<'a>(status: &'a Value, words: &[String]) -> Result<Vec<Named<'a>>, Failure> {
    let keys = list(&status["keys"]);
    let mut named: Vec<Named<'a>> = Vec::new();
    let mut unknown = Vec::new();
    for word in words {
        let by_index =
            || word.parse::<u64>().ok().and_then(|index| keys.iter().find(|key| key["index"] == index));
        let found =
            ["id", "label"].iter().find_map(|field| keys.iter().find(|key| key[field] == word.as_str()));
        match found.or_else(by_index).and_then(|key| Some((key["id"].as_str()?, &key["label"]))) {
            Some((id, label)) if named.iter().all(|named| named.id != id) => {
                named.push(Named { id, label: plain(label) });
            }
            Some(_) => {}
            None => unknown.push(plain(&json!(word))),
        }
    }
    if unknown.is_empty() {
        return Ok(named);
    }
    Err(Failure::usage(format!(
        "{} has no key {}. `keygate keys list` shows ids, labels and indexes.",
        plain(&status["provider"]),
        listed(&unknown)
    )))
}

fn labels(named: &[Named<'_>]) -> String {
    listed(&named.iter().map(|key| key.label.as_str()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_by_id_label_or_index_each_once() {
        let status = json!({"provider": "google", "keys": [
            {"index": 0, "id": "aa", "label": "team-a"}, {"index": 1, "id": "bb", "label": "0"},
        ]});
        let ids = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            named(&status, &words)
                .map(|keys| keys.iter().map(|key| key.id).collect::<Vec<_>>())
                .map_err(|f| f.text)
        };
        assert_eq!(ids(&["team-a", "aa", "1"]), Ok(vec!["aa", "bb"]));
        assert_eq!(ids(&["0"]), Ok(vec!["bb"]), "a label comes before an index");
        let refused = ids(&["7", "nobody"]).unwrap_err();
        assert!(refused.contains("7 and nobody") && refused.contains("keys list"), "{refused}");
    }
}
