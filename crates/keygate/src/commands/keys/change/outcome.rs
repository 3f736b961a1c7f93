//! What a change came to: what the files say now, and whether a running gateway has seen it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use keygate_config::{KeyHome, ProviderConfig};
use keygate_domain::{ApiKey, KeyId};
use serde_json::{Value, json};

use super::super::list::status_path;
use super::super::words::{counted, list, listed, plain};
use super::file::Edit;
use super::{Desk, request};
use crate::commands::database::Failure;
use crate::commands::gateway::Gateway;
use crate::commands::print;
use crate::exit::Exit;
use crate::wiring;

/// How long a running gateway may take to see it. It looks at its files more than twice a second.
const PATIENCE: Duration = Duration::from_secs(3);

/// The most ids told one by one.
const MOST_IDS: usize = 8;

/// A change that was made.
pub(super) struct Change<'a> {
    pub(super) desk: &'a Desk<'a>,
    /// The keys before.
    pub(super) before: Vec<KeyId>,
    /// The keys that should be there now.
    pub(super) wanted: Vec<ApiKey>,
    pub(super) edits: Vec<Edit>,
    pub(super) is_json: bool,
}

/// The keys after a change, against those before.
struct Difference {
    added: Vec<KeyId>,
    removed: Vec<KeyId>,
    kept: Vec<KeyId>,
}

/// What a running gateway makes of it.
struct Seen {
    word: &'static str,
    text: String,
}

/// Tells what became of it; nothing of it is a key.
pub(super) fn tell(change: &Change<'_>) -> Result<Exit, Failure> {
    let desk = change.desk;
    let loaded = keygate_config::load(request(desk.site), desk.catalogue).map_err(|problems| {
        Failure::wrong(format!("The file was written, and the configuration is not valid now: {problems}"))
    })?;
    let after = desk.ids(&loaded);
    let difference = Difference::between(&change.before, &after);
    let is_meant = |provider: &&ProviderConfig| provider.adapter.name == desk.adapter.name;
    let pool = loaded.config.providers.iter().find(is_meant).map(wiring::pool_in_words);
    let seen = seen(change, &after);
    if change.is_json {
        print::line(&format!("{:#}", as_json(change, &difference, &seen)));
    } else {
        print::line(&as_text(change, &difference, pool.as_deref(), &seen));
    }
    Ok(if seen.word == "not_seen" { Exit::Wrong } else { Exit::Done })
}

impl Difference {
    fn between(before: &[KeyId], after: &[KeyId]) -> Self {
        let of = |all: &[KeyId], is_in: bool, other: &[KeyId]| -> Vec<KeyId> {
            let other: BTreeSet<&KeyId> = other.iter().collect();
            all.iter().filter(|id| other.contains(id) == is_in).cloned().collect()
        };
        Self {
            added: of(after, false, before),
            removed: of(before, false, after),
            kept: of(after, true, before),
        }
    }
}

/// Asks the gateway that runs with this configuration, if one does.
fn seen(change: &Change<'_>, after: &[KeyId]) -> Seen {
    let site = change.desk.site;
    let gateway = match Gateway::find(&site.gateway()) {
        Ok(gateway) => gateway,
        Err(none) if none.is_nobody_there => return not_running(),
        Err(unknown) => return Seen { word: "unknown", text: unknown.text },
    };
    let has_them = |status: &Value| {
        let shown: BTreeSet<&str> =
            list(&status["keys"]).iter().filter_map(|key| key["id"].as_str()).collect();
        shown.len() == after.len() && after.iter().all(|id| shown.contains(id.as_str()))
    };
    match gateway.watch(&status_path(change.desk.adapter.name.as_str()), PATIENCE, has_them) {
        Ok((_, true)) => {
            Seen { word: "seen", text: format!("The gateway at {} uses them now.", gateway.address()) }
        }
        Ok((_, false)) => Seen { word: "not_seen", text: why_not_seen(&gateway) },
        Err(none) if none.is_nobody_there => not_running(),
        Err(unknown) => Seen {
            word: "unknown",
            text: format!("Whether a running gateway uses them is not known: {}", unknown.text),
        },
    }
}

fn not_running() -> Seen {
    Seen {
        word: "not_running",
        text: "No gateway runs with this configuration; the next one that starts uses them.".to_owned(),
    }
}

fn why_not_seen(gateway: &Gateway) -> String {
    let status = gateway.get("/api/keys/status").unwrap_or_default();
    let why = match status["config"]["problem"].as_str() {
        Some(_) => format!("it refuses its configuration: {}", plain(&status["config"]["problem"])),
        None => "does it run with these files, and has it another environment?".to_owned(),
    };
    format!("The gateway at {} does not use them: {why}", gateway.address())
}

fn as_text(change: &Change<'_>, difference: &Difference, pool: Option<&str>, seen: &Seen) -> String {
    let mut lines = Vec::new();
    if change.edits.is_empty() {
        lines.push("Nothing to change: the keys are there already.".to_owned());
    }
    for Edit { home, is_new } in &change.edits {
        let file = shown(home.path());
        let made = if *is_new { " (made, for its owner only)" } else { "" };
        lines.push(match home {
            KeyHome::Variable { name, .. } => format!("{file}{made}: changed {name}."),
            KeyHome::File(_) => format!("{file}{made}: changed."),
        });
    }
    let Difference { added, removed, kept } = difference;
    for (what, ids) in [("added", added), ("removed", removed), ("kept", kept)] {
        if !ids.is_empty() {
            lines.push(format!(
                "{what} {}",
                if ids.len() > MOST_IDS { counted(ids.len(), "key") } else { listed(ids) }
            ));
        }
    }
    lines.extend(pool.map(str::to_owned));
    lines.extend(others(change));
    lines.push(seen.text.clone());
    lines.join("\n")
}

/// A word on keys that `set` did not touch, since they are elsewhere.
fn others(change: &Change<'_>) -> Option<String> {
    let wanted = |id: &KeyId| change.wanted.iter().any(|key| key.id() == id);
    let is_set = !change.wanted.is_empty() && !change.edits.is_empty();
    let touched: Vec<&KeyHome> = change.edits.iter().map(|edit| &edit.home).collect();
    let elsewhere: Vec<String> =
        change.desk.written_homes().iter().filter(|home| !touched.contains(home)).map(name_of).collect();
    let stays = change.before.iter().any(|id| !wanted(id));
    (is_set && stays && !elsewhere.is_empty())
        .then(|| format!("Keys are read from {} too; they stay.", listed(&elsewhere)))
}

fn name_of(home: &KeyHome) -> String {
    match home {
        KeyHome::Variable { name, .. } => name.clone(),
        KeyHome::File(path) => shown(path),
    }
}

/// A path as people know it.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

fn as_json(change: &Change<'_>, difference: &Difference, seen: &Seen) -> Value {
    let edits: Vec<Value> = change
        .edits
        .iter()
        .map(|edit| match &edit.home {
            KeyHome::Variable { dotenv, name } => json!({ "file": shown(dotenv), "variable": name }),
            KeyHome::File(path) => json!({ "file": shown(path), "variable": null }),
        })
        .collect();
    json!({
        "provider": change.desk.adapter.name,
        "changed": edits,
        "added": difference.added,
        "removed": difference.removed,
        "kept": difference.kept,
        "gateway": seen.word,
        "gateway_text": seen.text,
    })
}
